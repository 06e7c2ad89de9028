import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, likeness, number, wordsOf } from './words.ts';

type Session = VerbReply<'session.get'>;

describe('the flows of the main job', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 11 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, session: get, legsUp, records } = wordsOf(() => stage);

  /** What made a session: who plays what for whom on which server, and what the softswitch was told. */
  const shape = ({ kind, legs, instructions }: Session) => ({
    kind,
    legs: legs.map(({ kind, role, server, orientation, item, party }) => ({
      kind,
      role,
      server,
      orientation,
      item,
      party,
    })),
    instructions: instructions.map(({ verb, server }) => ({ verb, server })),
  });

  it('media on demand: by the API, by a dialled code and by the agent, all by the same plan', async () => {
    const byApi = await stage.api('media.play', { to: number(elm), item: 'morning-birds' });
    await legsUp(byApi.id, 1);
    await world.run(3000);
    expect(likeness(last(a).heard(), 'morning-birds')).toBeGreaterThan(0.95);
    const plan = shape(await get(byApi.id));
    await until(async () => (await get(byApi.id)).state === 'ended', 'the item to end', 60_000);
    expect(await get(byApi.id)).toMatchObject({ reason: 'item-ended' });

    const dialled = await world.settle(a.dial('700'));
    await until(() => dialled.state === 'up', 'media to answer');
    await world.run(2000);
    expect(likeness(dialled.heard(), 'morning-birds')).toBeGreaterThan(0.95);
    const { items } = await stage.api('session.list', { live: true });
    expect(items.map(shape)).toEqual([plan]);
    a.hangup(dialled);
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 0, 'the session to end');

    const asked = await world.settle(
      elm.gateway.agent()?.request('media.play', { to: number(elm), item: 'morning-birds' }) ??
        Promise.reject(new Error('no agent')),
    );
    expect(asked).toMatchObject({ ok: true });
    const byAgent = (asked as { value: { id: string } }).value.id;
    await legsUp(byAgent, 1);
    expect(shape(await get(byAgent))).toEqual(plan);
    await stage.api('session.end', { session: byAgent });
    await until(async () => (await records(byAgent)).length === 1, 'its record');
  });

  it('refuses media for another home’s phone to an agent', async () => {
    const asked = await world.settle(
      elm.gateway.agent()?.request('media.play', { to: number(oak), item: 'rain' }) ??
        Promise.reject(new Error('no agent')),
    );
    expect(asked).toMatchObject({ ok: false, fault: { code: 'not_found' } });
  });

  it('a conference with both homes: each hears the other and not itself; one leaves, the session stays, then ends alone', async () => {
    const { id } = await stage.api('conference.create', { participants: [number(elm), number(oak)] });
    await legsUp(id, 2);
    await world.run(3000);
    expectHears(last(a).heard(), TONES.b, TONES.a);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    const roster = await stage.api('conference.roster', { session: id });
    expect(roster.items.length).toBe(2);
    const [first] = (await get(id)).legs;
    await stage.api('conference.mute', { session: id, leg: first?.id ?? '', muted: true });
    await until(async () => (await get(id)).legs[0]?.muted === true, 'the leg to be shown as muted', 1_000);
    const before = last(b).heard().length;
    await world.run(2000);
    expect(
      levelOf(
        last(b)
          .heard()
          .subarray(before + 4000),
        TONES.a,
      ),
    ).toBeLessThan(-60);
    a.hangup(last(a));
    await until(async () => (await get(id)).legs.filter((leg) => leg.state === 'ended').length === 1, 'one leg to end');
    expect((await get(id)).state).toBe('active');
    b.hangup(last(b));
    await until(async () => (await get(id)).state === 'ended', 'the empty session to end', 90_000);
    await until(async () => (await records(id)).length === 2, 'two records');
  });

  it('a conference with media: two channels to each home by one instruction, mixed by the gateway; non-voice legs in the same session', async () => {
    const { id } = await stage.api('conference.create', { participants: [number(elm), number(oak)], media: 'rain' });
    await legsUp(id, 4);
    await world.run(3000);
    for (const [phone, other, own] of [
      [a, TONES.b, TONES.a],
      [b, TONES.a, TONES.b],
    ] as const) {
      const heard = last(phone).heard().subarray(-16_000);
      const [theirs, ours] = [levelOf(heard, other), levelOf(heard, own)];
      expect(theirs).toBeGreaterThan(-30);
      expect(ours).toBeLessThan(theirs - 15);
      expect(likeness(withoutTone(heard, other), 'rain')).toBeGreaterThan(0.6);
    }
    // A phone sees one call: its gateway mixes both channels.
    expect([a.calls.length, b.calls.length]).toEqual([1, 1]);

    // Non-voice services reach both homes in the same session, and the sound goes on.
    for (const home of [elm, oak]) {
      const added = await stage.api('leg.add', { session: id, kind: 'device', home: home.id, action: 'list' });
      expect(added).toMatchObject({
        leg: { kind: 'device', orientation: 'non-voice', server: 'home-networking' },
        result: { items: [] },
      });
    }

    // Stopping the media channel of one home leaves its conference channel, and the other home's music, alone.
    const media = (await get(id)).legs.find((leg) => leg.kind === 'media' && leg.home === elm.id);
    await stage.api('leg.remove', { session: id, leg: media?.id ?? '' });
    await world.run(3000);
    expectHears(last(a).heard(), TONES.b, TONES.a);
    expect(likeness(withoutTone(last(b).heard().subarray(-16_000), TONES.a), 'rain')).toBeGreaterThan(0.6);
    await stage.api('session.end', { session: id });
    await until(async () => (await get(id)).state === 'ended', 'the session to end');
    // Four channels, and a line for each non-voice leg.
    await until(async () => (await records(id)).length === 6, 'six records');
    await world.run(10_000);
    const channels = (await get(id)).legs.filter((leg) => leg.kind !== 'device').map((leg) => leg.id);
    expect(channels.length).toBe(4);
    expect((await records(id)).filter((record) => channels.includes(record.leg)).length).toBe(4);
    expect((await records(id)).length).toBe(6);
    expect([last(a).state, last(b).state]).toEqual(['ended', 'ended']);
  });

  it('the API calls two parties; the callee declines, and both legs end with a reason', async () => {
    b.manner = 'decline';
    const { id } = await stage.api('call.create', { from: number(elm), to: number(oak) });
    await until(async () => (await get(id)).state === 'ended', 'the session to end');
    const { reason, legs } = await get(id);
    expect(reason).toBe('callee_declined');
    expect(legs.every((leg) => leg.state === 'ended' && leg.reason !== undefined)).toBe(true);
    await until(async () => (await records(id)).length === 2, 'two records');
  });

  it('with a server stopped: what needs it is refused with its name, the rest goes on', async () => {
    await stage.api('farm.stop', { server: 'conference' });
    await expect(stage.api('conference.create', { participants: [number(elm), number(oak)] })).rejects.toThrow(
      /503.*"server":"conference"/s,
    );
    const call = await world.settle(a.dial(number(oak)));
    await until(() => call.state === 'up', 'the call to be answered');
    await stage.api('farm.start', { server: 'conference' });
    const { id } = await stage.api('conference.create', { participants: [number(elm)] });
    await until(async () => (await get(id)).state !== 'created', 'the conference to begin');
    expect((await stage.api('farm.list', {})).items.every((server) => server.state === 'running')).toBe(true);
  });

  it('phones of a house call each other with the WAN cut; the facts arrive once, afterwards', async () => {
    const c = await elm.phone({ manner: 'answer', answerAfter: 200 });
    world.partition(['cloud']);
    await world.run(5000);
    const inside = await world.settle(c.dial(number(elm)));
    await until(() => inside.state === 'up', 'the house call to be answered');
    await world.run(2500);
    expect(levelOf(inside.heard().subarray(-8000), TONES.a)).toBeGreaterThan(-30);
    const outside = await world.settle(c.dial(number(oak)));
    await until(() => outside.state === 'ended', 'the outside call to be refused', 60_000);
    expect([408, 480, 500, 503]).toContain(outside.status);
    c.hangup(inside);
    await world.run(60_000);
    world.heal();
    const house = async () =>
      (await stage.api('session.list', {})).items.filter((session) => session.kind === 'house-call');
    await until(async () => (await house()).length > 0, 'the facts to arrive', 120_000);
    await world.run(60_000);
    const sessions = await house();
    expect(sessions.length).toBe(1);
    expect(await records(sessions[0]?.id ?? '')).toHaveLength(2);
    const again = await world.settle(c.dial(number(oak)));
    await until(() => again.state === 'up', 'outside calls to work again', 60_000);
  });
});

/** Takes a tone out of a signal (least squares of its sine and cosine), so that what is beside it can be compared. */
function withoutTone(samples: Int16Array, hertz: number): Int16Array {
  const [sine, cosine] = [new Float64Array(samples.length), new Float64Array(samples.length)];
  for (let i = 0; i < samples.length; i++) {
    sine[i] = Math.sin((2 * Math.PI * hertz * i) / 8000);
    cosine[i] = Math.cos((2 * Math.PI * hertz * i) / 8000);
  }
  const share = (wave: Float64Array) =>
    samples.reduce((sum, sample, i) => sum + sample * (wave[i] ?? 0), 0) / (samples.length / 2);
  const [x, y] = [share(sine), share(cosine)];
  return samples.map((sample, i) => Math.round(sample - x * (sine[i] ?? 0) - y * (cosine[i] ?? 0)));
}
