import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, level, likeness, number, wordsOf } from './words.ts';

const C = 881;

describe('live commands on other sessions', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 29 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, session: get, legsUp: up, records } = wordsOf(() => stage);

  it('a number that an application answers: the call waits, is answered, asked, and put through', async () => {
    const route = await stage.api('call-route.create', { home: elm.id, match: '*55', application: 'app_door' });
    await expect(stage.api('call-route.create', { home: elm.id, match: '*55', application: 'app_x' })).rejects.toThrow(
      /409/,
    );
    await expect(stage.api('call-route.create', { home: elm.id, match: '112', application: 'app_x' })).rejects.toThrow(
      /409/,
    );
    const call = await world.settle(a.dial('*55'));
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 1, 'the session');
    const [session] = (await stage.api('session.list', { live: true })).items;
    const id = session?.id ?? '';
    expect([call.state, session?.legs.map((leg) => leg.state)]).toEqual(['ringing', ['planned']]);
    await stage.api('call.answer', { session: id });
    await until(() => call.state === 'up', 'the answer');
    const leg = session?.legs[0]?.id ?? '';
    await stage.api('call.gather', { session: id, leg, max: 1, prompt: 'welcome' });
    await world.run(1500);
    expect(likeness(call.heard(), 'welcome')).toBeGreaterThan(0.9);
    call.press('9');
    await until(
      async () => (await stage.api('call.commands', { session: id })).items[0]?.state === 'done',
      'the digit',
    );
    expect((await stage.api('call.commands', { session: id })).items[0]).toMatchObject({ digits: '9' });
    await stage.api('leg.add', { session: id, kind: 'voice', party: number(oak) });
    await up(id, 2);
    await world.run(2500);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    a.hangup(call);
    b.hangup(last(b));
    await until(async () => (await records(id)).length === 2, 'two records');
    expect((await stage.api('call-route.list', { home: elm.id })).items.map((one) => one.id)).toEqual([route.id]);
    await stage.api('call-route.delete', { home: elm.id, route: route.id });
    const again = await world.settle(a.dial('*55'));
    await until(() => again.state === 'ended', 'nobody to answer');
    expect(again.status).toBe(404);
  });

  it('an application that does nothing: the caller is let go, and rejected calls say so', async () => {
    await stage.api('call-route.create', { home: elm.id, match: number(oak), application: 'app_door' });
    const call = await world.settle(a.dial(number(oak)));
    await until(() => call.state === 'ended', 'giving up', 40_000);
    expect([call.status, b.calls.length]).toEqual([480, 0]);
    const other = await world.settle(a.dial(number(oak)));
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 1, 'the session');
    const [session] = (await stage.api('session.list', { live: true })).items;
    await stage.api('call.hangup', { session: session?.id ?? '' });
    await until(() => other.state === 'ended', 'the refusal');
    await world.run(1000);
    expect((await records(session?.id ?? '')).length).toBe(1);
  });

  it('a third party is asked into a call that a phone dialled', async () => {
    const c = await oak.phone({ manner: 'answer', answerAfter: 200, voice: tone(C, 1) });
    const call = await world.settle(a.dial(number(oak)));
    await until(() => call.state === 'up', 'the answer');
    await world.run(1000);
    const [session] = (await stage.api('session.list', { live: true })).items;
    const id = session?.id ?? '';
    await stage.api('leg.add', { session: id, kind: 'voice', party: number(oak, 1) });
    await up(id, 3);
    await world.run(2500);
    for (const [phone, heard, own] of [
      [call, [TONES.b, C], TONES.a],
      [last(b), [TONES.a, C], TONES.b],
      [last(c), [TONES.a, TONES.b], C],
    ] as const) {
      for (const hertz of heard) expect(level(phone, hertz)).toBeGreaterThan(-30);
      expect(level(phone, own)).toBeLessThan(-45);
    }
    // In the room: on hold with music, back, muted, and out.
    const leg = session?.legs[1]?.id ?? '';
    await stage.api('call.hold', { session: id, leg });
    await world.run(2000);
    expect(likeness(last(b).heard(), 'music-box')).toBeGreaterThan(0.9);
    expect(level(call, TONES.b)).toBeLessThan(-45);
    expect(level(call, C)).toBeGreaterThan(-30);
    await stage.api('call.unhold', { session: id, leg });
    await stage.api('call.mute', { session: id, leg });
    await world.run(2000);
    expect(level(last(b), C)).toBeGreaterThan(-30);
    expect(level(call, TONES.b)).toBeLessThan(-45);
    await stage.api('call.unmute', { session: id, leg });
    await stage.api('call.play', { session: id, tone: 'busy' });
    await world.run(1500);
    expect(level(call, TONES.b)).toBeGreaterThan(-30);
    await stage.api('call.hangup', { session: id, leg });
    await until(() => last(b).state === 'ended', 'the one to be out');
    expect((await get(id)).state).toBe('active');
    await stage.api('call.hangup', { session: id });
    await until(async () => (await records(id)).length === 3, 'three records');
  });

  it('brings a call whose description passed untouched through the media server first', async () => {
    const [one, two] = [await stage.line(elm), await stage.line(oak)];
    const d = await stage.directPhone(one, { manner: 'answer', voice: tone(TONES.a, 1) });
    const e = await stage.directPhone(two, { manner: 'answer', answerAfter: 200, voice: tone(TONES.b, 1) });
    const call = await world.settle(d.dial(two.number));
    await until(() => call.state === 'up', 'the answer');
    await world.run(1500);
    expect(call.rtp.lastFrom).toEqual(last(e).rtp.local);
    const origin = d.origins.at(-1);
    const [session] = (await stage.api('session.list', { live: true })).items;
    const [, callee] = session?.legs ?? [];
    const id = session?.id ?? '';
    await stage.api('call.hold', { session: id, leg: callee?.id ?? '' });
    await world.run(2000);
    expect(likeness(last(e).heard(), 'music-box')).toBeGreaterThan(0.9);
    await stage.api('call.unhold', { session: id, leg: callee?.id ?? '' });
    await world.run(2000);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(e).heard(), TONES.a, TONES.b);
    expect(call.rtp.lastFrom).not.toEqual(last(e).rtp.local);
    // To the phone it is the same description, one version on (RFC 3264 section 8).
    const [user, id1, version] = origin?.split(' ') ?? [];
    expect(d.origins.at(-1)?.split(' ').slice(0, 3)).toEqual([user, id1, String(Number(version) + 1)]);
    d.hangup(call);
    await until(() => last(e).state === 'ended', 'the end');
    await until(async () => (await records(id)).length === 2, 'two records');
  });

  it('lets who was on hold be heard again by the one that held it, when the call has come into our hands meanwhile', async () => {
    for (const holder of [a, b]) {
      const call = await world.settle(a.dial(number(oak)));
      await until(() => call.state === 'up', 'the answer');
      await world.run(500);
      const [own, other] = holder === a ? [call, last(b)] : [last(b), call];
      own.hold(true);
      await world.run(1000);
      const [session] = (await stage.api('session.list', { live: true })).items;
      const leg = session?.legs[holder === a ? 1 : 0]?.id ?? '';
      await stage.api('call.play', { session: session?.id ?? '', leg, tone: 'busy' });
      await world.run(1000);
      const before = own.heard().length;
      own.hold(false);
      await world.run(2000);
      expectHears(own.heard().subarray(before), holder === a ? TONES.b : TONES.a, holder === a ? TONES.a : TONES.b);
      a.hangup(call);
      await until(() => other.state === 'ended', 'the end');
    }
  });

  it('refuses the command when a phone does not let its sound be moved, and the call goes on', async () => {
    const [one, two] = [await stage.line(elm), await stage.line(oak)];
    const d = await stage.directPhone(one, { manner: 'answer', voice: tone(TONES.a, 1) });
    const e = await stage.directPhone(two, { manner: 'answer', voice: tone(TONES.b, 1), fixed: true });
    const call = await world.settle(d.dial(two.number));
    await until(() => call.state === 'up', 'the answer');
    await world.run(1000);
    const [session] = (await stage.api('session.list', { live: true })).items;
    const leg = session?.legs[1]?.id ?? '';
    await expect(stage.api('call.hold', { session: session?.id ?? '', leg })).rejects.toThrow(/409.*refused to send/s);
    await world.run(2000);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(e).heard(), TONES.a, TONES.b);
    d.hangup(call);
    await until(() => last(e).state === 'ended', 'the end');
  });
});
