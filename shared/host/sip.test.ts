import { describe, expect, it } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import type { World } from '../kernel/world.ts';
import { Endpoint } from '../sip/endpoint.ts';
import type { Flow, SipProtocol } from '../sip/types.ts';
import { SipTransport, type SipTransportOptions, type UserOutput } from './sip.ts';
import { sipHash } from './sip-hash.ts';

interface Agent {
  readonly endpoint: Endpoint;
  readonly transport: SipTransport;
  readonly seen: UserOutput[];
  readonly wire: string[];
}

/** An agent that answers every call and accepts every offer. */
function agent(world: World, options: Partial<SipTransportOptions> = {}): Agent {
  const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
  const seen: UserOutput[] = [];
  const wire: string[] = [];
  const transport: SipTransport = new SipTransport(world, {
    endpoint,
    onOutput(output) {
      seen.push(output);
      if (output.do === 'incoming') {
        transport.act((now, out) => {
          endpoint.progress(output.call, 180, {}, now, out);
          endpoint.answer(output.call, { sdp: 'answer', contact: 'sip:callee@10.0.0.2' }, now, out);
        });
      }
    },
    trace: (direction, _flow, text) => wire.push(`${direction} ${text.slice(0, text.indexOf('\r\n'))}`),
    ...options,
  });
  return { endpoint, transport, seen, wire };
}

async function pair(protocol: SipProtocol, v6 = false, seed = 1) {
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

function call(a: Agent, flow: Flow): string {
  return a.transport.act((now, out) =>
    a.endpoint.invite(
      {
        uri: 'sip:b@example.com',
        from: '<sip:a@example.com>',
        to: '<sip:b@example.com>',
        flow,
        contact: 'sip:a@10.0.0.1',
        sdp: 'offer',
      },
      now,
      out,
    ),
  );
}

const names = (agent: Agent): string[] => agent.seen.map((output) => output.do);

describe('a call between two hosts', () => {
  const cases: [SipProtocol, boolean][] = [
    ['udp', false],
    ['udp', true],
    ['tcp', false],
    ['tcp', true],
    ['tls', false],
  ];
  it.each(cases)('over %s (IPv6: %s) is set up, ended and forgotten', async (protocol, v6) => {
    const { world, a, b, flow } = await pair(protocol, v6);
    const handle = call(a, flow);
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

const one = (wire: string[], word: string): number => wire.filter((line) => line.includes(word)).length;
