import { describe, expect, it } from 'vitest';
import type { Address, UdpSocket } from '#shared/kernel/world.ts';
import { newHeader, type RtpHeader, readHeader, timestampDistance, writeHeader } from '#shared/rtp/packet.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { MediaEngine, RemoteSpec } from './engine.ts';
import { localEngine } from './local.ts';

/** A bare RTP end that shows every header it gets. */
interface End {
  readonly id: string;
  readonly socket: UdpSocket;
  readonly local: Address;
  readonly got: RtpHeader[];
  send(sequence: number, timestamp: number, ssrc?: number): void;
}

async function bench(
  run: (engine: MediaEngine, end: (n: number) => Promise<End>, world: VirtualWorld) => Promise<void>,
) {
  using world = new VirtualWorld({ seed: 9 });
  const engine = localEngine(world.host('cloud', ['10.0.0.1']), { low: 20_000, high: 20_099 });
  const end = async (n: number): Promise<End> => {
    const host = `10.0.1.${n}`;
    const got: RtpHeader[] = [];
    const socket = await world.host(`end${n}`, [host]).net.udp({ host, port: 4000 }, (data) => {
      const header = newHeader();
      if (readHeader(data, header)) got.push(header);
    });
    const id = `e${n}`;
    const { local } = await engine.endpoint({ id, owner: 'o/l', group: 'g', host: '10.0.0.1' });
    await engine.remote(id, remote(socket.local));
    const send = (sequence: number, timestamp: number, ssrc = n): void => {
      const packet = new Uint8Array(172);
      writeHeader(packet, false, 0, sequence, timestamp, ssrc);
      socket.send(packet, local);
    };
    return { id, socket, local, got, send };
  };
  await run(engine, end, world);
  await engine.close(true);
}

const remote = (address: Address, spec: Partial<RemoteSpec> = {}): RemoteSpec => ({
  address,
  codec: 'PCMU',
  payloadType: 0,
  sends: true,
  receives: true,
  accept: { exact: true },
  ...spec,
});

/** One stream, as RFC 3550 wants it: one SSRC, numbers that follow each other, time that only goes on. */
function expectOneStream(got: readonly RtpHeader[]): void {
  expect(new Set(got.map(({ ssrc }) => ssrc)).size).toBe(1);
  for (const [i, header] of got.entries()) {
    const before = got[i - 1];
    if (before === undefined) continue;
    expect(header.sequence).toBe((before.sequence + 1) & 0xffff);
    expect(timestampDistance(header.timestamp, before.timestamp)).toBeGreaterThanOrEqual(160);
  }
}

describe('the stream of an endpoint', () => {
  it('goes on in number and time when its source changes, also between sources that name themselves alike', async () => {
    await bench(async (engine, end, world) => {
      const [one, two, sink] = [await end(1), await end(2), await end(3)];
      const talk = async (from: End, sequence: number, timestamp: number): Promise<void> => {
        await engine.connect(from.id, sink.id, true);
        for (let i = 0; i < 5; i++) {
          from.send((sequence + i) & 0xffff, (timestamp + i * 160) >>> 0, 77);
          await world.run(20);
        }
        await engine.connect(from.id, sink.id, false);
      };
      await talk(one, 100, 5000);
      await talk(two, 40_000, 0xffff_fe00);
      await engine.player({ id: 'p', owner: 'o/l', group: 'g', source: { tone: 'busy' }, loop: true, gain: 1 });
      await engine.connect('p', sink.id, true);
      await engine.start('p');
      await world.run(200);
      await engine.release('p');
      await world.run(500);
      await talk(one, 65_533, 90_000);
      expect(sink.got.length).toBeGreaterThan(20);
      expectOneStream(sink.got);
      const [last] = sink.got.slice(-6);
      const first = sink.got.at(-5);
      // Half a second of nothing passed between the tone and the talk.
      expect(timestampDistance(first?.timestamp ?? 0, last?.timestamp ?? 0)).toBeGreaterThan(3800);
      expect(first?.marker).toBe(true);
    });
  });

  it('of a new endpoint goes on where that of another was: a phone is led from one to the other', async () => {
    await bench(async (engine, end, world) => {
      const [one, sink] = [await end(1), await end(2)];
      await engine.connect(one.id, sink.id, true);
      for (let i = 0; i < 50; i++) {
        one.send(i, i * 160);
        await world.run(20);
      }
      await engine.endpoint({ id: 'next', owner: 'o/l', group: 'g', host: '10.0.0.1' });
      await engine.remote('next', remote(sink.socket.local));
      await engine.connect(one.id, 'next', true);
      const last = sink.got.at(-1);
      await engine.release(sink.id);
      await world.run(500);
      one.send(75, 75 * 160);
      await world.run(20);
      const first = sink.got.at(-1);
      expect(first?.ssrc).not.toBe(last?.ssrc);
      const passed = timestampDistance(first?.timestamp ?? 0, last?.timestamp ?? 0);
      expect(passed).toBeGreaterThan(3_900);
      expect(passed).toBeLessThan(4_500);
    });
  });

  it('keeps a gap of its source as a gap, and a packet out of order out of order', async () => {
    await bench(async (engine, end, world) => {
      const [one, sink] = [await end(1), await end(2)];
      await engine.connect(one.id, sink.id, true);
      for (const sequence of [10, 11, 13, 12, 16]) {
        one.send(sequence, sequence * 160);
        await world.run(20);
      }
      const base = sink.got[0]?.sequence ?? 0;
      expect(sink.got.map(({ sequence }) => (sequence - base) & 0xffff)).toEqual([0, 1, 3, 2, 6]);
    });
  });
});

describe('what was agreed anew', () => {
  it('takes nothing from a side that said it would not send', async () => {
    await bench(async (engine, end, world) => {
      const [one, sink] = [await end(1), await end(2)];
      await engine.connect(one.id, sink.id, true);
      await engine.remote(one.id, remote(one.socket.local, { sends: false }));
      for (let i = 0; i < 5; i++) one.send(i, i * 160);
      await world.run(100);
      expect(sink.got).toEqual([]);
      await engine.remote(one.id, remote(one.socket.local));
      one.send(6, 6 * 160);
      await world.run(100);
      expect(sink.got).toHaveLength(1);
    });
  });

  it('follows the other side to a new address, and leaves the old one', async () => {
    await bench(async (engine, end, world) => {
      const [one, sink, moved] = [await end(1), await end(2), await end(3)];
      await engine.connect(one.id, sink.id, true);
      await engine.connect(sink.id, one.id, true);
      await engine.remote(one.id, remote(moved.socket.local));
      one.send(1, 160);
      sink.send(1, 160);
      await world.run(100);
      expect(sink.got).toEqual([]);
      expect(one.got).toEqual([]);
      expect(moved.got).toHaveLength(1);
      expect(await engine.stats(one.id)).toMatchObject({ received: 0, refused: 1 });
    });
  });
});
