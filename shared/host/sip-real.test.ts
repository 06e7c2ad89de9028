/** The transport on real sockets of the loopback: what the virtual network only imitates. */
import { sign } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { type Agent, agent, callOver, optionsText } from '#test/support/sip-agent.ts';
import { fromLatin1 } from '../kernel/bytes.ts';
import { NetError, type World } from '../kernel/world.ts';
import { bitString, context, element, integer, oid, time } from './der.ts';
import { hostWorld } from './world.ts';

const world = hostWorld();
const agents: Agent[] = [];
const on = (options: Parameters<typeof agent>[1] = {}): Agent => {
  const made = agent(world, options);
  agents.push(made);
  return made;
};
afterEach(async () => {
  await Promise.all(agents.splice(0).map((one) => one.transport.close()));
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some((one) => one.address === '::1'));

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

const told = (one: Agent, what: string) => one.seen.some((output) => output.do === what);

/** A call and its end, seen from both sides. */
async function callAndHangUp(a: Agent, b: Agent, flow: Parameters<typeof callOver>[1]): Promise<void> {
  const call = callOver(a, flow);
  await until(() => told(b, 'confirmed') && told(a, 'answered'));
  a.transport.act((now, out) => a.endpoint.hangup(call, '', now, out));
  await until(() => told(b, 'ended'));
}

async function identity(of: World) {
  const ca = await of.crypto.createKey();
  const times = { notBefore: of.clock.wall() - 60_000, notAfter: of.clock.wall() + 3_600_000 };
  const authority = await of.crypto.issue({
    subject: 'ca',
    publicKey: ca.publicKey,
    signer: ca.privateKey,
    use: 'authority',
    ...times,
  });
  const issue = async (subject: string, use: 'server' | 'client') => {
    const key = await of.crypto.createKey();
    const certificate = await of.crypto.issue({
      ...{ subject, use, publicKey: key.publicKey, issuer: authority, signer: ca.privateKey, names: ['127.0.0.1'] },
      ...times,
    });
    return { certificate, key: key.privateKey };
  };
  return { authority, server: await issue('server', 'server'), client: await issue('gw_test', 'client') };
}

/** A certificate that names nobody, not even by an empty common name, and its key. */
async function nameless(of: World) {
  const { publicKey, privateKey } = await of.crypto.createKey();
  const [algorithm, nobody] = [element('sequence', oid('1.2.840.10045.4.3.2')), element('sequence')];
  const lasts = element('sequence', time(of.clock.wall() - 60_000), time(of.clock.wall() + 3_600_000));
  const version = context(0, false, integer(2));
  const info = element('sequence', version, integer(1), algorithm, nobody, lasts, nobody, publicKey);
  const whole = element('sequence', info, algorithm, bitString(sign('sha256', info, privateKey)));
  const text = Buffer.from(whole).toString('base64');
  return { certificate: `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`, key: privateKey };
}

describe('real sockets', () => {
  it.each([
    ['udp', '127.0.0.1'],
    ['tcp', '127.0.0.1'],
    ['udp', '::1'],
    ['tcp', '::1'],
  ] as const)('a call over %s %s', async (protocol, host) => {
    if (host === '::1' && !hasIpv6) return;
    const [a, b] = [on(), on()];
    const bound = await b.transport.bind({ [protocol]: { host, port: 0 } });
    await a.transport.bind({ udp: { host, port: 0 } });
    const flow = await a.transport.flowTo({ protocol, host, port: bound[protocol][0]?.port ?? 0 });
    await callAndHangUp(a, b, flow);
  });

  it.each([
    ['udp', '127.0.0.1'],
    ['udp', '::1'],
    ['tcp', '127.0.0.1'],
    ['tcp', '::1'],
  ] as const)(
    'one socket for all addresses of both families: a call over %s from %s, and one back',
    async (protocol, host) => {
      if (!hasIpv6) return;
      const [a, b] = [on(), on()];
      const bound = await b.transport.bind({ [protocol]: { host: '::', port: 0 } });
      const own = await a.transport.bind({ [protocol]: { host, port: 0 } });
      await callAndHangUp(a, b, await a.transport.flowTo({ protocol, host, port: bound[protocol][0]?.port ?? 0 }));
      await callAndHangUp(b, a, await b.transport.flowTo({ protocol, host, port: own[protocol][0]?.port ?? 0 }));
    },
  );

  it('over TLS: the flow tells who the gateway is; an untrusted certificate can be turned away', async () => {
    const { authority, server, client } = await identity(world);
    const [a, b] = [on(), on({ accept: (flow) => flow.peer.kind === 'none' || flow.peer.trusted })];
    const bound = await b.transport.bind({
      tls: { host: '127.0.0.1', port: 0, tls: { ...server, clientCa: authority } },
    });
    const at = { protocol: 'tls', host: '127.0.0.1', port: bound.tls[0]?.port ?? 0 } as const;
    await callAndHangUp(a, b, await a.transport.flowTo({ ...at, tls: { ca: authority, ...client } }));
    const incoming = b.seen.find((output) => output.do === 'incoming');
    expect(incoming?.do === 'incoming' && incoming.flow.peer).toMatchObject({ subject: 'gw_test', trusted: true });
    const stranger = await identity(world);
    const c = on();
    await c.transport.flowTo({ ...at, tls: { ca: authority, ...stranger.client } });
    await until(() => c.closed.length === 1);
    await expect(on().transport.flowTo({ ...at, tls: { ca: stranger.authority } })).rejects.toThrow();
  });

  it('a certificate without a subject is that of a stranger', async () => {
    const { authority, server } = await identity(world);
    const [a, b] = [on(), on()];
    const bound = await b.transport.bind({
      tls: { host: '127.0.0.1', port: 0, tls: { ...server, clientCa: authority } },
    });
    const at = { protocol: 'tls', host: '127.0.0.1', port: bound.tls[0]?.port ?? 0 } as const;
    await callAndHangUp(a, b, await a.transport.flowTo({ ...at, tls: { ca: authority, ...(await nameless(world)) } }));
    const incoming = b.seen.find((output) => output.do === 'incoming');
    expect(incoming?.do === 'incoming' && incoming.flow.peer).toMatchObject({ subject: '', trusted: false });
  });

  it('an answer to port 0, which a Via may ask for, goes nowhere', async () => {
    const [a, b] = [on(), on()];
    const bound = await b.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    await a.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    const socket = await world.net.udp({ host: '127.0.0.1', port: 0 }, () => {});
    const to = { host: '127.0.0.1', port: bound.udp[0]?.port ?? 0 };
    socket.send(fromLatin1(optionsText().replace('10.0.0.1:5060', '127.0.0.1:0').replace(';rport', '')), to);
    await until(() => told(b, 'request'));
    await socket.close();
    await callAndHangUp(a, b, await a.transport.flowTo({ protocol: 'udp', ...to }));
  });

  it.skipIf(!existsSync('/proc/self/fd'))('what cannot be bound leaves no descriptor behind', async () => {
    const open = () => readdirSync('/proc/self/fd').length;
    const taken = await world.net.udp({ host: '127.0.0.1', port: 0 }, () => {});
    const before = open();
    const gone = { host: '0.0.0.0', port: 0, multicast: { group: '239.255.255.250', interface: '192.0.2.1' } };
    for (const at of [taken.local, gone])
      for (let i = 0; i < 20; i++) await expect(world.net.udp(at, () => {})).rejects.toBeInstanceOf(NetError);
    expect(open() - before).toBeLessThan(10);
    await taken.close();
  });

  it('a port that is taken rejects with its code', async () => {
    const [a, b] = [on(), on()];
    const bound = await a.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    await expect(b.transport.bind({ udp: { host: '127.0.0.1', port: bound.udp[0]?.port ?? 0 } })).rejects.toMatchObject(
      {
        code: 'EADDRINUSE',
      },
    );
  });
});
