import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { World } from '#shared/kernel/world.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { bindDatagram } from './adapter-dgram.ts';
import { PACKETS_PER_SECOND, SILENT_AFTER } from './endpoint.ts';
import type { EndpointSpec, EngineEvent, MediaEngine, RemoteSpec } from './engine.ts';
import { Graph } from './graph.ts';
import type { GraphHost, GraphOptions } from './graph-host.ts';
import { localEngine } from './local.ts';
import { PORT_REST } from './ports.ts';
import { RtpPeer } from './rtp-peer.ts';
import { PAYLOAD_LIMIT } from './sender.ts';

interface Bench {
  readonly world: VirtualWorld;
  readonly host: World;
  readonly engine: MediaEngine;
  readonly events: EngineEvent[];
}

async function bench(run: (bench: Bench) => Promise<void>, options: Partial<GraphOptions> = {}): Promise<void> {
  using world = new VirtualWorld({ seed: 3 });
  const host = world.host('cloud', ['10.0.0.1']);
  const engine = localEngine(host, { low: 20_000, high: 20_099, ...options });
  const events: EngineEvent[] = [];
  engine.onEvent((event) => events.push(event));
  await run({ world, host, engine, events });
  await engine.close(true);
}

const endpointSpec = (id: string, group = 'ses_1'): EndpointSpec => ({
  id,
  owner: 'ses_1/leg_1',
  group,
  host: '10.0.0.1',
});
const base = { codec: 'PCMU', payloadType: 0, eventType: 101, sends: true, receives: true } as const;
const tone = sine(440, -20, 8000);
const evil = sine(1234, -10, 8000);

/** A victim behind `natted` whose packets may come from any of its ports, its partner, and an attacker elsewhere. */
async function attacked(b: Bench, accept: (victim: RtpPeer) => RemoteSpec) {
  const victim = await RtpPeer.open(b.world.host('victim', ['10.0.1.1']), '10.0.1.1', 4000);
  const partner = await RtpPeer.open(b.world.host('partner', ['10.0.1.2']), '10.0.1.2', 4000);
  const attacker = await RtpPeer.open(b.world.host('attacker', ['10.6.6.6']), '10.6.6.6', 4000);
  const a = await b.engine.endpoint(endpointSpec('a'));
  const p = await b.engine.endpoint(endpointSpec('p'));
  await b.engine.remote('a', accept(victim));
  await b.engine.remote('p', { ...base, address: partner.local, accept: { exact: true } });
  await b.engine.connect('a', 'p', true);
  await b.engine.connect('p', 'a', true);
  victim.target = a.local;
  partner.target = p.local;
  attacker.target = a.local;
  return { victim, partner, attacker };
}

describe('source check', () => {
  const modes: [string, (victim: RtpPeer) => RemoteSpec][] = [
    ['exact', (victim) => ({ ...base, address: victim.local, accept: { exact: true } })],
    ['learned', () => ({ ...base, accept: { address: '10.0.1.1' } })],
  ];
  for (const [name, accept] of modes) {
    for (const when of ['early', 'late'] as const) {
      it(`gives a ${when} attacker nothing and keeps the call (${name})`, async () => {
        await bench(async (b) => {
          const { victim, partner, attacker } = await attacked(b, accept);
          partner.play(tone, true);
          if (when === 'early') attacker.play(evil, true);
          await b.world.run(300);
          victim.play(tone, true);
          await b.world.run(300);
          attacker.play(evil, true);
          await b.world.run(3000);
          expect(attacker.received).toBe(0);
          expect(victim.received).toBeGreaterThan(140);
          const heard = partner.heard().subarray(8000, 16_000);
          expect(levelOf(heard, 440)).toBeCloseTo(-20, 0);
          expect(levelOf(heard, 1234)).toBeLessThan(-60);
          const stats = await b.engine.stats('a');
          expect(stats?.refused).toBeGreaterThan(140);
        });
      });
    }
  }

  it('keeps the learned port against another port of the same host after five packets', async () => {
    await bench(async (b) => {
      const { victim, partner } = await attacked(b, () => ({ ...base, accept: { address: '10.0.1.1' } }));
      const neighbour = await RtpPeer.open(b.world.host('neighbour', ['10.0.1.1']), '10.0.1.1', 5000);
      neighbour.target = victim.target;
      partner.play(tone, true);
      victim.play(tone, true);
      await b.world.run(200);
      neighbour.play(evil, true);
      await b.world.run(1000);
      expect(neighbour.received).toBe(0);
      expect(victim.received).toBeGreaterThan(50);
    });
  });

  it('sends nothing to an address that the channel does not vouch for', async () => {
    await bench(async (b) => {
      const { victim, partner, attacker } = await attacked(b, () => ({
        ...base,
        address: { host: '10.6.6.6', port: 4000 },
        accept: { address: '10.0.1.1' },
      }));
      partner.play(tone, true);
      await b.world.run(500);
      expect(attacker.received).toBe(0);
      victim.play(tone, true);
      await b.world.run(500);
      expect(attacker.received).toBe(0);
      expect(victim.received).toBeGreaterThan(20);
    });
  });

  it('takes nothing before signalling has named the other side', async () => {
    await bench(async (b) => {
      const peer = await RtpPeer.open(b.world.host('peer', ['10.0.1.1']), '10.0.1.1', 4000);
      peer.target = (await b.engine.endpoint(endpointSpec('a'))).local;
      peer.play(tone, true);
      await b.world.run(1000);
      expect(await b.engine.stats('a')).toMatchObject({ received: 0, refused: 50 });
    });
  });

  it('takes at most 500 packets in a second from one source', async () => {
    await bench(async (b) => {
      const host = b.world.host('flood', ['10.0.1.1']);
      const socket = await host.net.udp({ host: '10.0.1.1', port: 4000 }, () => undefined);
      const { local } = await b.engine.endpoint(endpointSpec('a'));
      await b.engine.remote('a', { ...base, address: socket.local, accept: { exact: true } });
      const packet = new Uint8Array(172);
      packet[0] = 0x80;
      for (let i = 0; i <= PACKETS_PER_SECOND; i++) {
        packet[2] = i >> 8;
        packet[3] = i;
        socket.send(packet.slice(), local);
      }
      await b.world.run(100);
      expect(await b.engine.stats('a')).toMatchObject({ received: PACKETS_PER_SECOND, refused: 1 });
    });
  });
});

it('relays payloads of up to 60 ms and drops longer ones', async () => {
  await bench(async (b) => {
    const { victim, partner } = await attacked(b, (one) => ({ ...base, address: one.local, accept: { exact: true } }));
    const target = victim.target ?? victim.local;
    await victim.close();
    const socket = await b.world.host('victim', ['10.0.1.1']).net.udp(victim.local, () => undefined);
    for (const [sequence, size] of [PAYLOAD_LIMIT, PAYLOAD_LIMIT + 1].entries()) {
      const packet = new Uint8Array(12 + size);
      packet.set([0x80, 0, 0, sequence]);
      socket.send(packet, target);
    }
    await b.world.run(100);
    expect(partner.received).toBe(1);
    expect(partner.heard().length).toBe(PAYLOAD_LIMIT);
  });
});

describe('events', () => {
  it('reports the first packet, every digit once, and silence', async () => {
    await bench(async (b) => {
      const { victim, partner } = await attacked(b, (one) => ({
        ...base,
        address: one.local,
        accept: { exact: true },
      }));
      victim.play(tone, true);
      await b.world.run(200);
      victim.press('5', 101);
      await b.world.run(200);
      victim.press('#', 101);
      await b.world.run(200);
      const digits = b.events.filter((event) => event.on === 'dtmf');
      expect(digits.map((event) => event.on === 'dtmf' && event.digit)).toEqual(['5', '#']);
      expect(partner.types).toEqual(new Set([0, 101]));
      expect(b.events[0]).toMatchObject({ on: 'first-packet', id: 'a', from: victim.local });
      expect(b.events.filter((event) => event.on === 'silent')).toEqual([]);
      victim.stop();
      await b.world.run(SILENT_AFTER + 2000);
      const silent = b.events.filter((event) => event.on === 'silent').map((event) => event.id);
      expect(silent.sort()).toEqual(['a', 'p']);
      await b.world.run(SILENT_AFTER);
      expect(b.events.filter((event) => event.on === 'silent')).toHaveLength(2);
    });
  });

  it('waits for no sound of a side that holds, and for it again afterwards', async () => {
    await bench(async (b) => {
      const spec = (victim: RtpPeer) => ({ ...base, address: victim.local, accept: { exact: true } }) as const;
      const { victim } = await attacked(b, spec);
      await b.engine.remote('a', { ...spec(victim), receives: false });
      await b.world.run(SILENT_AFTER + 2000);
      const silent = () => b.events.filter((event) => event.on === 'silent' && event.id === 'a').length;
      expect([silent(), (await b.engine.stats('a'))?.silentFor]).toEqual([0, 0]);
      await b.engine.remote('a', spec(victim));
      await b.world.run(SILENT_AFTER - 2000);
      expect(silent()).toBe(0);
      await b.world.run(4000);
      expect(silent()).toBe(1);
    });
  });

  it('exchanges RTCP: loss and round trip as the other side sees them', async () => {
    await bench(async (b) => {
      // Two endpoints of two engines talk to each other, over a link that loses and delays.
      const far = localEngine(b.world.host('far', ['10.0.2.1']), { low: 30_000, high: 30_099 });
      const near = await b.engine.endpoint(endpointSpec('n'));
      const other = await far.endpoint({ ...endpointSpec('f'), host: '10.0.2.1' });
      await b.engine.remote('n', { ...base, address: other.local, accept: { exact: true } });
      await far.remote('f', { ...base, address: near.local, accept: { exact: true } });
      b.world.link({ from: 'cloud', to: 'far', delay: 40 });
      for (const engine of [b.engine, far]) {
        await engine.player({ id: 't', owner: 'o/l', group: 'ses_1', source: { tone: 'dial' }, loop: true, gain: 1 });
        await engine.connect('t', engine === far ? 'f' : 'n', true);
        await engine.start('t');
      }
      await b.world.run(60_000);
      const stats = await b.engine.stats('n');
      expect(stats?.roundTrip).toBeGreaterThan(70);
      expect(stats?.roundTrip).toBeLessThan(100);
      expect(stats?.remoteLoss).toBe(0);
      b.world.link({ from: 'cloud', to: 'far', delay: 40, loss: 0.2, oneWay: true });
      await b.world.run(30_000);
      expect((await b.engine.stats('n'))?.remoteLoss).toBeGreaterThan(0.1);
      await far.close(true);
    });
  });
});

describe('limits', () => {
  it('gives even ports, none twice, and says when they are exhausted', async () => {
    await bench(async (b) => {
      const ports = new Set<number>();
      for (let i = 0; i < 50; i++) ports.add((await b.engine.endpoint(endpointSpec(`e${i}`))).local.port);
      expect(ports.size).toBe(50);
      expect([...ports].every((port) => port % 2 === 0)).toBe(true);
      await expect(b.engine.endpoint(endpointSpec('one more'))).rejects.toMatchObject({ code: 'ports_exhausted' });
      await b.engine.release('e7');
      await expect(b.engine.endpoint(endpointSpec('one more'))).rejects.toMatchObject({ code: 'ports_exhausted' });
      await b.world.run(PORT_REST);
      await b.engine.endpoint(endpointSpec('one more'));
    });
  });

  it('loses no port to an address that cannot be bound', async () => {
    let now = 0;
    const nothing = {
      event: () => {},
      wake: () => {},
      file: async () => undefined,
      pause: async () => {},
      wall: () => 0,
      random32: () => 1,
    };
    const create = () => Promise.reject(new Error('no files'));
    const host: GraphHost = { ...nothing, create, mono: () => now, bind: bindDatagram };
    const graph = new Graph(host, { low: 20_000, high: 20_001 });
    for (let i = 0; i < 3; i++) {
      const wanted = graph.endpoint({ ...endpointSpec('a'), host: '192.0.2.1' });
      await expect(wanted).rejects.toMatchObject({ code: 'no_address' });
      now += PORT_REST;
    }
  });

  it.skipIf(!existsSync('/proc/self/fd'))('a port that is taken costs no descriptor', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const taken = await bindDatagram('127.0.0.1', 0, () => {});
    const before = open();
    for (let i = 0; i < 20; i++) await expect(bindDatagram('127.0.0.1', taken.port, () => {})).rejects.toThrow();
    expect(open() - before).toBeLessThan(10);
    taken.close();
  });

  it('passes over ports that another program holds', async () => {
    await bench(async (b) => {
      await b.host.net.udp({ host: '10.0.0.1', port: 20_000 }, () => undefined);
      await b.host.net.udp({ host: '10.0.0.1', port: 20_003 }, () => undefined);
      expect((await b.engine.endpoint(endpointSpec('a'))).local.port).toBe(20_004);
    });
  });

  it('holds so many nodes in a group and in all', async () => {
    await bench(
      async (b) => {
        for (let i = 0; i < 3; i++) await b.engine.room(`r${i}`, 'o/l', 'g1');
        await expect(b.engine.room('r3', 'o/l', 'g1')).rejects.toMatchObject({ code: 'limit_reached' });
        await b.engine.room('r3', 'o/l', 'g2');
        await b.engine.room('r4', 'o/l', 'g2');
        await expect(b.engine.room('r5', 'o/l', 'g2')).rejects.toMatchObject({ code: 'limit_reached' });
        await b.engine.release('r0');
        await b.engine.room('r5', 'o/l', 'g2');
      },
      { nodesPerGroup: 3, nodes: 5 },
    );
  });

  it('answers repeated commands alike and refuses wrong ones', async () => {
    await bench(async (b) => {
      const [first, again] = await Promise.all([
        b.engine.endpoint(endpointSpec('a')),
        b.engine.endpoint(endpointSpec('a')),
      ]);
      expect(again).toEqual(first);
      expect(await b.engine.endpoint(endpointSpec('a'))).toEqual(first);
      expect(await b.engine.list()).toHaveLength(1);
      await b.engine.room('room', 'o/l', 'ses_2');
      await expect(b.engine.connect('a', 'room', true)).rejects.toMatchObject({ code: 'other_group' });
      await expect(b.engine.endpoint(endpointSpec('a', 'ses_2'))).rejects.toMatchObject({ code: 'other_group' });
      await b.engine.room('room2', 'o/l', 'ses_2');
      await expect(b.engine.connect('room', 'room2', true)).rejects.toMatchObject({ code: 'not_connectable' });
      await expect(b.engine.connect('a', 'none', true)).rejects.toMatchObject({ code: 'unknown_node' });
      await expect(b.engine.start('a')).rejects.toMatchObject({ code: 'unknown_node' });
      await b.engine.connect('a', 'none', false);
      await b.engine.release('none');
      expect(await b.engine.stats('none')).toBeUndefined();
    });
  });

  it('lets go for 60 s: held again it lives on, alone it ends', async () => {
    await bench(async (b) => {
      await b.engine.endpoint(endpointSpec('a'));
      await b.engine.close(false);
      await b.world.run(50_000);
      b.engine.onEvent(() => undefined);
      await b.world.run(50_000);
      expect(await b.engine.list()).toHaveLength(1);
      await b.engine.close(false);
      await b.world.run(61_000);
      expect(await b.engine.list()).toHaveLength(0);
    });
  });
});

describe('an endpoint that moves', () => {
  const moved = { ...endpointSpec('a'), host: '10.0.0.2', move: true } as const;

  it('goes on from its new address, hears whom it heard, and takes nothing of a stranger or at its old place', async () => {
    await bench(async (b) => {
      const { victim, partner, attacker } = await attacked(b, (victim) => ({
        ...base,
        address: victim.local,
        accept: { exact: true },
      }));
      victim.play(tone, true);
      await b.world.run(300);
      const old = victim.target;
      const { local } = await b.engine.endpoint(moved);
      expect(local.host).toBe('10.0.0.2');
      expect((await b.engine.list()).find(({ id }) => id === 'a')?.local).toEqual(local);
      expect((await b.engine.endpoint({ ...moved, host: '10.0.0.2' })).local).toEqual(local);
      partner.clear();
      attacker.target = local;
      attacker.play(evil, true);
      await b.world.run(500);
      expect([partner.received, victim.target]).toEqual([0, old]);
      victim.target = local;
      partner.play(tone, true);
      await b.world.run(1_000);
      expect(levelOf(partner.heard().subarray(-4000), 440)).toBeGreaterThan(-30);
      expect(levelOf(partner.heard().subarray(-4000), 1234)).toBeLessThan(-60);
      expect(victim.lastFrom).toEqual(local);
    });
  });

  it('stays where it is unless asked to move, and gives its ports back', async () => {
    await bench(
      async (b) => {
        const { local } = await b.engine.endpoint(endpointSpec('a'));
        expect((await b.engine.endpoint({ ...endpointSpec('a'), host: '10.0.0.2' })).local).toEqual(local);
        const both = await Promise.all([b.engine.endpoint(moved), b.engine.endpoint({ ...moved })]);
        expect(both[0]?.local).toEqual(both[1]?.local);
        await b.world.run(PORT_REST);
        for (const id of ['b', 'c']) await b.engine.endpoint(endpointSpec(id));
        await expect(b.engine.endpoint(endpointSpec('d'))).rejects.toMatchObject({ code: 'ports_exhausted' });
      },
      { high: 20_005 },
    );
  });

  it('frees what it took where it is released meanwhile', async () => {
    await bench(
      async (b) => {
        await b.engine.endpoint(endpointSpec('a'));
        const move = b.engine.endpoint(moved);
        await Promise.all([expect(move).rejects.toMatchObject({ code: 'unknown_node' }), b.engine.release('a')]);
        await b.world.run(PORT_REST);
        for (const id of ['b', 'c']) await b.engine.endpoint(endpointSpec(id));
      },
      { high: 20_003 },
    );
  });
});
