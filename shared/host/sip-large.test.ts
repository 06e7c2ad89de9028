import { describe, expect, it } from 'vitest';
import { latin1 } from '#shared/kernel/bytes.ts';
import type { Stream } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { agent, callOver } from '#test/support/sip-agent.ts';
import { read } from '#test/support/sip-duo.ts';
import { newRequest } from '../sip/message.ts';
import type { SipTransportOptions } from './sip.ts';
import {
  aimsAt,
  CONNECT_WITHIN,
  LARGE_REQUEST,
  LARGE_WAYS,
  LargeRequests,
  REFUSED_FOR,
  REFUSED_PEERS,
} from './sip-large.ts';

const A = { host: '10.0.0.1', port: 5060 };
const B = { host: '10.0.0.2', port: 5060 };

/** Two hosts, how B takes connections, and what came to B. */
async function pair(
  manner: 'listens' | 'refuses' | 'resets' | 'mute',
  largeByTcp?: () => boolean,
  more: Partial<SipTransportOptions> = {},
) {
  const world = new VirtualWorld({ seed: 5 });
  const [hostA, hostB] = [world.host('a', [A.host]), world.host('b', [B.host])];
  const a = agent(hostA, largeByTcp === undefined ? {} : { largeByTcp });
  const came: string[] = [];
  const trace: SipTransportOptions['trace'] = (direction, _flow, text) => void (direction === 'in' && came.push(text));
  const b = agent(hostB, { ...more, trace });
  await a.transport.bind({ udp: A });
  await b.transport.bind(manner === 'listens' ? { udp: B, tcp: B } : { udp: B });
  let connections = 0;
  if (manner === 'resets' || manner === 'mute') {
    await hostB.net.listen(B, (stream: Stream) => {
      connections++;
      const data = (octets: Uint8Array) => void (manner === 'mute' ? came.push(latin1(octets)) : stream.destroy());
      stream.handle({ data, close() {} });
    });
  }
  const flow = await world.settle(a.transport.flowTo({ protocol: 'udp', ...B }));
  const viasOf = (method: string) =>
    came.filter((text) => text.startsWith(`${method} `)).map((text) => read(text).topVia?.transport);
  return { world, a, b, flow, viasOf, connections: () => connections };
}

const padding = (octets: number) => ({ headers: [['Subject', 'x'.repeat(octets)]] as const });
describe('a request too large for a datagram', () => {
  it('goes over TCP, says so in its Via, and the call works', async () => {
    const { world, a, b, flow, viasOf } = await pair('listens');
    const call = callOver(a, flow, { ...padding(1_400), uri: 'sip:b@10.0.0.2' });
    await world.until(() => b.seen.some((one) => one.do === 'confirmed'), 5_000);
    expect(viasOf('INVITE')).toEqual(['TCP']);
    a.transport.act((now, out) => a.endpoint.hangup(call, 'done', now, out));
    await world.until(() => b.seen.some((one) => one.do === 'ended'), 5_000);
    expect(viasOf('BYE')).toEqual(['UDP']);
    await world.run(40_000);
    expect(a.endpoint.counts()).toEqual({ transactions: 0, calls: 0 });
  });

  it('stays on UDP at 1,300 octets, and where the peer’s address is not what the request aims at', async () => {
    const { world, a, flow, viasOf } = await pair('listens');
    callOver(a, flow, { ...padding(300), uri: 'sip:b@10.0.0.2' });
    callOver(a, flow, { ...padding(1_400), uri: 'sip:b@192.168.1.7' });
    await world.run(1_000);
    expect(viasOf('INVITE')).toEqual(['UDP', 'UDP']);
  });

  it.each(['refuses', 'resets'] as const)(
    'goes over UDP to who %s connections, and is not tried there again for a while',
    async (manner) => {
      const { world, a, flow, viasOf, connections } = await pair(manner, () => true);
      callOver(a, flow, padding(1_400));
      await world.run(CONNECT_WITHIN);
      expect(viasOf('INVITE')).toEqual(['UDP']);
      expect(a.seen.map((one) => one.do)).toContain('answered');
      const before = connections();
      callOver(a, flow, padding(1_400));
      await world.run(1_000);
      expect(connections()).toBe(before);
      await world.run(REFUSED_FOR);
      callOver(a, flow, padding(1_400));
      await world.run(1_000);
      expect(connections()).toBe(manner === 'resets' ? before + 1 : 0);
      expect(a.seen.filter((one) => one.do === 'answered')).toHaveLength(3);
    },
  );

  it('is not sent over TCP where its user says so', async () => {
    const { world, a, flow, viasOf } = await pair('listens', () => false);
    callOver(a, flow, { ...padding(1_400), uri: 'sip:b@10.0.0.2' });
    await world.run(1_000);
    expect(viasOf('INVITE')).toEqual(['UDP']);
  });

  it('its CANCEL and the ACK of its refusal go where it went, each once', async () => {
    const { world, a, flow, viasOf } = await pair('listens', () => true, { onOutput() {} });
    const call = callOver(a, flow, padding(1_400));
    await world.run(3_000);
    a.transport.act((now, out) => a.endpoint.hangup(call, '', now, out));
    await world.run(40_000);
    for (const method of ['INVITE', 'CANCEL', 'ACK']) {
      expect(viasOf(method), method).toEqual(['TCP']);
    }
    expect(a.endpoint.counts().transactions).toBe(0);
  });
});

it('a stream gets one copy, however long its peer says nothing', async () => {
  const { world, a, flow, viasOf } = await pair('mute', () => true);
  callOver(a, flow, padding(1_400));
  await world.run(20_000);
  expect(viasOf('INVITE')).toEqual(['TCP']);
});

describe('what is remembered', () => {
  const flow = (host: string) => ({
    ...({ id: host, protocol: 'udp', local: A, remote: { host, port: 5060 }, peer: { kind: 'none' } } as const),
  });
  const invite = (branch: number, method = 'INVITE') =>
    newRequest(method, 'sip:b@h', [
      ['Via', `SIP/2.0/UDP h;branch=z9hG4bK${branch}`],
      ['CSeq', `1 ${method}`],
    ]);
  const large = 'x'.repeat(LARGE_REQUEST + 1);
  const rig = (connects: boolean) => {
    const sent: string[] = [];
    let asked = 0;
    const ways = new LargeRequests({
      clock: { mono: () => 0 },
      connect: (to) => {
        asked++;
        return connects
          ? Promise.resolve({ ...flow('c'), id: `tcp ${to.host}`, protocol: 'tcp' })
          : Promise.reject(new Error('no'));
      },
      send: (to, text) => void sent.push(`${to.protocol} ${text.slice(0, 6)}`),
    });
    return { ways, sent, asked: () => asked };
  };

  it(`the way of ${LARGE_WAYS} requests`, async () => {
    const { ways, sent } = rig(true);
    for (let n = 0; n <= LARGE_WAYS; n++) ways.take(flow('p'), invite(n), large, () => true);
    await Promise.resolve();
    sent.length = 0;
    expect(ways.take(flow('p'), invite(0, 'CANCEL'), 'short', () => true)).toBe(false);
    expect(ways.take(flow('p'), invite(1, 'CANCEL'), 'short', () => true)).toBe(true);
    expect(sent).toEqual(['tcp CANCEL']);
  });

  it('what a peer has said nothing to goes over UDP once its connection is gone, and what it has taken does not', async () => {
    const { ways, sent } = rig(true);
    const tcp = { ...flow('p'), id: 'tcp p', protocol: 'tcp' } as const;
    ways.take(flow('p'), invite(1), large, () => true);
    await Promise.resolve();
    ways.heard(tcp);
    ways.take(flow('p'), invite(2), large, () => true);
    await Promise.resolve();
    sent.length = 0;
    ways.closed(tcp);
    expect(sent).toEqual(['udp xxxxxx']);
    expect([1, 2].map((n) => ways.take(flow('p'), invite(n, 'CANCEL'), 'short', () => true))).toEqual([false, false]);
  });

  it(`${REFUSED_PEERS} peers that take no connection`, async () => {
    const { ways, asked } = rig(false);
    for (let n = 0; n <= REFUSED_PEERS; n++) ways.take(flow(`p${n}`), invite(n), large, () => true);
    for (let turns = 0; turns < 4; turns++) await Promise.resolve();
    const before = asked();
    expect(ways.take(flow('p1'), invite(90_001), large, () => true)).toBe(false);
    expect(ways.take(flow('p0'), invite(90_000), large, () => true)).toBe(true);
    expect(asked()).toBe(before + 1);
  });
});

it.each([
  ['sip:b@10.0.0.2', undefined, true],
  ['sip:b@10.0.0.2:5060', undefined, true],
  ['sip:b@10.0.0.2:5062', undefined, false],
  ['sip:b@example.com', undefined, false],
  ['sip:b@example.com', '<sip:10.0.0.2;lr>', true],
  ['sip:b@10.0.0.2', '<sip:p.example;lr>', false],
])('%s by %s aims at 10.0.0.2: %s', (uri, route, expected) => {
  const lines: [string, string][] = route === undefined ? [] : [['Route', route]];
  expect(aimsAt(newRequest('INVITE', uri, lines), B)).toBe(expected);
});
