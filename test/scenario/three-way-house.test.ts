/** Three parties by a code from a phone of the house, where a call of it does not pass the cloud: the gateway mixes, with the cloud or without it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, expectNothingLeft, phoneWith, TONES, twoHomes } from './two-homes.ts';
import { last, level, number, wordsOf } from './words.ts';

const [HALL, ATTIC] = [910, 1450];
const HOUSE = ['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3'];

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let desk: Phone;
let hall: Phone;
let attic: Phone;
let b: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 59 }));
  ({ elm, oak, a: desk, b } = await twoHomes(stage));
  [hall, attic] = [await phoneWith(elm, HALL), await phoneWith(elm, ATTIC)];
});
afterEach(async ({ task }) => {
  try {
    for (const phone of stage.phones) for (const call of phone.calls) phone.hangup(call);
    if (task.result?.state !== 'fail') await expectNothingLeft(stage);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});

const { until, dial, cutOff } = wordsOf(() => stage);
const records = async () => (await stage.api('cdr.list', {})).items;
const gone = () => cutOff(elm);

/** `desk` talks to this one, and has put it on hold. */
async function held(to: string): Promise<PhoneCall> {
  const call = await dial(desk, to);
  await world.run(300);
  call.hold(true);
  await world.run(500);
  return call;
}

/** Each hears both others and not itself. */
async function expectAll(talks: readonly (readonly [PhoneCall, number])[]): Promise<void> {
  await world.run(2_500);
  for (const [call, own] of talks) {
    for (const [, hertz] of talks) {
      if (hertz === own) expect(level(call, hertz)).toBeLessThan(-45);
      else expect(level(call, hertz)).toBeGreaterThan(-30);
    }
  }
}

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('three phones of a house, %s', (_how, cut) => {
  beforeEach(async () => {
    if (!cut) return;
    world.partition(HOUSE);
    await gone();
  });

  it('hear each other; the talk goes on while two are left, whoever leaves', async () => {
    const first = await held(number(elm, 1));
    const second = await held(number(elm, 2));
    const room = await dial(desk, '*7');
    await until(() => first.state === 'ended' && second.state === 'ended', 'the two calls to end');
    await expectAll([
      [room, TONES.a],
      [last(hall), HALL],
      [last(attic), ATTIC],
    ]);
    desk.hangup(room);
    await world.run(1_500);
    expectHears(last(hall).heard(), ATTIC, HALL);
    expect([last(hall).state, last(attic).state]).toEqual(['up', 'up']);
    hall.hangup(last(hall));
    await until(() => last(attic).state === 'ended', 'the end');
    if (cut) world.heal();
    await until(async () => (await records()).length === 4, 'the records', 120_000);
    expect((await records()).map(({ reason }) => reason)).toEqual(['hangup', 'hangup', 'hangup', 'hangup']);
  });

  it('take a call that came in as well as one that was made, and no third while they are three', async () => {
    await dial(hall, number(elm, 0));
    const second = await held(number(elm, 2));
    const room = await dial(desk, '*7');
    await until(() => second.state === 'ended', 'the two calls to end');
    expect((await dial(desk, '*7')).status).toBe(491);
    attic.hangup(last(attic));
    await world.run(1_500);
    expectHears(room.heard(), HALL, TONES.a);
    expectHears(last(hall).heard(), TONES.a, HALL);
    room.hold(true);
    await world.run(300);
    room.hold(false);
    await world.run(1_500);
    expectHears(last(hall).heard(), TONES.a, HALL);
  });

  it('leave a line free whose phone has hung up', async () => {
    // No second call while one lasts.
    await dial(desk, '#43#');
    await world.run(4_000);
    await held(number(elm, 1));
    await held(number(elm, 2));
    desk.hangup(await dial(desk, '*7'));
    await world.run(1_000);
    expect([last(hall).state, last(attic).state]).toEqual(['up', 'up']);
    const second = await dial(hall, number(elm, 0));
    expect(second.state).toBe('up');
  });

  it('want two answered calls', async () => {
    expect((await dial(desk, '*7')).status).toBe(491);
    const call = await held(number(elm, 1));
    expect((await dial(desk, '*7')).status).toBe(491);
    const before = call.heard().length;
    call.hold(false);
    await world.run(1_500);
    expectHears(call.heard().subarray(before), HALL, TONES.a);
  });
});

describe('one call inside the house and one through the cloud', () => {
  it.each(['caller', 'called'])('are mixed by the gateway; each is one call to its end (outside: %s)', async (role) => {
    const first = await held(number(elm, 1));
    if (role === 'caller') await dial(b, number(elm, 0));
    const second = role === 'caller' ? last(desk) : await held(number(oak));
    const room = await dial(desk, '*7');
    await until(() => first.state === 'ended' && second.state === 'ended', 'the two calls to end');
    await expectAll([
      [room, TONES.a],
      [last(hall), HALL],
      [last(b), TONES.b],
    ]);
    expect((await stage.api('session.list', { live: true })).items.length).toBe(1);
    desk.hangup(room);
    await world.run(1_500);
    expectHears(last(b).heard(), HALL, TONES.b);
    expectHears(last(hall).heard(), TONES.b, HALL);
    b.hangup(last(b));
    await until(() => last(hall).state === 'ended', 'the end');
    await until(async () => (await records()).length === 4, 'the records', 60_000);
    expect((await stage.api('session.list', { live: true })).items).toEqual([]);
  });

  it('with the WAN cut while they talk, the house goes on', async () => {
    await held(number(elm, 1));
    await held(number(oak));
    const room = await dial(desk, '*7');
    await world.run(1_000);
    world.partition(HOUSE);
    await gone();
    await expectAll([
      [room, TONES.a],
      [last(hall), HALL],
    ]);
    world.heal();
    desk.hangup(room);
  });

  it('go on where the gateway starts again, again and again, with their sound; each ends as it would have', async () => {
    await held(number(elm, 1));
    await held(number(oak));
    const room = await dial(desk, '*7');
    await world.run(1_000);
    await elm.restart();
    await world.run(2_000);
    const all = [
      [room, TONES.a],
      [last(hall), HALL],
      [last(b), TONES.b],
    ] as const;
    await expectAll(all);
    expect(all.map(([call]) => call.state)).toEqual(['up', 'up', 'up']);
    expect(await world.settle(elm.engine.list())).toHaveLength(3);
    desk.hangup(room);
    await world.run(1_500);
    await elm.restart();
    await world.run(70_000);
    expectHears(last(b).heard(), HALL, TONES.b);
    expectHears(last(hall).heard(), TONES.b, HALL);
    b.hangup(last(b));
    await until(() => last(hall).state === 'ended', 'the end');
    await until(async () => (await records()).length === 4, 'the records', 60_000);
    expect((await records()).map(({ reason }) => reason)).toEqual(['hangup', 'hangup', 'hangup', 'hangup']);
    expect(await world.settle(elm.world.disk.list(`${stage.ground.folder('elm')}/sip/calls`))).toEqual([]);
  });

  it('end for those who are left where a restart finds the sound of the others gone', async () => {
    await held(number(elm, 1));
    await held(number(elm, 2));
    const room = await dial(desk, '*7');
    await world.run(1_000);
    await world.settle(elm.gateway.stop());
    const [one, other] = (await world.settle(elm.engine.list())).map(({ id }) => id);
    for (const id of [one, other]) await world.settle(elm.engine.release(id ?? ''));
    await elm.restart();
    await until(() => [room, last(hall), last(attic)].every(({ state }) => state === 'ended'), 'the end');
  });

  it('leave two that are parked or in another talk of three alone', async () => {
    await held(number(elm, 1));
    await held(number(elm, 2));
    const room = await dial(desk, '*7');
    await world.run(500);
    // The hall is in one call, whose other end nobody has any more.
    const more = await dial(hall, number(oak));
    expect((await dial(hall, '*7')).status).toBe(491);
    more.hangup();
    expect(room.state).toBe('up');
  });

  it('hear a hold of one of them and its end, which costs no further end of media', async () => {
    await held(number(elm, 1));
    await held(number(oak));
    const room = await dial(desk, '*7');
    await world.run(1_000);
    for (const on of [true, false]) {
      last(b).hold(on);
      await world.run(500);
      expect((await world.settle(elm.engine.list())).map(({ kind }) => kind)).toEqual([
        'endpoint',
        'endpoint',
        'endpoint',
      ]);
    }
    await expectAll([
      [room, TONES.a],
      [last(hall), HALL],
      [last(b), TONES.b],
    ]);
  });

  it('nobody sends another into its place, for then nobody of the house might be left in it', async () => {
    await held(number(elm, 1));
    await held(number(oak));
    const room = await dial(desk, '*7');
    const seat = last(hall);
    const other = await dial(hall, number(oak));
    expect(await world.settle(hall.refer(other, seat))).toBe(491);
    expect(await world.settle(hall.refer(seat, other))).toBe(491);
    expect([room.state, seat.state, other.state]).toEqual(['up', 'up', 'up']);
  });

  it('two calls through the cloud need it', async () => {
    const first = await held(number(oak));
    const c = await oak.phone({ manner: 'answer', answerAfter: 200 });
    const second = await held(number(oak, 1));
    world.partition(HOUSE);
    await gone();
    expect([first.state, second.state]).toEqual(['up', 'up']);
    expect((await dial(desk, '*7')).status).toBe(503);
    expect(c.calls.length).toBe(1);
    world.heal();
  });
});
