import { describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { Stream } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Agent, agent, callOver, optionsText } from '#test/support/sip-agent.ts';
import { read } from '#test/support/sip-duo.ts';
import type { OpenedProtocol } from '../sip/types.ts';
import { DATAGRAM_LIMIT } from './sip.ts';
import { UDP_FLOWS } from './sip-datagrams.ts';

async function pair(protocol: OpenedProtocol, v6 = false, seed = 1) {
  const world = new VirtualWorld({ seed });
  const [hostA, hostB] = v6 ? ['2001:db8::1', '2001:db8::2'] : ['10.0.0.1', '10.0.0.2'];
  const worldA = world.host('a', [hostA]);
  const worldB = world.host('b', [hostB]);
  const a = agent(worldA);
  const b = agent(worldB);
  await a.transport.bind({ udp: { host: hostA, port: 5060 } });
  const where = { host: hostB, port: 5060 };
  if (protocol === 'tls') {
    const key = await worldB.crypto.createKey();
    const now = worldB.clock.wall();
    const certificate = await worldB.crypto.issue({
      subject: 'b',
      publicKey: key.publicKey,
      signer: key.privateKey,
      notBefore: now - 1000,
      notAfter: now + 1e9,
      use: 'server',
      names: [hostB],
    });
    await b.transport.bind({ tls: { ...where, tls: { certificate, key: key.privateKey } } });
    const flow = await world.settle(
      a.transport.flowTo({ protocol, ...where, tls: { ca: certificate, serverName: hostB } }),
    );
    return { world, a, b, flow };
  }
  await b.transport.bind({ [protocol]: where });
  const flow = await world.settle(a.transport.flowTo({ protocol, ...where }));
  return { world, a, b, flow };
}

const names = (agent: Agent): string[] => agent.seen.map((output) => output.do);

describe('a call between two hosts', () => {
  const cases: [OpenedProtocol, boolean][] = [
    ['udp', false],
    ['udp', true],
    ['tcp', false],
    ['tcp', true],
    ['tls', false],
  ];
  it.each(cases)('over %s (IPv6: %s) is set up, ended and forgotten', async (protocol, v6) => {
    const { world, a, b, flow } = await pair(protocol, v6);
    const handle = callOver(a, flow);
    await world.until(() => names(b).includes('confirmed'), 5000);
    expect(names(a)).toEqual(['progress', 'answered']);
    a.transport.act((now, out) => a.endpoint.hangup(handle, 'done', now, out));
    await world.until(() => names(b).includes('ended'), 5000);
    await world.run(33_000);
    for (const one of [a, b]) expect(one.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
    expect(one(b.wire, 'INVITE')).toBe(1);
    await world.settle(Promise.all([a.transport.close(), b.transport.close()]));
  });
});

it('a STUN request on the SIP port is answered with the address it came from, and is no message', async () => {
  const world = new VirtualWorld({ seed: 4 });
  const b = agent(world.host('b', ['10.0.0.2']));
  const at = { host: '10.0.0.2', port: 5060 };
  await b.transport.bind({ udp: at });
  const heard: Uint8Array[] = [];
  const { net } = world.host('a', ['10.0.0.1']);
  const socket = await world.settle(net.udp({ host: '10.0.0.1', port: 4000 }, (data) => heard.push(data)));
  socket.send(Uint8Array.of(0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, ...new Uint8Array(12)), at);
  socket.send(Uint8Array.of(0, 1, 0, 0), at);
  await world.run(100);
  expect(heard.map((data) => [...data.subarray(0, 2), ...data.subarray(26, 28)])).toEqual([
    [1, 1, (4000 >> 8) ^ 0x21, (4000 & 255) ^ 0x12],
  ]);
  expect(b.transport.counts().received).toBe(0);
});

const one = (wire: readonly string[], word: string): number => wire.filter((line) => line.includes(word)).length;

/** A callee on UDP and TCP port 5060 of 10.0.0.2, and a bare host 10.0.0.1. */
async function server(options: Parameters<typeof agent>[1] = {}) {
  const world = new VirtualWorld({ seed: 3 });
  const b = agent(world.host('b', ['10.0.0.2']), options);
  const at = { host: '10.0.0.2', port: 5060 };
  await b.transport.bind({ udp: at, tcp: at });
  const { net } = world.host('a', ['10.0.0.1']);
  const opened: { stream: Stream; heard: string; closed: boolean }[] = [];
  const open = async () => {
    const entry = { stream: await world.settle(net.connect(at)), heard: '', closed: false };
    entry.stream.handle({
      data: (data) => {
        entry.heard += latin1(data);
      },
      close: () => {
        entry.closed = true;
      },
    });
    opened.push(entry);
    return { ...entry, send: (text: string) => entry.stream.write(fromLatin1(text)), state: entry };
  };
  const udp = await net.udp({ host: '10.0.0.1', port: 5060 }, () => {});
  return { world, b, at, open, datagram: (text: string) => udp.send(fromLatin1(text), at), net };
}

describe('a source that sends too much', () => {
  it('over UDP: what exceeds its allowance is dropped before parsing, until time or trust lifts it', async () => {
    const { world, b, datagram } = await server();
    for (let i = 0; i < 401; i++) datagram(optionsText());
    await world.run(1);
    expect(b.transport.counts()).toMatchObject({ received: 400, dropped: 1 });
    await world.run(10);
    for (let i = 0; i < 3; i++) datagram(optionsText());
    await world.run(1);
    expect(b.transport.counts()).toMatchObject({ received: 402, dropped: 2 });
    b.transport.trust('10.0.0.1');
    for (let i = 0; i < 1000; i++) datagram(optionsText());
    await world.run(1);
    expect(b.transport.counts()).toMatchObject({ received: 1402, dropped: 2 });
    await world.run(600_000);
    for (let i = 0; i < 401; i++) datagram(optionsText());
    await world.run(1);
    expect(b.transport.counts().dropped).toBe(3);
  });

  it('over a connection: it is read slower, nothing is lost', async () => {
    const { world, b, open } = await server();
    const { send, stream } = await open();
    for (let i = 0; i < 800; i++) send(optionsText('TCP'));
    await world.run(100);
    send(optionsText('TCP'));
    await world.run(2);
    expect(stream.buffered, 'octets that the network holds back').toBeGreaterThan(0);
    expect(b.transport.counts().received).toBeLessThan(430);
    await world.run(3000);
    expect(b.transport.counts()).toMatchObject({ received: 801, dropped: 0 });
  });
});

describe('connections', () => {
  it('one more than a source may have is closed at once; trust lifts it, up to all that there may be', async () => {
    const { world, b, open } = await server({ limits: { connections: 60, known: 60 } });
    for (let i = 0; i < 51; i++) await open();
    await world.run(10);
    expect(b.transport.counts().connections).toBe(50);
    b.transport.trust('10.0.0.1');
    for (let i = 0; i < 11; i++) await open();
    await world.run(10);
    expect(b.transport.counts().connections).toBe(60);
  });

  it('where strangers hold all that there are for them, who registered is let in, and so is another stranger for the idlest', async () => {
    const { world, b, at, open } = await server({ limits: { connections: 2, connectionsPerSource: 2 } });
    const [idle, busy] = [await open(), await open()];
    busy.send(optionsText('TCP'));
    idle.send(optionsText('TCP'));
    await world.run(29_000);
    busy.send('\r\n\r\n');
    const { net } = world.host('c', ['10.0.0.3']);
    const early = await world.settle(net.connect(at));
    let wasClosed = false;
    early.handle({
      data() {},
      close: () => {
        wasClosed = true;
      },
    });
    await world.run(100);
    expect([wasClosed, idle.state.closed, busy.state.closed]).toEqual([true, false, false]);
    await world.run(2_000);
    await world.settle(net.connect(at));
    await world.run(100);
    expect([idle.state.closed, busy.state.closed, b.transport.counts().connections]).toEqual([true, false, 2]);
    // Who has registered is no stranger: neither counted as one nor in anybody's way.
    b.transport.trust('10.0.0.1');
    b.transport.trust('10.0.0.4');
    const known = world.host('d', ['10.0.0.4']).net;
    await world.settle(known.connect(at));
    await world.settle(net.connect(at));
    await world.run(100);
    expect([busy.state.closed, b.transport.counts().connections]).toEqual([false, 4]);
  });

  it('a closed one makes room again', async () => {
    const { world, b, open } = await server({ limits: { connectionsPerSource: 1 } });
    const first = await open();
    first.stream.destroy();
    await world.run(10);
    const second = await open();
    await world.run(10);
    expect(second.state.closed).toBe(false);
    expect(b.transport.counts().connections).toBe(1);
  });

  it.each([
    ['55,000 octets of empty blocks', 'x\r\n\r\n'.repeat(11_000)],
    ['a negative Content-Length', optionsText('TCP').replace('Content-Length: 0', 'Content-Length: -1')],
    ['no Content-Length', optionsText('TCP').replace('Content-Length: 0\r\n', '')],
    ['a message that is too long', `OPTIONS sip:x SIP/2.0\r\nSubject: ${'y'.repeat(70_000)}`],
  ])('%s close it, and only it', async (_name, junk) => {
    const { world, b, open } = await server();
    const bad = await open();
    const good = await open();
    bad.send(junk);
    await world.run(100);
    good.send(optionsText('TCP'));
    await world.run(100);
    expect(bad.state.closed).toBe(true);
    expect(good.state.heard).toContain('SIP/2.0 200 OK');
    expect(b.closed).toHaveLength(1);
  });

  it('a message that is never completed, or never begun, closes it after 20 s; silence after half an hour', async () => {
    const { world, open } = await server();
    const silent = await open();
    const half = await open();
    const good = await open();
    good.send(optionsText('TCP'));
    half.send(optionsText('TCP'));
    await world.run(15_000);
    half.send('OPTIONS sip:');
    await world.run(10_000);
    expect([silent.state.closed, half.state.closed]).toEqual([true, false]);
    await world.run(30_000);
    expect([half.state.closed, good.state.closed]).toEqual([true, false]);
    await world.run(1_800_000);
    expect(good.state.closed).toBe(true);
  });

  it('a keep-alive is answered; ours finds a dead peer', async () => {
    const { world, open, b, at } = await server();
    const peer = await open();
    peer.send('\r\n\r\n');
    await world.run(10);
    expect(peer.state.heard).toBe('\r\n');
    const c = agent(world.host('c', ['10.0.0.3']));
    const flow = await world.settle(c.transport.flowTo({ protocol: 'tcp', ...at, keepAlive: 25_000 }));
    c.transport.act((now, out) => c.endpoint.request(read(optionsText('TCP')), flow, now, out));
    await world.run(120_000);
    expect(c.closed).toEqual([]);
    expect(b.transport.counts().connections).toBe(1);
    world.partition(['c']);
    await world.run(60_000);
    expect(c.closed).toEqual(['no keep-alive answer']);
  });

  it('a reader that takes nothing is given up', async () => {
    const { world, b, open } = await server({ limits: { rate: 1e6, burst: 1e6 } });
    const peer = await open();
    peer.stream.pause();
    for (let i = 0; i < 40; i++) {
      for (let j = 0; j < 200; j++) peer.send(optionsText('TCP'));
      await world.run(100);
    }
    expect(b.closed).toEqual(['reader too slow']);
  });

  it('accept decides; a flow is used again while it lives', async () => {
    const { world, at } = await server({ accept: (flow) => flow.remote.host !== '10.0.0.4' });
    const refused = agent(world.host('d', ['10.0.0.4']));
    await world.settle(refused.transport.flowTo({ protocol: 'tcp', ...at }));
    await world.run(10);
    expect(refused.closed).toHaveLength(1);
    const c = agent(world.host('c', ['10.0.0.3']));
    const [one, two] = await world.settle(
      Promise.all([c.transport.flowTo({ protocol: 'tcp', ...at }), c.transport.flowTo({ protocol: 'tcp', ...at })]),
    );
    expect(one.id).toBe(two.id);
    const fresh = await world.settle(c.transport.flowTo({ protocol: 'tcp', ...at, fresh: true }));
    expect(fresh.id).not.toBe(one.id);
    c.transport.closeFlow(one);
    c.transport.closeFlow(fresh);
    const three = await world.settle(c.transport.flowTo({ protocol: 'tcp', ...at }));
    expect(three.id).not.toBe(one.id);
    await expect(world.settle(c.transport.flowTo({ protocol: 'tcp', host: '10.0.0.2', port: 9 }))).rejects.toThrow();
    await expect(world.settle(c.transport.flowTo({ protocol: 'udp', ...at }))).rejects.toThrow('no UDP socket');
  });
});

describe('the transport', () => {
  it('listens nowhere when one address is taken', async () => {
    const { world, net } = await server();
    await net.udp({ host: '10.0.0.1', port: 7000 }, () => {});
    const a = agent({ ...world.host('e', ['10.0.0.5']), net });
    const taken = { host: '10.0.0.1', port: 7000 };
    await expect(a.transport.bind({ udp: [{ host: '10.0.0.1', port: 7001 }, taken] })).rejects.toThrow();
    await net.udp({ host: '10.0.0.1', port: 7001 }, () => {});
  });

  it('remembers a bounded number of datagram peers', async () => {
    const { b } = await server();
    const to = (i: number) => b.transport.flowTo({ protocol: 'udp', host: '10.0.0.1', port: i });
    const first = await to(1);
    for (let i = 2; i <= UDP_FLOWS; i++) await to(i);
    expect(await to(1)).toBe(first);
    await to(UDP_FLOWS + 1);
    const again = await to(1);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });

  it('drops a datagram that is too large, either way', async () => {
    const { world, b, datagram, at } = await server({ largeByTcp: () => false });
    datagram(optionsText('UDP', 'x'.repeat(DATAGRAM_LIMIT - 100)));
    await world.run(10);
    expect(b.transport.counts()).toMatchObject({ received: 0, dropped: 1 });
    const flow = await b.transport.flowTo({ protocol: 'udp', ...at });
    b.transport.act((now, out) => b.endpoint.request(read(optionsText('UDP', 'x'.repeat(60_000))), flow, now, out));
    expect(b.transport.counts()).toMatchObject({ sent: 1 });
    const large = read(optionsText());
    large.body = 'x'.repeat(DATAGRAM_LIMIT);
    b.transport.act((now, out) => b.endpoint.request(large, flow, now, out));
    expect(b.transport.counts()).toMatchObject({ sent: 1, dropped: 2 });
  });

  it('meets an earlier deadline than the one it waits for', async () => {
    const { world, at } = await server();
    const c = agent(world.host('c', ['10.0.0.3']));
    await c.transport.bind({ udp: { host: '10.0.0.3', port: 5060 } });
    const tcp = await world.settle(c.transport.flowTo({ protocol: 'tcp', ...at }));
    const udp = await c.transport.flowTo({ protocol: 'udp', ...at });
    world.partition(['c']);
    for (const flow of [tcp, udp]) {
      c.transport.act((now, out) => c.endpoint.request(read(optionsText()), flow, now, out));
    }
    await world.run(4000);
    expect(c.wire).toHaveLength(1 + 4);
    await world.run(30_000);
    expect(names(c)).toEqual(['no-response', 'no-response']);
    expect(c.endpoint.counts().transactions).toBe(0);
  });

  it('a handler that throws loses only its own output', async () => {
    const world = new VirtualWorld({ seed: 4 });
    const host = world.host('b', ['10.0.0.2']);
    let faults = 1;
    const b = agent(host, {
      onOutput(output) {
        if (output.do === 'request' && faults-- > 0) throw new Error('a bug');
        b.seen.push(output);
      },
    });
    const [bound] = (await b.transport.bind({ udp: { host: '10.0.0.2', port: 0 } })).udp;
    const flow = await b.transport.flowTo({ protocol: 'udp', host: '10.0.0.1', port: 5060 });
    expect(flow.local).toEqual(bound);
    const both = () =>
      b.transport.act((now, out) => {
        b.endpoint.receive(optionsText(), flow, now, out);
        b.endpoint.receive(optionsText(), flow, now, out);
      });
    expect(both).toThrow('a bug');
    b.transport.act(() => {});
    expect(b.seen).toHaveLength(1);
  });

  it('the same seed gives the same run, another seed another', async () => {
    const hash = async (seed: number) => {
      const { world, a, b, flow } = await pair('udp', false, seed);
      world.link({ loss: 0.2, delay: 20, jitter: 30, duplicate: 0.05 });
      for (let i = 0; i < 5; i++) callOver(a, flow);
      await world.run(120_000);
      expect(names(b)).toContain('incoming');
      return world.hash();
    };
    expect(await hash(7)).toBe(await hash(7));
    expect(await hash(8)).not.toBe(await hash(7));
  });
});
