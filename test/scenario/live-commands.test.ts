import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromBase64 } from '#shared/kernel/base64.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { readWav } from '#shared/rtp/wav.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, level, likeness, number, wordsOf } from './words.ts';

const C = 881;

describe('live commands on a call', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 23 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, session: get, records } = wordsOf(() => stage);
  const commands = async (session: string) => (await stage.api('call.commands', { session })).items;
  const done = (session: string, command: string) =>
    until(
      async () => (await commands(session)).some((one) => one.id === command && one.state === 'done'),
      'the command',
    );

  /** Nothing has come since, or nothing but silence. */
  const silent = (call: PhoneCall, before: number) =>
    call.heard().length - before < 1600 || levelOf(call.heard().subarray(before + 1600), TONES.b) < -60;

  /** A phone dials another home; both hear each other. */
  async function dialled() {
    const call = await world.settle(a.dial(number(oak)));
    await until(() => call.state === 'up', 'the call to be answered');
    await world.run(1500);
    const [session] = (await stage.api('session.list', { live: true })).items;
    const [caller, callee] = session?.legs ?? [];
    return { call, id: session?.id ?? '', caller: caller?.id ?? '', callee: callee?.id ?? '' };
  }

  it('holds, mutes and takes back the legs of a call that a phone dialled', async () => {
    const { call, id, callee } = await dialled();
    await stage.api('call.hold', { session: id, leg: callee });
    const before = call.heard().length;
    await world.run(2000);
    expect(likeness(last(b).heard(), 'music-box')).toBeGreaterThan(0.9);
    expect(silent(call, before)).toBe(true);
    expect((await get(id)).legs.find((leg) => leg.id === callee)).toMatchObject({ held: true, state: 'up' });
    await stage.api('call.unhold', { session: id, leg: callee });
    await world.run(2000);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    await stage.api('call.mute', { session: id, leg: callee });
    const since = call.heard().length;
    await world.run(2000);
    expect(level(last(b), TONES.a)).toBeGreaterThan(-30);
    expect(silent(call, since)).toBe(true);
    await stage.api('call.unmute', { session: id, leg: callee });
    await world.run(1500);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
    await until(() => last(b).state === 'ended', 'the other side to end');
    await until(async () => (await records(id)).length === 2, 'two records');
    expect((await get(id)).reason).toBe('hangup');
    await world.run(40_000);
    expect((await records(id)).length).toBe(2);
  });

  it('plays now and in a queue, beside the talk', async () => {
    const { call, id, caller } = await dialled();
    const first = await stage.api('call.play', { session: id, leg: caller, item: 'welcome' });
    const next = await stage.api('call.play', { session: id, leg: caller, tone: 'busy', mode: 'queue' });
    expect([first.state, next.state]).toEqual(['running', 'queued']);
    await world.run(2000);
    // The item is mixed with the other side, who does not hear it.
    expect(level(call, TONES.b)).toBeGreaterThan(-30);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    await done(id, first.id);
    expect((await commands(id)).map((one) => [one.state, one.result])).toEqual([
      ['done', 'completed'],
      ['running', undefined],
    ]);
    await world.run(1000);
    const third = await stage.api('call.play', { session: id, leg: caller, item: 'rain' });
    expect((await commands(id)).map((one) => one.result)).toEqual(['completed', 'interrupted', undefined]);
    expect(await stage.api('call.stop', { session: id, command: third.id })).toMatchObject({ result: 'stopped' });
    await world.run(1000);
    expectHears(call.heard(), TONES.b, TONES.a);
    await expect(stage.api('call.play', { session: id, item: 'nothing' })).rejects.toThrow(/media_item_unknown/);
    a.hangup(call);
  });

  it('gathers digits: by telephone events and by INFO, by key, by count, by pause, with a prompt cut short', async () => {
    const { call, id, callee } = await dialled();
    const first = await stage.api('call.gather', { session: id, leg: callee, max: 8, finish: '#', prompt: 'welcome' });
    await world.run(1000);
    expect(likeness(last(b).heard(), 'welcome')).toBeGreaterThan(0.3);
    for (const digit of '42#') {
      last(b).press(digit);
      await world.run(300);
    }
    await done(id, first.id);
    expect((await commands(id))[0]).toMatchObject({ result: 'finished', digits: '42' });
    await world.run(1000);
    expectHears(last(b).heard(), TONES.a, TONES.b);

    const second = await stage.api('call.gather', { session: id, leg: callee, max: 2 });
    await world.settle(b.info(last(b), 'application/dtmf-relay', 'Signal=7\r\nDuration=160\r\n'));
    await world.settle(b.info(last(b), 'application/dtmf', '*'));
    await done(id, second.id);
    expect((await commands(id))[1]).toMatchObject({ result: 'completed', digits: '7*' });

    const third = await stage.api('call.gather', { session: id, leg: callee, max: 4, min: 2, first: 3, between: 1 });
    await done(id, third.id);
    expect((await commands(id))[2]).toMatchObject({ result: 'timeout', digits: '' });
    a.hangup(call);
    await until(async () => (await records(id)).length === 2, 'two records');
  });

  it('sends digits to a phone, and the talk goes on', async () => {
    const { call, id, callee } = await dialled();
    const before = last(b).rtp.types.size;
    await stage.api('call.dtmf', { session: id, leg: callee, digits: '19#' });
    await world.run(2000);
    expect(before).toBe(1);
    expect([...last(b).rtp.types]).toContain(101);
    expect(last(b).digits).toBe('19#');
    expectHears(last(b).heard(), TONES.a, TONES.b);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
  });

  it('records both sides, mixed, as a file that can be read and played', async () => {
    const { call, id } = await dialled();
    const { id: command, recording = '' } = await stage.api('call.record', { session: id });
    await world.run(3000);
    await stage.api('call.stop', { session: id, command });
    await until(async () => (await stage.api('recording.get', { recording })).state === 'ready', 'the recording');
    const shown = await stage.api('recording.get', { recording });
    expect(shown.seconds).toBeGreaterThan(2.8);
    const parts: Uint8Array[] = [];
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      const part: { data: string; next?: number } = await stage.api('recording.audio', { recording, offset });
      parts.push(fromBase64(part.data) ?? new Uint8Array());
      offset = part.next;
    }
    const read = readWav(Uint8Array.from(parts.flatMap((part) => [...part])));
    const samples = read.ok ? read.value.subarray(8000, 16_000) : new Int16Array();
    expect(levelOf(samples, TONES.a)).toBeGreaterThan(-30);
    expect(levelOf(samples, TONES.b)).toBeGreaterThan(-30);
    await stage.api('call.play', { session: id, leg: (await get(id)).legs[0]?.id ?? '', item: recording });
    await world.run(1500);
    expect(level(call, TONES.a)).toBeGreaterThan(-35);
    // One that runs when the call ends is ready as well.
    const { recording: second = '' } = await stage.api('call.record', { session: id });
    await world.run(2000);
    a.hangup(call);
    await until(async () => (await stage.api('recording.get', { recording: second })).state === 'ready', 'the second');
    expect((await stage.api('recording.list', { session: id })).items.length).toBe(2);
    await stage.api('recording.delete', { recording });
    expect((await stage.api('recording.list', { session: id })).items.map((one) => one.id)).toEqual([second]);
  });

  it('transfers a party blindly: the rest hears ringing, then the new one; a record per leg', async () => {
    const c = await oak.phone({ manner: 'answer', answerAfter: 2500, voice: tone(C, 1) });
    const { call, id, callee } = await dialled();
    const { leg } = await stage.api('call.transfer', { session: id, leg: callee, to: number(oak, 1) });
    await world.run(1500);
    expect(level(call, TONES.b)).toBeLessThan(-50);
    expect(call.state).toBe('up');
    await until(() => last(c)?.state === 'up', 'the new party to answer');
    await world.run(2000);
    expect(last(b).state).toBe('ended');
    expectHears(call.heard(), C, TONES.a);
    expectHears(last(c).heard(), TONES.a, C);
    const session = await get(id);
    expect(session.legs.map((one) => [one.state, one.reason])).toEqual([
      ['up', undefined],
      ['ended', 'transferred'],
      ['up', undefined],
    ]);
    a.hangup(call);
    await until(() => last(c).state === 'ended', 'the new party to be hung up');
    await until(async () => (await records(id)).length === 3, 'three records');
    expect(new Set((await records(id)).map((record) => record.leg)).has(leg)).toBe(true);
    await world.run(40_000);
    expect((await records(id)).length).toBe(3);
  });

  it('gives the old party back when the new one declines', async () => {
    const c = await oak.phone({ manner: 'decline' });
    const { call, id, callee } = await dialled();
    await stage.api('call.transfer', { session: id, leg: callee, to: number(oak, 1) });
    await until(async () => (await get(id)).legs[2]?.state === 'ended', 'the refusal');
    await world.run(2000);
    expect((await get(id)).legs[2]?.reason).toBe('callee_declined');
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    expect(c.calls.length).toBe(0);
    a.hangup(call);
    await until(async () => (await records(id)).length === 3, 'three records');
  });

  it('joins the far parties of two calls', async () => {
    const c = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(C, 1) });
    const { call, id, callee } = await dialled();
    const consult = await stage.api('call.create', { from: number(oak), to: number(elm, 1) });
    await until(() => last(c)?.state === 'up', 'the consultation');
    await world.run(1000);
    const [own] = (await get(consult.id)).legs;
    await stage.api('call.transfer', { session: id, leg: callee, with: { session: consult.id, leg: own?.id ?? '' } });
    await until(async () => (await get(consult.id)).state === 'ended', 'the consultation to end');
    await world.run(2500);
    expectHears(call.heard(), C, TONES.a);
    expectHears(last(c).heard(), TONES.a, C);
    expect(b.calls.map((one) => one.state)).toEqual(['ended', 'ended']);
    a.hangup(call);
    await until(() => last(c).state === 'ended', 'the end');
    await until(async () => (await records(id)).length === 3, 'three records');
    await until(async () => (await records(consult.id)).length === 2, 'two records');
  });

  it('obeys a phone that transfers by REFER, and tells it what came of it', async () => {
    const c = await oak.phone({ manner: 'answer', answerAfter: 1500, voice: tone(C, 1) });
    const { call, id } = await dialled();
    expect(await world.settle(b.refer(last(b), number(oak, 1)))).toBe(202);
    await until(() => last(c)?.state === 'up', 'the new party to answer');
    await world.run(2000);
    const [own] = b.calls as [PhoneCall];
    expect(own.state).toBe('ended');
    expect(own.notified.map((body) => body.split('\r\n')[0])).toEqual(['SIP/2.0 100 Trying', 'SIP/2.0 200 OK']);
    expectHears(call.heard(), C, TONES.a);
    expectHears(last(c).heard(), TONES.a, C);
    a.hangup(call);
    await until(async () => (await records(id)).length === 3, 'three records');
  });

  it('tells a phone whose transfer was refused, and the call goes on', async () => {
    await oak.phone({ manner: 'busy' });
    const { call, id } = await dialled();
    expect(await world.settle(b.refer(last(b), '+15559999999'))).toBe(202);
    await world.run(1000);
    expect(await world.settle(b.refer(last(b), number(oak, 1)))).toBe(202);
    await world.run(2000);
    const said = last(b).notified.map((body) => body.split(' ')[1]);
    expect(said).toEqual(['100', '404', '100', '486']);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
    await until(async () => (await records(id)).length === 3, 'three records');
  });

  it('joins the far parties when a phone transfers with Replaces', async () => {
    const c = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(C, 1) });
    const { call, id } = await dialled();
    const [first] = b.calls as [PhoneCall];
    const consult = await world.settle(b.dial(number(elm, 1)));
    await until(() => consult.state === 'up', 'the consultation');
    await world.run(1000);
    expect(await world.settle(b.refer(first, consult))).toBe(202);
    await until(() => first.state === 'ended' && consult.state === 'ended', 'both calls of the phone to end');
    await world.run(2500);
    expectHears(call.heard(), C, TONES.a);
    expectHears(last(c).heard(), TONES.a, C);
    expect(first.notified.at(-1)).toMatch(/^SIP\/2\.0 200/);
    a.hangup(call);
    await until(() => last(c).state === 'ended', 'the end');
    await until(async () => (await records(id)).length === 3, 'three records');
  });

  it.each(['stopped', 'killed'] as const)('goes on after the cloud was %s and has started again', async (how) => {
    const { call, id, callee } = await dialled();
    await stage.api('call.hold', { session: id, leg: callee });
    const gather = await stage.api('call.gather', { session: id, leg: callee, max: 2, first: 60, between: 60 });
    last(b).press('5');
    await world.run(500);
    if (how === 'killed') await stage.killCloud();
    await (how === 'killed' ? stage.startCloud() : stage.restartCloud());
    await world.run(12_000);
    expect((await get(id)).legs.map((leg) => leg.state)).toEqual(['up', 'up']);
    expect(likeness(last(b).heard(), 'music-box')).toBeGreaterThan(0.9);
    last(b).press('6');
    await done(id, gather.id);
    expect((await commands(id))[0]).toMatchObject({ result: 'completed', digits: '56' });
    await stage.api('call.unhold', { session: id, leg: callee });
    await world.run(2000);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
    await until(() => last(b).state === 'ended', 'the other side to end');
    await until(async () => (await records(id)).length === 2, 'two records');
  });

  it('refuses what does not fit, with a reason', async () => {
    b.manner = 'ring';
    const call = await world.settle(a.dial(number(oak)));
    await until(() => call.state === 'ringing', 'ringing');
    const [session] = (await stage.api('session.list', { live: true })).items;
    const id = session?.id ?? '';
    const leg = session?.legs[1]?.id ?? '';
    await expect(stage.api('call.hold', { session: id, leg })).rejects.toThrow(/409.*answered/s);
    await expect(stage.api('call.answer', { session: id })).rejects.toThrow(/409.*does not wait/s);
    await expect(stage.api('call.play', { session: id, item: 'rain', tone: 'busy' })).rejects.toThrow(/400/);
    await expect(stage.api('call.dtmf', { session: id, leg, digits: 'x' })).rejects.toThrow(/400/);
    await expect(stage.api('call.hold', { session: id, leg: 'leg_none' })).rejects.toThrow(/404/);
    await expect(stage.api('call.transfer', { session: id, leg })).rejects.toThrow(/400/);
    expect(await stage.api('call.hangup', { session: id })).toMatchObject({ id });
    await until(() => call.state === 'ended', 'the end');
    await expect(stage.api('call.mute', { session: id, leg })).rejects.toThrow(/409.*ended/s);
  });
});
