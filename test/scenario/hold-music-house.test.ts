/** Music for who is put on hold by another phone of the same house: the gateway plays it, with the cloud or without it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { synthesise } from '#cloud/farm/media/library/synthesis.ts';
import { levelOf, match } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectNothingLeft, phoneWith, threePhones } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const MELODY = synthesise('music-box') ?? new Int16Array();
const [DESK, HALL, ATTIC, OAK] = [443, 910, 1450, 617];
const HOUSE = ['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3'];

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let desk: Phone;
let hall: Phone;
let attic: Phone;

async function build(): Promise<void> {
  ({ stage, world } = await virtualStage({ seed: 61 }));
  elm = await stage.home('elm');
  [desk, hall, attic] = await threePhones(elm, [DESK, HALL, ATTIC]);
}
afterEach(async ({ task }) => {
  try {
    for (const phone of stage.phones) for (const call of phone.calls) phone.hangup(call);
    if (task.result?.state !== 'fail') await expectNothingLeft(stage);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});

const { until, dial, code, cutOff, setFeatures } = wordsOf(() => stage);

/** What a phone hears in the next second: the melody, and a tone. */
async function hears(call: PhoneCall, hertz: number): Promise<'music' | 'voice' | 'silence' | 'both'> {
  await world.run(600);
  const from = call.heard().length;
  await world.run(1_000);
  const tail = call.heard().subarray(from);
  const voice = tail.length > 4000 && levelOf(tail.subarray(-4000), hertz) > -30;
  const music = tail.length > 4000 && match(MELODY, tail.subarray(-800)).correlation > 0.9;
  if (music) return voice ? 'both' : 'music';
  return voice ? 'voice' : 'silence';
}

async function hold(holder: PhoneCall, held: PhoneCall, on: boolean): Promise<void> {
  holder.hold(on);
  await until(() => held.held === on, on ? 'the hold' : 'its end');
}

/** `desk` talks to `hall`. */
async function pair(): Promise<readonly [PhoneCall, PhoneCall]> {
  const call = await dial(desk, number(elm, 1));
  await world.run(300);
  return [call, last(hall)];
}

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('%s', (_how, cut) => {
  beforeEach(async () => {
    await build();
    if (!cut) return;
    world.partition(HOUSE);
    await cutOff(elm);
  });

  it.each(['caller', 'called'])('the %s holds and takes back, twice', async (who) => {
    const [call, coming] = await pair();
    const [holder, held] = who === 'caller' ? [call, coming] : [coming, call];
    const [own, other] = who === 'caller' ? [DESK, HALL] : [HALL, DESK];
    for (let round = 0; round < 2; round++) {
      await hold(holder, held, true);
      expect(await hears(held, own)).toBe('music');
      expect(await hears(holder, other)).toBe('silence');
      await hold(holder, held, false);
      expect(await hears(held, own)).toBe('voice');
      expect(await hears(holder, other)).toBe('voice');
    }
  });

  it('both hold: silence, and music again for who takes the other back first', async () => {
    const [call, coming] = await pair();
    await hold(call, coming, true);
    await hold(coming, call, true);
    expect(await hears(coming, DESK)).toBe('silence');
    coming.hold(false);
    expect(await hears(coming, DESK)).toBe('music');
    await hold(call, coming, false);
    expect(await hears(coming, DESK)).toBe('voice');
  });

  it('goes on while the gateway starts again, and ends with the hold', async () => {
    const [call, coming] = await pair();
    await hold(call, coming, true);
    await elm.restart();
    expect(await hears(coming, DESK)).toBe('music');
    await hold(call, coming, false);
    expect(await hears(coming, DESK)).toBe('voice');
    expect(await hears(call, HALL)).toBe('voice');
  });

  it('a call that ends on hold, at whatever moment, leaves nothing in the engine', async () => {
    for (let ms = 0; ms < 90; ms += 15) {
      const [call, coming] = await pair();
      call.hold(true);
      await world.run(ms);
      hall.hangup(coming);
      await until(() => call.state === 'ended', 'the end');
    }
  });

  it('who is parked on hold hears the tone of that and no music, and talks to who fetches the call', async () => {
    const [call, coming] = await pair();
    await hold(call, coming, true);
    expect(await world.settle(desk.refer(call, '*5'))).toBe(202);
    await until(() => call.state === 'ended', 'who parked to be out');
    await world.run(1_500);
    expect(levelOf(coming.heard().subarray(-4000), 440)).toBeGreaterThan(-40);
    // The tone has pauses, in which nothing is heard.
    await world.run(2_000);
    expect(
      coming
        .heard()
        .subarray(-4000)
        .every((sample) => Math.abs(sample) < 50),
    ).toBe(true);
    expect((await dial(attic, '*5')).state).toBe('up');
    expect(await hears(coming, ATTIC)).toBe('voice');
    expect(await hears(last(attic), HALL)).toBe('voice');
  });

  it('who is transferred on hold talks to the next', async () => {
    const [call, coming] = await pair();
    await hold(call, coming, true);
    expect(await world.settle(desk.refer(call, number(elm, 2)))).toBe(202);
    await until(() => last(attic)?.state === 'up', 'the next phone to answer');
    await until(() => call.state === 'ended', 'who transferred to be out');
    expect(await hears(coming, ATTIC)).toBe('voice');
    expect(await hears(last(attic), HALL)).toBe('voice');
  });

  it('a line without it, by its code, gives none, and gives it again the next time', async () => {
    expect(await code(desk, '#46#')).toBe(true);
    const [call, coming] = await pair();
    await hold(call, coming, true);
    // Whatever the holder sends itself.
    expect(await hears(coming, DESK)).toBe('voice');
    // What the other line wants is its own.
    await hold(call, coming, false);
    await hold(coming, call, true);
    expect(await hears(call, HALL)).toBe('music');
    await hold(coming, call, false);
    desk.hangup(call);
    expect(await code(desk, '*46#')).toBe(true);
    const [second, again] = await pair();
    await hold(second, again, true);
    expect(await hears(again, DESK)).toBe('music');
  });
});

it('a line gives none whose owner set so at the cloud', async () => {
  await build();
  await setFeatures(elm, { noHoldMusic: true });
  await world.run(2_000);
  const [call, coming] = await pair();
  await hold(call, coming, true);
  expect(await hears(coming, DESK)).toBe('voice');
});

it('who is held in another house hears the music of the cloud alone', async () => {
  await build();
  const oak = await stage.home('oak');
  const away = await phoneWith(oak, OAK);
  const call = await dial(desk, number(oak));
  await hold(call, last(away), true);
  expect(await hears(last(away), DESK)).toBe('music');
  for (const { engine } of stage.homes)
    expect((await world.settle(engine.list())).filter(({ kind }) => kind === 'player')).toEqual([]);
});
