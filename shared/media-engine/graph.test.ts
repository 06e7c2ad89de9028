import { describe, expect, it } from 'vitest';
import type { Address, World } from '#shared/kernel/world.ts';
import { mu } from '#shared/rtp/g711.ts';
import { levelOf, match, sine } from '#shared/rtp/measure.ts';
import { writeWav } from '#shared/rtp/wav.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { AudioCodec, EngineEvent, MediaEngine, RemoteSpec } from './engine.ts';
import { localEngine } from './local.ts';
import { RtpPeer } from './rtp-peer.ts';

const OWNER = 'ses_1/leg_1';
const GROUP = 'ses_1';

interface Bench {
  readonly world: VirtualWorld;
  readonly host: World;
  readonly engine: MediaEngine;
  readonly events: EngineEvent[];
}

async function bench(run: (bench: Bench) => Promise<void>, seed = 7): Promise<void> {
  using world = new VirtualWorld({ seed });
  const host = world.host('cloud', ['10.0.0.1']);
  const engine = localEngine(host, { low: 20_000, high: 20_999 });
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  await run({ world, host, engine, events });
  await engine.close(true);
}

/** A phone of its own host with an endpoint of the engine, each knowing the other. */
async function phone(
  { world, engine }: Bench,
  n: number,
  spec: Partial<RemoteSpec> = {},
): Promise<{ peer: RtpPeer; id: string; local: Address }> {
  const peer = await RtpPeer.open(world.host(`phone${n}`, [`10.0.1.${n}`]), `10.0.1.${n}`, 4000);
  const id = `ep_${n}`;
  const { local } = await engine.endpoint({ id, owner: OWNER, group: GROUP, host: '10.0.0.1' });
  peer.codec = spec.codec ?? 'PCMU';
  await engine.remote(id, remote(peer, spec));
  peer.target = local;
  return { peer, id, local };
}

function remote(peer: RtpPeer, spec: Partial<RemoteSpec> = {}): RemoteSpec {
  return {
    address: peer.local,
    codec: peer.codec,
    payloadType: peer.codec === 'PCMU' ? 0 : 8,
    sends: true,
    receives: true,
    accept: { exact: true },
    ...spec,
  };
}

async function join(engine: MediaEngine, a: string, b: string): Promise<void> {
  await engine.connect(a, b, true);
  await engine.connect(b, a, true);
}

const TONES = [440, 617, 1033, 1490, 1777];
const toneOf = (i: number): Int16Array => sine(TONES[i] as number, -20, 8000);
/** The middle of what was heard, whole seconds. */
const middle = (peer: RtpPeer): Int16Array => peer.heard().subarray(4000, 4000 + 8000);

describe('relay', () => {
  it('passes packets at once, bit for bit, with our header', async () => {
    await bench(async (b) => {
      const [one, two] = [await phone(b, 1), await phone(b, 2)];
      await join(b.engine, one.id, two.id);
      const noise = Int16Array.from({ length: 16_000 }, (_, i) => ((i * 7919) % 20_011) - 10_000);
      one.peer.play(noise);
      await b.world.run(2500);
      const wanted = noise.map((sample) => mu.decode[mu.encode[sample & 0xffff] as number] as number);
      expect(two.peer.heard().subarray(0, 16_000)).toEqual(wanted);
      expect(one.peer.received).toBe(0);
      const stats = await b.engine.stats(two.id);
      expect(stats?.sent).toBe((await b.engine.stats(one.id))?.received);
    });
  });

  it('transcodes between the laws', async () => {
    await bench(async (b) => {
      const [one, two] = [await phone(b, 1, { codec: 'PCMU' }), await phone(b, 2, { codec: 'PCMA' })];
      await join(b.engine, one.id, two.id);
      one.peer.play(toneOf(0), true);
      two.peer.play(toneOf(1), true);
      await b.world.run(2000);
      expect(two.peer.types).toEqual(new Set([8]));
      expect(one.peer.types).toEqual(new Set([0]));
      expect(levelOf(middle(two.peer), 440)).toBeCloseTo(-20, 0);
      expect(levelOf(middle(one.peer), 617)).toBeCloseTo(-20, 0);
    });
  });

  it('keeps gaps and order of the source, and honours the direction', async () => {
    await bench(async (b) => {
      const [one, two] = [await phone(b, 1), await phone(b, 2)];
      await join(b.engine, one.id, two.id);
      b.world.link({ from: 'phone1', to: 'cloud', loss: 0.2, oneWay: true });
      one.peer.play(toneOf(0), true);
      await b.world.run(4000);
      const stats = await b.engine.stats(one.id);
      expect(stats?.lost).toBeGreaterThan(20);
      expect(two.peer.received).toBe(stats?.received);
      await b.engine.remote(two.id, remote(two.peer, { receives: false }));
      const before = two.peer.received;
      await b.world.run(1000);
      expect(two.peer.received).toBeLessThanOrEqual(before + 3);
    });
  });
});

describe('mix', () => {
  it.each(['PCMU', 'PCMA'] as const)(
    'lets each of four hear the others and not itself (%s)',
    async (codec: AudioCodec) => {
      await bench(async (b) => {
        await b.engine.room('room', OWNER, GROUP);
        const phones = [];
        for (let n = 0; n < 4; n++) {
          const one = await phone(b, n + 1, { codec });
          await join(b.engine, one.id, 'room');
          one.peer.play(toneOf(n), true);
          phones.push(one);
        }
        await b.world.run(2000);
        for (const [n, { peer }] of phones.entries()) {
          for (let other = 0; other < 4; other++) {
            const level = levelOf(middle(peer), TONES[other] as number);
            if (other === n) expect(level).toBeLessThan(-60);
            else expect(Math.abs(level + 20)).toBeLessThan(1);
          }
          expect(peer.received).toBeGreaterThan(95);
        }
      });
    },
  );

  it('clips where the sum is too loud, and mutes by disconnecting', async () => {
    await bench(async (b) => {
      await b.engine.room('room', OWNER, GROUP);
      const phones = [];
      for (let n = 0; n < 3; n++) {
        const one = await phone(b, n + 1);
        await join(b.engine, one.id, 'room');
        one.peer.play(sine(500, -2, 8000), true);
        phones.push(one);
      }
      await b.world.run(1500);
      expect(levelOf(middle(phones[0]!.peer), 500)).toBeGreaterThan(-1);
      await b.engine.connect(phones[1]!.id, 'room', false);
      await b.engine.connect(phones[2]!.id, 'room', false);
      await b.world.run(200);
      phones[0]!.peer.clear();
      await b.world.run(1200);
      expect(levelOf(middle(phones[0]!.peer), 500)).toBeLessThan(-60);
      expect(phones[0]!.peer.received).toBeGreaterThan(55);
    });
  });

  it('brings a member that was muted back without delay', async () => {
    await bench(async (b) => {
      await b.engine.room('room', OWNER, GROUP);
      const [one, two] = [await phone(b, 1), await phone(b, 2)];
      await join(b.engine, one.id, 'room');
      await join(b.engine, two.id, 'room');
      one.peer.play(new Int16Array(0));
      await b.world.run(1000);
      await b.engine.connect(one.id, 'room', false);
      await b.world.run(300);
      await b.engine.connect(one.id, 'room', true);
      await b.world.run(100);
      two.peer.clear();
      one.peer.play(toneOf(0), true);
      await b.world.run(240);
      expect(levelOf(two.peer.heard().subarray(960, 1760), 440)).toBeGreaterThan(-22);
    });
  });

  it('joins as a gateway does: the phone hears conference and music, the conference only the phone', async () => {
    await bench(async (b) => {
      const [own, conference, music] = [await phone(b, 1), await phone(b, 2), await phone(b, 3)];
      await b.engine.connect(own.id, conference.id, true);
      await b.engine.connect(conference.id, own.id, true);
      await b.engine.connect(music.id, own.id, true);
      own.peer.play(toneOf(0), true);
      conference.peer.play(toneOf(1), true);
      music.peer.play(toneOf(2), true);
      await b.world.run(2000);
      expect(levelOf(middle(own.peer), TONES[1] as number)).toBeCloseTo(-20, 0);
      expect(levelOf(middle(own.peer), TONES[2] as number)).toBeCloseTo(-20, 0);
      expect(levelOf(middle(own.peer), TONES[0] as number)).toBeLessThan(-60);
      expect(levelOf(middle(conference.peer), TONES[0] as number)).toBeCloseTo(-20, 0);
      expect(levelOf(middle(conference.peer), TONES[2] as number)).toBeLessThan(-60);
      expect(music.peer.received).toBe(0);
      await b.engine.connect(music.id, own.id, false);
      own.peer.clear();
      await b.world.run(2000);
      expect(levelOf(middle(own.peer), TONES[1] as number)).toBeCloseTo(-20, 0);
      expect(levelOf(middle(own.peer), TONES[2] as number)).toBeLessThan(-60);
    });
  });

  it('survives loss, jitter and reordering of a member', async () => {
    await bench(async (b) => {
      await b.engine.room('room', OWNER, GROUP);
      const [one, two] = [await phone(b, 1), await phone(b, 2)];
      await join(b.engine, one.id, 'room');
      await join(b.engine, two.id, 'room');
      b.world.link({ from: 'phone1', to: 'cloud', loss: 0.02, delay: 20, jitter: 15 });
      one.peer.play(toneOf(0), true);
      await b.world.run(5000);
      const heard = two.peer.heard();
      expect(levelOf(heard.subarray(24_000, 32_000), 440)).toBeGreaterThan(-22);
    });
  });
});

describe('player', () => {
  it('plays a file to its end once, sample for sample, and says so', async () => {
    await bench(async (b) => {
      const noise = Int16Array.from({ length: 12_345 }, (_, i) => ((i * i * 31) % 16_001) - 8000);
      await b.host.disk.write('/item.wav', writeWav(noise, 'PCMU'));
      const one = await phone(b, 1);
      const source = { file: '/item.wav' };
      await b.engine.player({ id: 'p', owner: OWNER, group: GROUP, source, loop: false, gain: 1 });
      await b.engine.connect('p', one.id, true);
      await b.world.run(500);
      await b.engine.start('p');
      await b.world.run(3000);
      const found = match(one.peer.heard().subarray(0, 20_000), noise.subarray(0, 4000));
      expect(found.correlation).toBeGreaterThan(0.99);
      const whole = match(one.peer.heard().subarray(found.lag, found.lag + 12_345), noise);
      expect(whole.correlation).toBeGreaterThan(0.99);
      expect(b.events).toContainEqual({ on: 'player-ended', id: 'p', owner: OWNER });
      expect(b.events.filter((event) => event.on === 'player-ended')).toHaveLength(1);
    });
  });

  it('starts from the beginning each time it is started', async () => {
    await bench(async (b) => {
      await b.host.disk.write('/item.wav', writeWav(Int16Array.of(...sine(440, -20, 4000), ...sine(1033, -20, 8000))));
      const one = await phone(b, 1);
      await b.engine.player({
        id: 'p',
        owner: OWNER,
        group: GROUP,
        source: { file: '/item.wav' },
        loop: false,
        gain: 1,
      });
      await b.engine.connect('p', one.id, true);
      await b.engine.start('p');
      await b.world.run(1000);
      one.peer.clear();
      await b.engine.start('p');
      await b.world.run(400);
      expect(levelOf(one.peer.heard().subarray(400, 2000), 440)).toBeGreaterThan(-21);
      expect(levelOf(one.peer.heard().subarray(400, 2000), 1033)).toBeLessThan(-60);
    });
  });

  it('loops, keeps to its gain, and sounds into a room', async () => {
    await bench(async (b) => {
      await b.host.disk.write('/tone.wav', writeWav(sine(500, -10, 4000)));
      const one = await phone(b, 1);
      await b.engine.room('room', OWNER, GROUP);
      await join(b.engine, one.id, 'room');
      const source = { file: '/tone.wav' };
      await b.engine.player({ id: 'p', owner: OWNER, group: GROUP, source, loop: true, gain: 0.5 });
      await b.engine.connect('p', 'room', true);
      await b.engine.start('p');
      await b.world.run(5000);
      expect(levelOf(one.peer.heard().subarray(24_000, 32_000), 500)).toBeCloseTo(-16, 0);
      expect(b.events.some((event) => event.on === 'player-ended')).toBe(false);
    });
  });

  it('refuses what is no 8 kHz mono WAV', async () => {
    await bench(async (b) => {
      await b.host.disk.write('/junk.wav', new Uint8Array(100));
      const spec = { id: 'p', owner: OWNER, group: GROUP, loop: false, gain: 1 };
      await expect(b.engine.player({ ...spec, source: { file: '/junk.wav' } })).rejects.toMatchObject({
        code: 'bad_file',
      });
      await expect(b.engine.player({ ...spec, source: { file: '/none.wav' } })).rejects.toMatchObject({
        code: 'bad_file',
      });
      expect(await b.engine.list()).toEqual([]);
    });
  });
});
