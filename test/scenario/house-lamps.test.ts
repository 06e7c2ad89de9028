/** Busy lamps of phones behind a gateway for calls of the home that pass it by: a phone straight at the softswitch (RFC 4235). */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let desk: Phone;
let b: Phone;
/** The phone of elm’s second line, away from home. */
let mobile: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 67 }));
  ({ elm, oak, a: desk, b } = await twoHomes(stage));
  const at = await elm.phone({ manner: 'answer' });
  expect(await world.settle(at.register(0))).toBe(200);
  const { sip } = away();
  const host = '10.77.0.1';
  mobile = await world.settle(
    Phone.open({
      ...{ world: world.host('mobile', [host]), host, domain: sip.domain, manner: 'ring' },
      ...{ server: stage.cloud.config.bound.sipUdp ?? { host: '', port: 0 } },
      ...{ username: sip.username, password: sip.password ?? '' },
    }),
  );
  stage.phones.push(mobile);
  expect(await world.settle(mobile.register())).toBe(200);
  await world.run(1_000);
});
afterEach(() => stage[Symbol.asyncDispose]());

const away = (): StageLine => elm.lines[1] as StageLine;
const until = (condition: () => boolean, what: string) => stage.ground.until(condition, 20_000, what);
const states = () =>
  desk.watches.notified
    .map(({ body }) => [...body.matchAll(/<state>(\w+)</g)].map(([, state]) => state).join('+') || 'none')
    .filter((one, i, all) => one !== all[i - 1]);

it('show them from ringing to the end, and nothing twice that passes the gateway', async () => {
  expect(await world.settle(desk.ask('OPTIONS'))).toBe(200);
  expect(desk.lastAnswer?.headerAll('Allow-Events')).toEqual(['dialog', 'message-summary']);
  expect(await world.settle(desk.watches.start('dialog', away().number))).toBe(200);
  await world.run(1_000);
  const call = await world.settle(b.dial(away().number));
  await until(() => states().at(-1) === 'early', 'ringing');
  mobile.answer(mobile.calls[0] as NonNullable<(typeof mobile.calls)[0]>);
  await until(() => states().at(-1) === 'confirmed', 'the answer');
  expect(desk.watches.notified.at(-1)?.body).toContain(`call-id="${mobile.calls[0]?.callId}"`);
  b.hangup(call);
  await until(() => states().at(-1) === 'terminated', 'the end');
  expect(states()).toEqual(['none', 'trying', 'early', 'confirmed', 'terminated']);
  // A call of the gateway's own phone is told by the gateway alone.
  expect(await world.settle(desk.watches.start('dialog', elm.lines[0]?.number ?? ''))).toBe(200);
  await world.run(1_000);
  const before = desk.watches.notified.length;
  const own = await world.settle(desk.dial(oak.lines[0]?.number ?? ''));
  await until(() => own.state === 'up', 'the answer');
  await world.run(1_000);
  own.hangup();
  await world.run(3_000);
  const told = desk.watches.notified.slice(before).map(({ body }) => [...body.matchAll(/<dialog /g)].length);
  expect(Math.max(...told)).toBe(1);
  expect(states().at(-1)).not.toBe('confirmed');
});

it('do not show the PIN that opens the bar of a line', async () => {
  const kid = await elm.phone({ manner: 'answer' });
  expect(await world.settle(desk.watches.start('dialog', elm.lines[2]?.number ?? ''))).toBe(200);
  await world.settle(kid.dial(`*33*4711*${oak.lines[0]?.number}`));
  await until(() => states().includes('confirmed'), 'the answer');
  const told = desk.watches.notified.map(({ body }) => body).join();
  expect([told.includes('*33*(hidden)*'), told.includes('4711')]).toEqual([true, false]);
});

it('forget them with the way to the cloud, and learn them again', async () => {
  await world.settle(desk.watches.start('dialog', away().number));
  await world.settle(b.dial(away().number));
  await until(() => states().at(-1) === 'early', 'ringing');
  mobile.answer(mobile.calls[0] as NonNullable<(typeof mobile.calls)[0]>);
  await until(() => states().at(-1) === 'confirmed', 'the answer');
  world.partition(['elm', 'elm-phone1', 'elm-phone2']);
  await stage.ground.until(() => states().at(-1) === 'terminated', 180_000, 'the lamp to go out');
  world.heal();
  await stage.ground.until(() => states().at(-1) === 'confirmed', 180_000, 'the lamp to come back');
});

it('let a phone of the house pick such a call up, and take its place', async () => {
  const shown = () => {
    const body = desk.watches.notified.at(-1)?.body ?? '';
    const read = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(body)?.[1] ?? '';
    return [['Replaces', `${read('call-id')};to-tag=${read('local-tag')};from-tag=${read('remote-tag')}`]] as const;
  };
  await world.settle(desk.watches.start('dialog', away().number));
  const call = await world.settle(b.dial(away().number));
  await until(() => states().at(-1) === 'early', 'ringing');
  const taken = await world.settle(desk.dial(away().number, shown()));
  await until(() => taken.state === 'up' && call.state === 'up', 'the answer');
  expect(mobile.calls.at(-1)?.state).toBe('ended');
  await world.run(1_500);
  expectHears(call.heard(), TONES.a, TONES.b);
  expectHears(taken.heard(), TONES.b, TONES.a);
  b.hangup(call);
  await until(() => taken.state === 'ended', 'the end');
  mobile.manner = 'answer';
  const second = await world.settle(b.dial(away().number));
  await until(() => second.state === 'up' && states().at(-1) === 'confirmed', 'the second call');
  const place = await world.settle(desk.dial(away().number, shown()));
  await until(() => place.state === 'up' && mobile.calls.at(-1)?.state === 'ended', 'the take-over');
  await world.run(1_500);
  expectHears(second.heard(), TONES.a, TONES.b);
});
