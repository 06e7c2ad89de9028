/** Calls for help by the gateway's own mobile modem, where neither the cloud nor a fallback trunk takes them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SimModem, virtualModem } from '#simulator/modem.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

const PSAP = 850;
let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let a: Phone;
let modem: SimModem;
let psap: Carrier;
let fallback: Carrier;
let trunk: string;

const up = (call: PhoneCall, limit = 15_000) => world.until(() => call.state === 'up', limit, 'the answer');
const ended = (call: PhoneCall) => world.until(() => call.state === 'ended', 30_000, 'the end');
const dial = (to = '112') => world.settle(a.dial(to));
const invites = ({ requests }: Carrier) => requests.filter((text) => text.startsWith('INVITE'));
/** The house with the fallback trunk, cut off from everything else. */
const cut = () => world.partition(['elm', 'elm-phone1', `carrier-${fallback.host}`]);
const cutOff = () => world.partition(['elm', 'elm-phone1']);

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 79 }));
  ({ elm, a } = await twoHomes(stage));
  let lines: StageHome['modem'];
  ({ modem, lines } = virtualModem(elm.world.clock, tone(PSAP, 1)));
  elm.modem = lines;
  await elm.restart();
  const server = stage.cloud.config.bound.sipUdp ?? { host: '', port: 0 };
  psap = await carrier(world, '10.6.0.1', {}, server);
  fallback = await carrier(world, '10.6.0.2', {}, server);
  ({ id: trunk } = await stage.api('trunk.create', trunkTo(psap)));
  const { host, phone } = fallback;
  const to = { host, port: phone.address.port, transport: 'udp' as const };
  await stage.api('emergency.policy.set', { country: 'AT', routes: [{ trunk }], fallback: to });
  await world.run(10_000);
  expect(await world.settle(a.register())).toBe(200);
});
afterEach(async () => {
  for (const one of [psap, fallback]) await world.settle(one.phone.close());
  await stage[Symbol.asyncDispose]();
});

describe('while another way is there', () => {
  it('the cloud has the call, and the modem none', async () => {
    await up(await dial());
    expect([invites(psap).length, invites(fallback).length, modem.dialled]).toEqual([1, 0, '']);
  });

  it('the fallback trunk has it where the cloud is gone', async () => {
    cut();
    await up(await dial());
    expect([invites(fallback).length, modem.dialled]).toEqual([1, '']);
  });
});

describe('a fallback trunk over TCP that cannot be opened', () => {
  const dead = async () => {
    const to = { host: '10.6.0.9', port: 5060, transport: 'tcp' as const };
    world.host('carrier-dead', [to.host]);
    world.partition(['carrier-dead']);
    await stage.api('emergency.policy.set', { country: 'AT', routes: [{ trunk }], fallback: to });
    await world.run(2_000);
  };
  /** Milliseconds until `done`. */
  const within = async (done: () => boolean) => {
    const begun = elm.world.clock.mono();
    await world.until(done, 20_000, 'the next way');
    return elm.world.clock.mono() - begun;
  };

  it('does not delay the cloud', async () => {
    await dead();
    const call = await dial();
    expect(await within(() => invites(psap).length > 0)).toBeLessThan(300);
    await up(call);
    expect([invites(psap).length, modem.dialled]).toEqual([1, '']);
  });

  it('nor the modem, where the cloud is cut off', async () => {
    await dead();
    cutOff();
    await world.run(60_000);
    await dial();
    expect(await within(() => modem.calling)).toBeLessThan(1_000);
    expect(modem.dialled).toBe('112');
  });

  it('nor the modem, where the cloud says nothing or refuses', async () => {
    await dead();
    cutOff();
    const first = await dial();
    expect(await within(() => modem.calling)).toBeLessThan(3_000);
    await up(first);
    a.hangup(first);
    world.heal();
    await world.run(60_000);
    psap.phone.manner = 'busy';
    await up(await dial(), 20_000);
    expect(modem.dialled).toBe('112');
  });

  it('and where there is no modem either, the phone hears so, that it tries elsewhere', async () => {
    elm.modem = undefined;
    await elm.restart();
    await dead();
    await world.run(10_000);
    expect(await world.settle(a.register())).toBe(200);
    cutOff();
    const call = await dial();
    expect(await within(() => call.state === 'ended')).toBeLessThan(3_000);
    expect(call.status).toBe(408);
    await world.run(60_000);
    const later = await dial();
    expect(await within(() => later.state === 'ended')).toBeLessThan(3_000);
    expect(later.status).toBe(503);
  });
});

describe('where nothing else is left', () => {
  it.each([
    ['cut off a moment ago', async () => cutOff(), '112', '112'],
    [
      'cut off for an hour, and a national code',
      async () => {
        cutOff();
        await world.run(3_600_000);
      },
      '133',
      '112',
    ],
    [
      'the cloud killed, the fallback trunk as well',
      async () => {
        await stage.killCloud();
        await world.settle(fallback.phone.close());
      },
      '911',
      '911',
    ],
    [
      'both refuse',
      async () => {
        for (const one of [psap, fallback]) one.phone.manner = 'busy';
      },
      '112',
      '112',
    ],
  ])('%s: the modem dials, and both hear each other', async (_name, happen, code, dialled) => {
    await happen();
    const call = await dial(code);
    await up(call, 40_000);
    expect(modem.dialled).toBe(dialled);
    await world.run(3_000);
    expectHears(call.heard(), PSAP, TONES.a);
    expect(modem.level(TONES.a)).toBeGreaterThan(-30);
    a.hangup(call);
    await world.until(() => !modem.calling, 2_000, 'the modem to hang up');
    await world.run(200);
    expect(modem.commands.slice(-3)).toEqual(['AT+CHUP', 'ATH', 'AT+CPCMREG=0']);
  });

  it('who helps hangs up', async () => {
    cutOff();
    const call = await dial();
    await up(call);
    modem.hangup();
    await ended(call);
    expect(call.why).toBe('bye');
    await up(await dial());
  });

  it('who calls gives up while it rings', async () => {
    cutOff();
    const call = await dial();
    await world.until(() => modem.calling, 10_000, 'the modem to dial');
    a.hangup(call);
    await world.until(() => !modem.calling, 3_000, 'the modem to hang up');
  });

  it.each(['busy', 'no-carrier'] as const)('the mobile network says %s', async (manner) => {
    modem.manner = manner;
    cutOff();
    const call = await dial();
    await ended(call);
    expect([call.progress.includes(200), call.status >= 400, modem.dialled]).toEqual([false, true, '112']);
  });

  it('the modem has gone quiet: the phone hears so at once, so that it tries elsewhere', async () => {
    modem.manner = 'quiet';
    await world.run(60_000);
    await stage.api('emergency.policy.set', { routes: [] });
    await world.run(2_000);
    cutOff();
    await world.run(60_000);
    const call = await dial();
    await world.run(3_000);
    expect([call.state, call.status]).toEqual(['ended', 503]);
    const asked = { check: 'voice.modem', quick: true };
    const report = await world.settle(elm.gateway.diagnostics.answer('gateway.check.local', asked));
    expect(report).toMatchObject({ ok: true, value: { items: [{ id: 'voice.modem', result: 'fail' }] } });
  });

  it('only help is dialled', async () => {
    cutOff();
    await world.run(60_000);
    await ended(await dial('+43171100'));
    expect(modem.dialled).toBe('');
  });

  it('the record comes once, afterwards', async () => {
    cutOff();
    await world.run(60_000);
    const call = await dial();
    await up(call);
    a.hangup(call);
    await world.run(5_000);
    world.heal();
    const records = async () => (await stage.api('cdr.list', {})).items.filter(({ to }) => to === '112');
    await stage.ground.until(async () => (await records()).length > 0, 300_000, 'the record');
    await world.run(60_000);
    const { number } = elm.lines[0] as StageLine;
    expect((await records()).map(({ from, price }) => `${from} ${price}`)).toEqual([`${number} 0`, `${number} 0`]);
  });
});

it('the technician sees it', async () => {
  const report = await world.settle(elm.gateway.diagnostics.answer('gateway.status.local', {}));
  expect(report).toMatchObject({
    value: { modem: { state: 'ready', registration: 'home', signal: -73, sound: true } },
  });
});
