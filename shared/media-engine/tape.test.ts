/** Recorders, and digits that the engine presses. */
import { describe, expect, it } from 'vitest';
import type { World } from '#shared/kernel/world.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { readWav } from '#shared/rtp/wav.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { EngineEvent, MediaEngine } from './engine.ts';
import { KEYS_WAITING, Keys } from './keys.ts';
import { localEngine } from './local.ts';
import { RECORDING_LIMIT, RecorderNode } from './recorder.ts';
import { RtpPeer } from './rtp-peer.ts';

const owner = { owner: 'ses_1/leg_1', group: 'ses_1' };
const TONES = [440, 617] as const;

interface Bench {
  readonly world: VirtualWorld;
  readonly host: World;
  readonly engine: MediaEngine;
  readonly events: EngineEvent[];
}

async function bench(run: (bench: Bench) => Promise<void>): Promise<void> {
  using world = new VirtualWorld({ seed: 7 });
  const host = world.host('cloud', ['10.0.0.1']);
  const engine = localEngine(host, { low: 20_000, high: 20_999 });
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  await run({ world, host, engine, events });
  await engine.close(true);
}

/** Two phones that talk, with telephone events agreed unless told otherwise. */
async function talk({ world, engine }: Bench, eventType: number | undefined = 101): Promise<[RtpPeer, RtpPeer]> {
  const peers: RtpPeer[] = [];
  for (const n of [1, 2]) {
    const peer = await RtpPeer.open(world.host(`phone${n}`, [`10.0.1.${n}`]), `10.0.1.${n}`, 4000);
    const { local } = await engine.endpoint({ id: `ep_${n}`, ...owner, host: '10.0.0.1' });
    const events = eventType === undefined ? {} : { eventType };
    const remote = {
      address: peer.local,
      codec: 'PCMU',
      payloadType: 0,
      sends: true,
      receives: true,
      ...events,
    } as const;
    await engine.remote(`ep_${n}`, { ...remote, accept: { exact: true } });
    peer.target = local;
    peer.eventType = 101;
    peer.play(sine(TONES[n - 1] as number, -20, 8000), true);
    peers.push(peer);
  }
  await engine.connect('ep_1', 'ep_2', true);
  await engine.connect('ep_2', 'ep_1', true);
  return peers as [RtpPeer, RtpPeer];
}

const record = (engine: MediaEngine, limit = 60_000) =>
  engine.recorder({ id: 'snd_1', ...owner, file: '/data/media/recordings/rec_1.wav', limit });

async function recorded(host: World): Promise<Int16Array> {
  const read = readWav((await host.disk.read('/data/media/recordings/rec_1.wav')) ?? new Uint8Array());
  if (!read.ok) throw new Error(read.fault);
  return read.value;
}

describe('a recorder', () => {
  it('writes what its sources say, mixed, while they go on talking', async () => {
    await bench(async (b) => {
      const [one, two] = await talk(b);
      await b.world.run(500);
      await record(b.engine);
      for (const id of ['ep_1', 'ep_2']) await b.engine.connect(id, 'snd_1', true);
      await b.world.run(2500);
      await b.engine.release('snd_1');
      const samples = await recorded(b.host);
      expect(samples.length / 8000).toBeCloseTo(2.5, 1);
      for (const tone of TONES) expect(levelOf(samples.subarray(8000, 16_000), tone)).toBeGreaterThan(-25);
      expect(levelOf(one.heard().subarray(-4000), TONES[1])).toBeGreaterThan(-25);
      expect(levelOf(two.heard().subarray(-4000), TONES[1])).toBeLessThan(-60);
      expect((await b.engine.list()).map((node) => node.kind)).toEqual(['endpoint', 'endpoint']);
    });
  });

  it('hears a room, is heard by nobody, and ends at its limit', async () => {
    await bench(async (b) => {
      await talk(b);
      await b.engine.room('room_1', 'ses_1/room', 'ses_1');
      for (const id of ['ep_1', 'ep_2']) await b.engine.connect(id, 'room_1', true);
      await record(b.engine, 1000);
      await b.engine.connect('room_1', 'snd_1', true);
      await expect(b.engine.connect('snd_1', 'ep_1', true)).rejects.toMatchObject({ code: 'not_connectable' });
      await b.world.run(3000);
      expect(b.events.filter(({ on }) => on === 'recorder-ended')).toEqual([
        { on: 'recorder-ended', id: 'snd_1', owner: owner.owner, failed: false },
      ]);
      await b.engine.release('snd_1');
      const samples = await recorded(b.host);
      expect(samples.length).toBe(8000);
      for (const tone of TONES) expect(levelOf(samples.subarray(2000), tone)).toBeGreaterThan(-25);
    });
  });

  it('never takes more than half an hour, whatever is asked', async () => {
    let octets = 0;
    const file = {
      async write(at: number, data: Uint8Array) {
        octets = Math.max(octets, at + data.length);
      },
      async close() {},
    };
    const node = new RecorderNode({ id: 'snd_1', ...owner, file: 'x', limit: 2 * RECORDING_LIMIT }, file);
    const frame = new Int32Array(160);
    let frames = 1;
    while (node.take(frame)) frames++;
    expect(frames * 20).toBe(RECORDING_LIMIT);
    await node.finish();
    expect(octets).toBe(44 + RECORDING_LIMIT * 8);
  });
});

describe('digits of the engine', () => {
  it('are telephone events with a pause between, in the stream that goes on', async () => {
    await bench(async (b) => {
      const [one, two] = await talk(b);
      await b.world.run(1000);
      await b.engine.press('ep_1', '19#');
      await b.world.run(2000);
      expect([one.digits, two.digits]).toEqual(['19#', '']);
      expect(levelOf(one.heard().subarray(-4000), TONES[1])).toBeGreaterThan(-25);
      expect(levelOf(two.heard().subarray(-4000), TONES[0])).toBeGreaterThan(-25);
    });
  });

  it('need a side that takes them', async () => {
    await bench(async (b) => {
      await talk({ ...b }, undefined);
      const remote = { codec: 'PCMU', payloadType: 0, sends: true, receives: true } as const;
      await b.engine.remote('ep_1', { ...remote, address: { host: '10.0.1.1', port: 4000 }, accept: { exact: true } });
      await expect(b.engine.press('ep_1', '1')).rejects.toMatchObject({ code: 'no_events' });
      await expect(b.engine.press('ep_9', '1')).rejects.toMatchObject({ code: 'unknown_node' });
    });
  });

  it('wait up to a limit; further ones are dropped', () => {
    const keys = new Keys();
    keys.press('1'.repeat(KEYS_WAITING + 1));
    let ticks = 0;
    let digits = 0;
    while (keys.busy) {
      const key = keys.next();
      if (key?.first === true) digits++;
      ticks++;
    }
    expect([digits, ticks]).toEqual([KEYS_WAITING, KEYS_WAITING * 11]);
  });
});
