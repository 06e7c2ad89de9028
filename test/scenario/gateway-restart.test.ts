/** A gateway's program ends and starts again while calls are up: they go on, with their sound, and end as if nothing had been. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { wordsOf } from './words.ts';

const INNER = 800;

describe('a gateway that starts again', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 47 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
  });
  afterEach(() => stage?.[Symbol.asyncDispose]());

  const { until } = wordsOf(() => stage);
  const sessions = async () => (await stage.api('session.list', {})).items;
  const cdrs = async () => (await stage.api('cdr.list', {})).items;
  const kept = () => world.settle(elm.world.disk.list(`${stage.ground.folder('elm')}/sip/calls`));
  const numberOf = (home: StageHome, index = 0) => home.lines[index]?.number ?? '';

  async function talk(from: Phone, to: string): Promise<PhoneCall> {
    const call = await world.settle(from.dial(to));
    await until(() => call.state === 'up', 'the call to be answered');
    await world.run(1_000);
    return call;
  }

  /** Both phones hear each other now. */
  async function hears(one: PhoneCall, other: PhoneCall | undefined, tones: readonly [number, number]) {
    await world.run(1_500);
    expectHears(one.heard(), tones[1], tones[0]);
    expectHears(other?.heard() ?? new Int16Array(), tones[0], tones[1]);
  }

  it('keeps a call to another home: sound, hold from either side, BYE from afar, one record per leg', async () => {
    const call = await talk(a, numberOf(oak));
    expect(await kept()).toHaveLength(1);
    await elm.restart();
    await hears(call, b.calls[0], [TONES.a, TONES.b]);
    await world.run(70_000);
    expect([call.state, b.calls[0]?.state, (await sessions())[0]?.state]).toEqual(['up', 'up', 'active']);
    for (const [own, other] of [
      [call, b.calls[0]],
      [b.calls[0], call],
    ]) {
      own?.hold(true);
      await until(() => other?.held === true, 'the other side to be told of the hold', 5_000);
      own?.hold(false);
      await until(() => other?.held === false, 'the other side to be told of its end', 5_000);
    }
    await hears(call, b.calls[0], [TONES.a, TONES.b]);
    b.calls[0]?.hangup();
    await until(() => call.state === 'ended', 'BYE to arrive', 5_000);
    await until(async () => (await cdrs()).length === 2, 'the records', 5_000);
    expect((await cdrs()).map(({ reason, seconds }) => [reason, seconds > 70 && seconds < 90])).toEqual([
      ['hangup', true],
      ['hangup', true],
    ]);
    expect(await kept()).toEqual([]);
    expect(await world.settle(elm.engine.list())).toEqual([]);
  });

  it('keeps a call inside the house, and tells the cloud of it exactly once', async () => {
    const a2 = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(INNER, 1) });
    const call = await talk(a, numberOf(elm, 1));
    world.partition(['cloud']);
    await elm.restart();
    await hears(call, a2.calls[0], [TONES.a, INNER]);
    call.hold(true);
    await until(() => a2.calls[0]?.held === true, 'the hold to be told', 5_000);
    await elm.restart();
    call.hangup();
    await until(() => a2.calls[0]?.state === 'ended', 'BYE to arrive', 5_000);
    await elm.restart();
    world.heal();
    await until(async () => (await sessions()).length === 1, 'the cloud to be told', 90_000);
    await world.run(30_000);
    expect((await sessions()).map(({ kind, reason }) => [kind, reason])).toEqual([['house-call', 'hangup']]);
    expect((await cdrs()).length).toBe(2);
    expect(await kept()).toEqual([]);
  });

  it('keeps a conference with its media channel', async () => {
    const participants = [numberOf(elm), numberOf(oak)];
    const { id } = await stage.api('conference.create', { participants, media: 'rain' });
    const legs = async () => (await stage.api('session.get', { session: id })).legs.map(({ state }) => state);
    await until(async () => (await legs()).join() === 'up,up,up,up', 'four legs');
    await elm.restart();
    await world.run(70_000);
    expect(await legs()).toEqual(['up', 'up', 'up', 'up']);
    await elm.restart();
    await world.run(2_000);
    const [one] = a.calls;
    // The other's tone is in it, though the music is louder.
    expect(levelOf((one?.heard() ?? new Int16Array()).subarray(-8000), TONES.b)).toBeGreaterThan(-40);
    await stage.api('session.end', { session: id });
    await until(() => one?.state === 'ended', 'BYE to arrive', 5_000);
    await until(async () => (await cdrs()).length === 4, 'the records', 5_000);
    expect(await kept()).toEqual([]);
    expect(await world.settle(elm.engine.list())).toEqual([]);
  });

  it('has its phones at once: they ring without registering again', async () => {
    await elm.restart();
    await until(
      async () => (await stage.api('line.list', { home: elm.id })).items[0]?.registered === true,
      'it',
      5_000,
    );
    const call = await talk(b, numberOf(elm));
    expect([call.state, a.calls.length]).toEqual(['up', 1]);
  });

  it('tells of a call inside the house that ended while nobody could take its facts', async () => {
    const a2 = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(INNER, 1) });
    const call = await talk(a, numberOf(elm, 1));
    const agent = elm.gateway.agent();
    await world.settle(agent?.stop() ?? Promise.reject(new Error('there is an agent')));
    call.hangup();
    await until(() => a2.calls[0]?.state === 'ended', 'BYE to arrive', 5_000);
    await world.run(1_000);
    expect(await kept()).toHaveLength(1);
    await world.run(60_000);
    await elm.restart();
    await until(async () => (await cdrs()).length === 2, 'the records', 90_000);
    expect((await cdrs()).every(({ reason, seconds }) => reason === 'hangup' && seconds <= 3)).toBe(true);
    await until(async () => (await kept()).length === 0, 'the facts to be let go', 5_000);
  });

  it('ends what it has no media for any more, for both sides, and does not bill the time it was away', async () => {
    const call = await talk(a, numberOf(oak));
    const a2 = await elm.phone({ manner: 'answer', voice: tone(INNER, 1) });
    const a3 = await elm.phone({ manner: 'answer', voice: tone(INNER, 1) });
    const inside = await talk(a2, numberOf(elm, 2));
    await world.settle(elm.gateway.stop());
    for (const { id } of await world.settle(elm.engine.list())) await world.settle(elm.engine.release(id));
    await world.run(40_000);
    await elm.restart();
    const over = () => [call, inside, b.calls[0], a3.calls[0]].every((one) => one?.state === 'ended');
    await until(over, 'all phones to be told', 60_000);
    await until(async () => (await cdrs()).length === 4, 'the records', 10_000);
    const told = (await sessions()).find(({ legs }) => legs.every((leg) => leg.home === elm.id));
    const records = (await cdrs()).filter(({ session }) => session === told?.id);
    expect(records.map(({ reason, seconds }) => [reason, seconds])).toEqual([
      ['lost', 0],
      ['lost', 0],
    ]);
  });

  it('frees what the engine holds of calls that it does not know', async () => {
    await world.settle(elm.engine.endpoint({ id: 'x.caller', owner: 'x/caller', group: 'x', host: elm.address }));
    await elm.restart();
    expect(await world.settle(elm.engine.list())).toEqual([]);
  });
});
