/** Power, clock and the board itself. */
import { type Check, fail, ok, size, skip, span, warn } from '../check.ts';

/** No gateway of this version was made before this, and none works after that: 2025-01-01 and 2100-01-01, ms. */
const EARLIEST = 1_735_689_600_000;
const LATEST = 4_102_444_800_000;
/** Celsius: a Raspberry Pi slows down from 80 and stops at 85. */
const HOT = 80;
const TOO_HOT = 85;

export const powerChecks: readonly Check[] = [
  {
    id: 'power.clock',
    about: 'Does the clock show a possible date?',
    judge({ wall, cloud: { own } }) {
      const evidence = `the clock says ${new Date(wall).toISOString()}`;
      const next =
        'Set the clock, and check that NTP (UDP port 123) is allowed; certificates cannot be judged before the clock is right.';
      if (wall < EARLIEST || wall > LATEST)
        return fail(evidence, 'The clock was never set: it has no battery and no time server answered.', next);
      // The cloud dates a certificate back by a day, never forward.
      if (own !== undefined && wall < own.notBefore)
        return fail(
          `${evidence}, before the gateway’s own certificate was made (${new Date(own.notBefore).toISOString()})`,
          'The clock is behind.',
          next,
        );
      return ok(new Date(wall).toISOString());
    },
  },
  {
    id: 'power.clock-jump',
    about: 'Has the clock run evenly in the last hour?',
    needs: ['power.clock'],
    judge: ({ jump }) =>
      Math.abs(jump) <= 2_000
        ? ok('no jump')
        : warn(
            `the clock jumped by ${jump < 0 ? '-' : ''}${span(jump)}`,
            'Somebody or a time server set the clock while the gateway ran.',
            'Times in the log before the jump are wrong by so much; check the time server if it happens again.',
          ),
  },
  {
    id: 'power.clock-offset',
    about: 'Does the clock agree with the cloud’s?',
    needs: ['power.clock', 'power.clock-jump'],
    judge({ agent, cloud: { ahead } }) {
      const greeted = agent !== undefined && agent.link.epoch !== 0 ? agent.offset : undefined;
      const by = greeted ?? ahead;
      if (by === undefined) return skip('the cloud has not told its time yet');
      const off = Math.abs(by);
      const evidence = `the cloud’s clock is ${span(by)} ${by < 0 ? 'behind' : 'ahead'}`;
      if (off <= 5_000) return ok(evidence);
      const cause = 'The gateway’s clock is not kept right by a time server.';
      const next = 'Set the clock; check that NTP (UDP port 123) is allowed.';
      return off > 300_000 ? fail(evidence, cause, next) : warn(evidence, cause, next);
    },
  },
  {
    id: 'power.restarts',
    about: 'Does the user agent stay up?',
    judge: ({ starts, uptime }) =>
      starts < 4
        ? ok(`up for ${span(uptime)}`)
        : warn(
            `${starts} starts in the last ten minutes, and the earlier ones did not end as asked`,
            'It is restarted again and again: power, memory, or an error of its own.',
            'See `hearthline logs --level error`, and the power supply.',
          ),
  },
  {
    id: 'power.supply',
    about: 'Is the supply voltage right?',
    judge({ board: { throttled } }) {
      if (throttled === undefined) return skip('this board does not tell');
      const cause = 'The power supply or its cable is too weak.';
      const next = 'Use the supply that came with the gateway, without a hub or a long cable.';
      if ((throttled & 0b101) !== 0) return fail('under-voltage now', cause, next);
      return (throttled & 0x50000) === 0 ? ok('no under-voltage') : warn('under-voltage since the start', cause, next);
    },
  },
  {
    id: 'power.temperature',
    about: 'Is the processor cool enough?',
    judge({ board: { temperature } }) {
      if (temperature === undefined || !Number.isFinite(temperature)) return skip('this board does not tell');
      const evidence = `${Math.round(temperature)} °C`;
      const next = 'Give it air; take it out of closed furniture and off other warm devices.';
      if (temperature < HOT) return ok(evidence);
      return temperature < TOO_HOT
        ? warn(evidence, 'The gateway is hot and slows down.', next)
        : fail(evidence, 'The gateway is too hot.', next);
    },
  },
  {
    id: 'power.memory',
    about: 'Is there memory left?',
    judge({ board: { memory } }) {
      if (memory === undefined) return skip('this system does not tell');
      const share = memory.available / memory.total;
      const evidence = `${size(memory.available)} of ${size(memory.total)} available`;
      return share >= 0.05
        ? ok(evidence)
        : warn(
            evidence,
            'Another program, or the gateway, takes all memory.',
            'Restart the gateway; if it comes back, send a bundle.',
          );
    },
  },
];
