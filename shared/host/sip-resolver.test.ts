import { describe, expect, it } from 'vitest';
import { NetError, type Stream } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { parseUri, type SipUri } from '#shared/sip/uri.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { answerFrom, type ZoneRecord } from '#test/support/dns-zone.ts';
import { ASK_AGAIN, DNS_CACHE, STALE_FOR } from './dns.ts';
import type { FlowOptions } from './sip.ts';
import { AVOID_FOR, AVOIDED, flowByName, flowsByName, SERVERS, SipResolver } from './sip-resolver.ts';

const uri = (text: string): SipUri => parseUri(text) ?? { scheme: 'sip', host: '', params: new Map() };

/** A resolver, and two DNS servers of which the first may be silent or cut its answers short. */
async function rig(first: 'good' | 'silent' | 'cut' = 'good') {
  const world = new VirtualWorld({ seed: 9 });
  const zone: Record<string, ZoneRecord[]> = {
    'trunk.example': [{ type: 'NAPTR', data: '1 1 s SIP+D2U _sip._udp.trunk.example' }],
    '_sip._udp.trunk.example': [
      { type: 'SRV', data: '1 0 5060 one.trunk.example' },
      { type: 'SRV', data: '2 0 5060 two.trunk.example' },
    ],
    'one.trunk.example': [{ type: 'A', data: '192.0.2.1' }],
    'two.trunk.example': [{ type: 'A', data: '192.0.2.2' }],
  };
  let asked = 0;
  const servers = ['10.0.0.53', '10.0.0.54'].map((host) => ({ host, port: 53 }));
  for (const [i, at] of servers.entries()) {
    const { net } = world.host(`dns${i}`, [at.host]);
    const manner = i === 0 ? first : 'good';
    const socket = await net.udp(at, (question, from) => {
      asked++;
      if (manner !== 'silent') socket.send(answerFrom(zone, question, manner === 'cut' ? 0x8380 : 0x8180), from);
    });
    await net.listen(at, (stream: Stream) => {
      stream.handle({
        close() {},
        data(data) {
          const answer = answerFrom(zone, data.subarray(2));
          // In two pieces, as a network may cut it.
          stream.write(Uint8Array.of(answer.length >> 8, answer.length & 255, ...answer.subarray(0, 20)));
          stream.write(answer.subarray(20));
        },
      });
    });
  }
  const host = world.host('switch', ['10.0.0.1']);
  const resolver = new SipResolver(host, { servers, protocols: ['udp', 'tcp', 'tls'], families: [4] });
  const find = async (text: string) =>
    (await world.settle(resolver.locate(uri(text)))).map((hop) => `${hop.protocol} ${hop.host}`);
  return { world, zone, resolver, find, asked: () => asked };
}

const BOTH = ['udp 192.0.2.1', 'udp 192.0.2.2'];

describe('finding servers over a network', () => {
  it('asks once, and again when the answer’s time is over', async () => {
    const { world, zone, find, asked } = await rig();
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    const first = asked();
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    expect(asked()).toBe(first);
    zone['one.trunk.example'] = [{ type: 'A', data: '192.0.2.99' }];
    await world.run(61_000);
    expect(await find('sip:x@trunk.example')).toEqual(['udp 192.0.2.99', 'udp 192.0.2.2']);
  });

  it('questions that are the same and at the same time are one', async () => {
    const { world, resolver, asked } = await rig();
    const all = [1, 2, 3].map(() => resolver.locate(uri('sip:x@one.trunk.example:5060')));
    await world.settle(Promise.all(all));
    expect(asked()).toBe(1);
  });

  it.each(['silent', 'cut'] as const)('goes on where the first server is %s', async (manner) => {
    const { find } = await rig(manner);
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
  });

  it('a name that does not exist is remembered for a while; an unknown server leads nowhere, and nothing throws', async () => {
    const { world, find, asked, zone } = await rig();
    expect(await find('sip:x@nobody.example:5060')).toEqual([]);
    const first = asked();
    await find('sip:x@nobody.example:5060');
    expect(asked()).toBe(first);
    zone['nobody.example'] = [{ type: 'A', data: '192.0.2.8' }];
    await world.run(31_000);
    expect(await find('sip:x@nobody.example:5060')).toEqual(['udp 192.0.2.8']);
    world.partition(['switch']);
    expect(await find('sip:x@other.example')).toEqual([]);
  });

  it('what was known serves on for a day where DNS cannot say, and is asked for again meanwhile', async () => {
    const { world, find, zone } = await rig();
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    world.partition(['switch']);
    await world.run(61_000);
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    world.heal();
    zone['one.trunk.example'] = [{ type: 'A', data: '192.0.2.99' }];
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    await world.run(ASK_AGAIN);
    expect(await find('sip:x@trunk.example')).toEqual(['udp 192.0.2.99', 'udp 192.0.2.2']);
    world.partition(['switch']);
    await world.run(61_000 + STALE_FOR);
    expect(await find('sip:x@trunk.example')).toEqual([]);
  });

  it('a server that failed comes last for a minute, or until it works', async () => {
    const { world, find, resolver } = await rig();
    const [one] = await world.settle(resolver.locate(uri('sip:x@trunk.example')));
    if (one === undefined) throw new Error('no server');
    resolver.failed(one);
    expect(await find('sip:x@trunk.example')).toEqual([...BOTH].reverse());
    resolver.worked(one);
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
    resolver.failed(one);
    await world.run(AVOID_FOR + 1);
    expect(await find('sip:x@trunk.example')).toEqual(BOTH);
  });

  it('what is kept is bounded: of answers, and of servers to be avoided', async () => {
    const { world, resolver, find, asked, zone } = await rig();
    for (let n = 0; n <= DNS_CACHE; n++) zone[`n${n}.example`] = [{ type: 'A', data: '192.0.2.3', ttl: 3600 }];
    for (let n = 0; n <= DNS_CACHE; n++) await find(`sip:x@n${n}.example:5060`);
    const before = asked();
    await find(`sip:x@n${DNS_CACHE}.example:5060`);
    expect(asked()).toBe(before);
    await find('sip:x@n0.example:5060');
    expect(asked()).toBe(before + 1);
    const hop = (port: number) => ({ protocol: 'udp' as const, host: '192.0.2.3', port, serverName: 'n1.example' });
    for (let port = 1; port <= AVOIDED + 1; port++) resolver.failed(hop(port));
    zone['pair.example'] = [
      { type: 'A', data: '192.0.2.4' },
      { type: 'A', data: '192.0.2.3' },
    ];
    resolver.failed({ ...hop(5060), host: '192.0.2.4' });
    expect(await find('sip:x@pair.example:5060')).toEqual(['udp 192.0.2.3', 'udp 192.0.2.4']);
    await world.run(1);
  });
});

describe('a flow by name', () => {
  /** A transport that reaches only these addresses. */
  const reaching = (...hosts: string[]) => {
    const tried: string[] = [];
    const flowTo = async (to: FlowOptions) => {
      tried.push(`${to.host}:${to.port} ${to.tls?.serverName ?? ''}`.trim());
      if (!hosts.includes(to.host)) throw new NetError('ECONNREFUSED', to.host);
      return { id: to.host } as Flow;
    };
    return { tried, flowTo };
  };

  it('goes to the next server where one cannot be reached, and there at once the next time', async () => {
    const { world, zone, resolver } = await rig();
    zone['_sips._tcp.trunk.example'] = [
      { type: 'SRV', data: '1 0 5071 one.trunk.example' },
      { type: 'SRV', data: '2 0 5072 two.trunk.example' },
    ];
    const transport = reaching('192.0.2.2');
    const open = () =>
      world.settle(flowByName(transport, resolver, { protocol: 'tls', host: 'trunk.example', port: 5061 }));
    expect((await open()).id).toBe('192.0.2.2');
    await open();
    const [one, two] = ['192.0.2.1:5071 trunk.example', '192.0.2.2:5072 trunk.example'];
    expect(transport.tried).toEqual([one, two, two]);
  });

  it('a port of its own is kept; an address needs no DNS; nobody there is said', async () => {
    const { world, resolver, asked } = await rig();
    const transport = reaching('192.0.2.1', '192.0.2.7');
    const open = (host: string, port: number) =>
      world.settle(flowByName(transport, resolver, { protocol: 'tcp', host, port }));
    expect((await open('192.0.2.7', 5060)).id).toBe('192.0.2.7');
    expect(asked()).toBe(0);
    await open('one.trunk.example', 5099);
    expect(transport.tried).toEqual(['192.0.2.7:5060', '192.0.2.1:5099']);
    await expect(open('two.trunk.example', 5060)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(open('nobody.example', 5060)).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it(`over UDP goes to each of ${SERVERS} servers, over streams to the first that stands; a way without a protocol is DNS’s`, async () => {
    const { world, zone, resolver } = await rig();
    const hosts = Array.from({ length: SERVERS + 1 }, (_, i) => `192.0.2.${i + 1}`);
    zone['many.example'] = hosts.map((data) => ({ type: 'A', data }));
    const transport = reaching(...hosts);
    const all = (protocol?: 'udp' | 'tcp', host = 'many.example') =>
      world.settle(flowsByName(transport, resolver, { protocol, host }));
    expect((await all('udp')).map(({ flow }) => flow.id)).toEqual(hosts.slice(0, SERVERS));
    expect((await all('tcp')).map(({ flow }) => flow.id)).toEqual(hosts.slice(0, 1));
    expect((await all(undefined, 'trunk.example')).map(({ hop }) => hop?.protocol)).toEqual(['udp', 'udp']);
    expect((await all(undefined, '192.0.2.7')).map(({ flow, hop }) => [flow.id, hop])).toEqual([
      ['192.0.2.7', undefined],
    ]);
  });
});
