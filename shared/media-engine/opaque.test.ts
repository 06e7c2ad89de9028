/** Datagrams that are no RTP: from end to end as they came, from the right source only, and never mixed with sound. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sine } from '#shared/rtp/measure.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { DATAGRAM_LIMIT, SILENT_AFTER } from './endpoint.ts';
import type { EngineEvent, MediaEngine } from './engine.ts';
import { localEngine } from './local.ts';
import { RtpPeer } from './rtp-peer.ts';

const fax = { codec: 'PCMU', payloadType: 0, sends: true, receives: true, opaque: true } as const;
const sound = { codec: 'PCMU', payloadType: 0, sends: true, receives: true } as const;
let world: VirtualWorld;
let engine: MediaEngine;
let peers: { readonly a: RtpPeer; readonly b: RtpPeer; readonly stranger: RtpPeer };
const got = { a: [] as Uint8Array[], b: [] as Uint8Array[] };
const events: EngineEvent[] = [];

beforeEach(async () => {
  world = new VirtualWorld({ seed: 4 });
  engine = localEngine(world.host('cloud', ['10.0.0.1']), { low: 20_000, high: 20_099 });
  events.length = 0;
  engine.onEvent((event) => events.push(event));
  const peer = (name: string, host: string) => RtpPeer.open(world.host(name, [host]), host, 4000);
  peers = { a: await peer('a', '10.0.1.1'), b: await peer('b', '10.0.1.2'), stranger: await peer('s', '10.6.6.6') };
  for (const id of ['a', 'b'] as const) {
    got[id].length = 0;
    peers[id].onOther = (data) => got[id].push(data);
    const { local } = await engine.endpoint({ id, owner: `ses/${id}`, group: 'ses', host: '10.0.0.1' });
    peers[id].target = local;
    await engine.remote(id, { ...fax, address: peers[id].local, accept: { exact: true } });
  }
  await engine.connect('a', 'b', true);
  await engine.connect('b', 'a', true);
});
afterEach(async () => {
  await engine.close(true);
  world[Symbol.dispose]();
});

it('pass both ways, octet for octet, also one that looks like RTP', async () => {
  const likeRtp = Uint8Array.from({ length: 40 }, (_, i) => (i === 0 ? 0x80 : i));
  peers.a.send(Uint8Array.of(0, 1, 2));
  peers.b.send(new Uint8Array(DATAGRAM_LIMIT).fill(7));
  await world.run(50);
  peers.a.send(likeRtp);
  await world.run(50);
  expect(got.b.map((data) => data.length)).toEqual([3]);
  expect(peers.b.received).toBe(1);
  expect(got.a.map((data) => [data.length, data[0]])).toEqual([[DATAGRAM_LIMIT, 7]]);
});

it('pass from nobody else, and none that is too long', async () => {
  peers.stranger.target = peers.a.target;
  peers.stranger.send(Uint8Array.of(9, 9));
  peers.a.send(new Uint8Array(DATAGRAM_LIMIT + 1));
  await world.run(50);
  expect(got.b).toEqual([]);
  expect((await engine.stats('a'))?.refused).toBe(2);
});

it('do not go to a side that has sound, nor sound to theirs', async () => {
  await engine.remote('b', { ...sound, address: peers.b.local, accept: { exact: true } });
  peers.a.send(Uint8Array.of(0, 1, 2));
  peers.b.play(sine(440, -17, 8000), true);
  await world.run(500);
  expect([got.a, got.b, peers.a.received]).toEqual([[], [], 0]);
});

it('may pause as long as they like', async () => {
  await world.run(3 * SILENT_AFTER);
  expect(events).toEqual([]);
});
