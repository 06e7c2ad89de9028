import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NEVER, TICK } from '#shared/kernel/machine.ts';
import {
  FIRST_WAIT,
  FORGIVEN_AFTER,
  type HealthInput,
  type HealthOutput,
  LAST_WAIT,
  newHealth,
  REGISTERED_FOR,
  REST_LIMIT,
  trunkHealth,
} from './health.ts';

function machine(settings: Partial<Parameters<typeof newHealth>[0]> = {}) {
  const state = newHealth({ registers: false, expires: 600, probeEvery: 0, ...settings });
  const step = (input: HealthInput | typeof TICK, now = 0) => {
    const out: HealthOutput[] = [];
    trunkHealth.step(state, input, now, out);
    return out.map((one) => one.do);
  };
  return { state, step, due: () => trunkHealth.due(state) };
}

describe('a trunk that registers', () => {
  it('registers, is up, and refreshes at half of its time', () => {
    const { state, step, due } = machine({ registers: true });
    expect(step({ on: 'start' })).toEqual(['register']);
    expect(step({ on: 'registered', status: 200, seconds: 300 })).toEqual(['changed']);
    expect([state.at, state.registered, due()]).toEqual(['up', true, 150_000]);
    expect(step(TICK, 150_000)).toEqual(['register']);
  });

  it('that is refused is down with the cause, and tries at growing intervals', () => {
    const { state, step, due } = machine({ registers: true });
    step({ on: 'start' });
    expect(step({ on: 'registered', status: 403, seconds: 0 })).toEqual(['changed']);
    expect([state.at, state.cause, due()]).toEqual(['down', 'answered 403', FIRST_WAIT]);
    for (let i = 0; i < 12; i++) {
      step(TICK, due());
      step({ on: 'registered', status: 408, seconds: 0 }, 0);
    }
    expect([state.cause, due()]).toEqual(['no answer', LAST_WAIT]);
    // A call that works is no registration.
    step({ on: 'works' });
    expect(state.at).toBe('down');
  });
});

describe('a registration', () => {
  const registering = () => {
    const made = machine({ registers: true, probeEvery: 60_000 });
    made.step({ on: 'start' });
    made.step({ on: 'registered', status: 200, seconds: 600 });
    return made;
  };

  it('that is too short there is made again at once, as long as it has to be', () => {
    const { state, step } = machine({ registers: true });
    step({ on: 'start' });
    expect(step({ on: 'registered', status: 423, seconds: 0, least: 1_800 })).toEqual(['register']);
    expect(state.expires).toBe(1_800);
    // A carrier that wants what it was given, or for ever, is one that refuses.
    expect(step({ on: 'registered', status: 423, seconds: 0, least: 1_800 })).toEqual(['changed']);
    expect(step({ on: 'registered', status: 423, seconds: 0, least: 1e9 })).toEqual([]);
    expect([state.expires, state.cause]).toEqual([1_800, 'answered 423']);
  });

  it('is made anew once a carrier answers that was silent: it may have started again', () => {
    const { state, step } = registering();
    step({ on: 'probed', status: 408 }, 60_000);
    expect([state.at, state.registered]).toEqual(['down', true]);
    expect(step({ on: 'probed', status: 200 }, 62_000)).toEqual(['register', 'changed']);
    step({ on: 'registered', status: 200, seconds: 600 }, 62_100);
    expect(step({ on: 'probed', status: 200 }, 122_000)).toEqual([]);
  });

  it('stays where a carrier refused calls only', () => {
    const { step } = registering();
    step({ on: 'failed', status: 503 }, 60_000);
    expect(step({ on: 'probed', status: 200 }, 62_000)).toEqual(['changed']);
  });

  it('is made anew where its connection is gone, but not again and again', () => {
    const { step, due } = registering();
    step({ on: 'lost' }, 100);
    expect(due()).toBe(REGISTERED_FOR);
    expect(step(TICK, REGISTERED_FOR)).toEqual(['register']);
    step({ on: 'registered', status: 200, seconds: 600 }, REGISTERED_FOR);
    step({ on: 'lost' }, REGISTERED_FOR + 50_000);
    expect(due()).toBe(REGISTERED_FOR + 50_000 + FIRST_WAIT);
  });
});

describe('a carrier that wants a rest', () => {
  it('has it: neither asked nor preferred until then', () => {
    const { state, step, due } = machine({ probeEvery: 30_000 });
    step({ on: 'start' });
    step({ on: 'probed', status: 200 });
    step({ on: 'failed', status: 503, rest: 20_000 }, 1_000);
    expect([state.at, due()]).toEqual(['down', 21_000]);
    step({ on: 'probed', status: 200 }, 5_000);
    expect(state.at).toBe('down');
    step({ on: 'probed', status: 200 }, 21_000);
    expect(state.at).toBe('up');
  });

  it('and no longer than is sensible, unless it takes a call meanwhile', () => {
    const { state, step, due } = machine();
    step({ on: 'failed', status: 503, rest: 1e9 }, 0);
    expect(due()).toBe(REST_LIMIT);
    step({ on: 'works' }, 5);
    expect([state.at, due()]).toEqual(['up', NEVER]);
  });
});

describe('a trunk that is asked', () => {
  it('any answer is a sign of life, but one that says that it cannot serve', () => {
    for (const [status, expected] of [
      [200, 'up'],
      [404, 'up'],
      [503, 'down'],
      [408, 'down'],
    ] as const) {
      const { state, step } = machine({ probeEvery: 30_000 });
      expect(step({ on: 'start' })).toEqual(['probe']);
      step({ on: 'probed', status });
      expect(state.at).toBe(expected);
    }
  });

  it('is asked soon after a call failed', () => {
    const { step, due } = machine({ probeEvery: 30_000 });
    step({ on: 'start' });
    step({ on: 'probed', status: 200 });
    expect(step({ on: 'failed', status: 503 }, 10)).toEqual(['changed']);
    expect(due()).toBe(10 + FIRST_WAIT);
  });
});

it('one that is never asked is forgiven after a while', () => {
  const { state, step, due } = machine();
  expect([step({ on: 'start' }), due()]).toEqual([[], NEVER]);
  step({ on: 'failed', status: 503 }, 5);
  expect([state.at, due()]).toEqual(['down', 5 + FORGIVEN_AFTER]);
  expect(step(TICK, 5 + FORGIVEN_AFTER)).toEqual(['changed']);
  expect(state.at).toBe('unknown');
});

it('whatever happens, a registering trunk always has something due or under way', () => {
  const input = fc.oneof(
    fc.record({
      on: fc.constant('registered' as const),
      status: fc.constantFrom(200, 401, 408, 423, 503),
      least: fc.nat(2_000),
      seconds: fc.nat(600),
    }),
    fc.record({ on: fc.constant('probed' as const), status: fc.constantFrom(200, 408, 503) }),
    fc.constantFrom({ on: 'works' as const }, { on: 'lost' as const }),
    fc.record({
      on: fc.constant('failed' as const),
      status: fc.constantFrom(408, 503),
      rest: fc.constantFrom(0, 5_000, 1e9),
    }),
    fc.constant(TICK),
  );
  fc.assert(
    fc.property(fc.array(input, { maxLength: 40 }), fc.boolean(), (inputs, probes) => {
      const { step, due } = machine({ registers: true, probeEvery: probes ? 30_000 : 0 });
      let waiting = step({ on: 'start' }).includes('register');
      let now = 0;
      for (const one of inputs) {
        now += 1_000;
        if (one.on === 'registered') waiting = false;
        if (step(one, now).includes('register')) waiting = true;
        expect(waiting || due() < NEVER).toBe(true);
      }
    }),
  );
});
