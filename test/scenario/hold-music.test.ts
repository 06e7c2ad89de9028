/** Music for who is put on hold, as the phones hear it: by media of ours and where descriptions pass untouched. */
import { afterEach, describe, expect, test } from 'vitest';
import { synthesise } from '#cloud/farm/media/library/synthesis.ts';
import { levelOf, match, sine } from '#shared/rtp/measure.ts';
import { writeWav } from '#shared/rtp/wav.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { fourPhones, operatorWords, THIRD } from './four-phones.ts';
import { Operator } from './operator.ts';
import { TONES } from './two-homes.ts';

const MELODY = synthesise('music-box') ?? new Int16Array();

let operator: Operator;
afterEach(() => operator.stop());
const { until, talk } = operatorWords(() => operator);

async function phones(seed: number, relay = true) {
  operator = await Operator.start(seed);
  return fourPhones(operator, () => (relay ? { believes: '192.168.7.7' } : {}));
}

/** What a phone hears in the next second and a half: the melody, and a tone. */
async function hears(call: PhoneCall, hertz: number): Promise<{ music: boolean; tone: boolean }> {
  await operator.world.run(600);
  const from = call.heard().length;
  await operator.world.run(1_500);
  const tail = call.heard().subarray(from);
  const some = tail.length > 8000;
  return {
    music: some && match(MELODY, tail.subarray(-800)).correlation > 0.9,
    tone: some && levelOf(tail, hertz) > -25,
  };
}

const MUSIC = { music: true, tone: false };
const VOICE = { music: false, tone: true };
const SILENCE = { music: false, tone: false };

async function pair(alice: Phone, bob: Phone, to: Parameters<typeof talk>[1]): Promise<[PhoneCall, PhoneCall]> {
  const call = await talk(alice, to);
  const [coming] = bob.calls;
  if (coming === undefined) throw new Error('no call came');
  return [call, coming];
}

describe.each([
  ['through media of ours', true],
  ['straight', false],
] as const)('a call %s', (_how, relay) => {
  test.each(['caller', 'callee'] as const)('that the %s holds and takes back, twice', async (who) => {
    const { alice, bob, line } = await phones(relay ? 81 : 82, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    expect((await operator.ask('media.endpoint.list', {})).items.length).toBe(relay ? 2 : 0);
    const [holder, held, tone] = who === 'caller' ? [call, coming, TONES.a] : [coming, call, TONES.b];
    for (let round = 0; round < 2; round++) {
      holder.hold(true);
      await until(() => held.held, 'the hold');
      expect(await hears(held, tone)).toEqual(MUSIC);
      expect(await hears(holder, who === 'caller' ? TONES.b : TONES.a)).toEqual(SILENCE);
      holder.hold(false);
      await until(() => !held.held, 'the end of the hold');
      expect(await hears(held, tone)).toEqual(VOICE);
      expect(await hears(holder, who === 'caller' ? TONES.b : TONES.a)).toEqual(VOICE);
    }
    // Each phone sees one session all the while, whose versions grow (RFC 3264 section 8).
    for (const { origins } of [alice, bob]) {
      const parts = origins.map((origin) => origin.split(' '));
      expect(new Set(parts.map(([name, id]) => `${name} ${id}`)).size).toBe(1);
      const versions = parts.map(([, , version]) => Number(version));
      expect(versions).toEqual(versions.toSorted((one, other) => one - other));
    }
    holder.hangup();
    await until(() => held.state === 'ended', 'the end');
    await operator.world.run(1_000);
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  });

  test('that ends on hold leaves nothing at the media server', async () => {
    const { alice, bob, line } = await phones(83, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    coming.hangup();
    await until(() => call.state === 'ended', 'the end');
    await operator.world.run(1_000);
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test('that ends at any moment of the hold leaves nothing there either', async () => {
    const { alice, bob, line } = await phones(95, relay);
    for (let ms = 0; ms < 90; ms += 15) {
      const call = await talk(alice, line(1));
      const coming = bob.calls.at(-1);
      call.hold(true);
      await operator.world.run(ms);
      coming?.hangup();
      await until(() => call.state === 'ended', 'the end');
    }
    await operator.world.run(1_000);
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  });

  test('that both hold is silent, until one takes the other back', async () => {
    const { alice, bob, line } = await phones(84, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    expect(await hears(coming, TONES.a)).toEqual(MUSIC);
    coming.hold(true);
    expect(await hears(coming, TONES.a)).toEqual(SILENCE);
    coming.hold(false);
    expect(await hears(coming, TONES.a)).toEqual(MUSIC);
    call.hold(false);
    expect(await hears(coming, TONES.a)).toEqual(VOICE);
    expect(await hears(call, TONES.b)).toEqual(VOICE);
  });

  test('goes on with its music over a restart of the softswitch, and without it afterwards', async () => {
    const { alice, bob, line } = await phones(85, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    await operator.world.run(500);
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    expect(await hears(coming, TONES.a)).toEqual(MUSIC);
    call.hold(false);
    await until(() => !coming.held, 'the end of the hold');
    expect(await hears(coming, TONES.a)).toEqual(VOICE);
    expect(await hears(call, TONES.b)).toEqual(VOICE);
  });

  test('that is transferred while the other is on hold', async () => {
    const { alice, bob, carol, line } = await phones(86, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    expect(await hears(coming, TONES.a)).toEqual(MUSIC);
    void alice.refer(call, line(2).number);
    await until(() => carol.calls[0]?.state === 'up', 'the transfer');
    await until(() => !coming.held, 'the end of the hold');
    expect(await hears(coming, THIRD)).toEqual(VOICE);
    const [third] = carol.calls;
    expect(third && (await hears(third, TONES.b))).toEqual(VOICE);
  });

  test('that is joined with another, of two that both are held', async () => {
    const { alice, bob, carol, line } = await phones(93, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    const other = await talk(alice, line(2));
    const third = carol.calls[0];
    if (third === undefined) throw new Error('no call came');
    other.hold(true);
    await until(() => third.held, 'the hold');
    expect(await hears(third, TONES.a)).toEqual(MUSIC);
    void alice.refer(call, other);
    await until(() => !coming.held && !third.held, 'the two to be joined');
    expect(await hears(coming, THIRD)).toEqual(VOICE);
    expect(await hears(third, TONES.b)).toEqual(VOICE);
  });

  test('that becomes one of three', async () => {
    const { alice, bob, carol, line } = await phones(94, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    const other = await talk(alice, line(2));
    other.hold(true);
    await until(() => carol.calls[0]?.held === true, 'the hold');
    const all = await talk(alice, { ...line(0), number: '*7' });
    await until(() => !coming.held, 'the talk');
    expect(await hears(coming, THIRD)).toEqual(VOICE);
    expect(await hears(all, TONES.b)).toEqual(VOICE);
  });

  test('of a line without music has a plain hold: what the phone itself says is heard', async () => {
    const { alice, bob, line } = await phones(87, relay);
    await operator.ask('line.features.set', { home: 'home_1', line: line(0).id, features: { noHoldMusic: true } });
    await operator.world.run(200);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    expect(await hears(coming, TONES.a)).toEqual(VOICE);
    await operator.ask('line.features.set', { home: 'home_1', line: line(0).id, features: {} });
    await operator.world.run(200);
    call.hold(false);
    await until(() => !coming.held, 'the end of the hold');
    call.hold(true);
    expect(await hears(coming, TONES.a)).toEqual(MUSIC);
  });

  test('that finds no room at the media server has a plain hold', async () => {
    const { alice, bob, line } = await phones(88, relay);
    const [call, coming] = await pair(alice, bob, line(1));
    const [session] = (await operator.ask('session.list', {})).items;
    for (let n = 0; ; n++) {
      // By relay the call has its endpoints, and only a player has no room any more; else there is no port for one.
      const room = { session: session?.id ?? '', room: `room_${n}`, exists: true };
      const taken = relay
        ? operator.ask('media.room', room)
        : operator.ask('media.endpoint.offer', { session: 'ses_other', leg: `leg_${n}` });
      if (
        await taken.then(
          () => false,
          () => true,
        )
      )
        break;
    }
    call.hold(true);
    await until(() => coming.held, 'the hold');
    expect(await hears(coming, TONES.a)).toEqual(VOICE);
    call.hold(false);
    await until(() => !coming.held, 'the end of the hold');
    expect(await hears(call, TONES.b)).toEqual(VOICE);
    expect(await hears(coming, TONES.a)).toEqual(VOICE);
  });
});

test('an operator may want none, or another file; one that cannot be played is said so at the start', async () => {
  operator = await Operator.start(89, ['billing', 'qos', 'session-manager']);
  const { disk } = operator.cloud;
  await operator.world.settle(disk.write('/data/own.wav', writeWav(sine(440, -12, 8000), 'PCMU')));
  const hold = async (holdMusic: string, hertz: number) => {
    Object.assign(operator.config, { holdMusic });
    for (const part of ['media', 'softswitch'] as const) await operator.startPart(part);
    const at = () => ({ believes: '192.168.7.7' });
    const { alice, bob, line } = await fourPhones(operator, at);
    const [call, coming] = await pair(alice, bob, line(1));
    call.hold(true);
    await until(() => coming.held, 'the hold');
    return hears(coming, hertz);
  };
  Object.assign(operator.config, { holdMusic: '/data/none.wav' });
  await expect(operator.startPart('media')).rejects.toThrow('--hold-music: /data/none.wav');
  expect(await hold('/data/own.wav', 440)).toEqual(VOICE);
});

test('who is held by somebody that wants no music of ours hears what is sent', async () => {
  operator = await Operator.start(90);
  Object.assign(operator.config, { holdMusic: 'none' });
  const { alice, bob, line } = await fourPhones(operator, () => ({ believes: '192.168.7.7' }));
  const [call, coming] = await pair(alice, bob, line(1));
  call.hold(true);
  await until(() => coming.held, 'the hold');
  expect(await hears(coming, TONES.a)).toEqual(VOICE);
});

test('of several softswitches each knows which lines want none', async () => {
  operator = await Operator.start(92, undefined, undefined, 2);
  const { alice, bob, line } = await fourPhones(operator, () => ({ believes: '192.168.7.7' }));
  const set = (features: { noHoldMusic?: boolean }) =>
    operator.ask('line.features.set', { home: 'home_1', line: line(0).id, features });
  for (const noHoldMusic of [true, false]) {
    await set({ noHoldMusic });
    await operator.world.run(300);
    const call = await talk(alice, line(1));
    const coming = bob.calls.at(-1);
    if (coming === undefined) throw new Error('no call came');
    call.hold(true);
    await until(() => coming.held, 'the hold');
    expect(await hears(coming, TONES.a)).toEqual(noHoldMusic ? VOICE : MUSIC);
    call.hangup();
    await until(() => coming.state === 'ended', 'the end');
  }
});
