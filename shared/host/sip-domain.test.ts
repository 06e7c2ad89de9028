/** TLS between SIP domains on real sockets: for whom a certificate speaks (RFC 5922), and connections used both ways (RFC 5923). */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, agent, callOver } from '#test/support/sip-agent.ts';
import type { IssueOptions } from '../kernel/world.ts';
import type { Flow } from '../sip/types.ts';
import { namesOf } from './certificate-names.ts';
import type { FlowOptions } from './sip.ts';
import { ALIASES, Aliases } from './sip-alias.ts';
import { hostWorld } from './world.ts';

const world = hostWorld();
const HOST = '127.0.0.1';
const agents: Agent[] = [];
const texts: string[] = [];
let ca = '';
let issue: (use: IssueOptions['use'], names: readonly string[]) => Promise<{ certificate: string; key: string }>;

beforeAll(async () => {
  const root = await world.crypto.createKey();
  const now = world.clock.wall();
  const times = { notBefore: now - 60_000, notAfter: now + 3_600_000 };
  const own = { subject: 'ca', publicKey: root.publicKey, signer: root.privateKey };
  ca = await world.crypto.issue({ ...own, ...times, use: 'authority' });
  issue = async (use, names) => {
    const { publicKey, privateKey } = await world.crypto.createKey();
    const signed = { publicKey, issuer: ca, signer: root.privateKey, use, names };
    return { certificate: await world.crypto.issue({ subject: 'subject.test', ...signed, ...times }), key: privateKey };
  };
});
afterEach(async () => {
  texts.length = 0;
  await Promise.all(agents.splice(0).map(({ transport }) => transport.close()));
});

/** An agent that listens for TLS with such a certificate, and where. */
async function listening(use: IssueOptions['use'], names: readonly string[]) {
  const identity = await issue(use, names);
  const made = agent(world, { trace: (way, _flow, text) => void (way === 'in' && texts.push(text)) });
  agents.push(made);
  const [at] = (await made.transport.bind({ tls: { host: HOST, port: 0, tls: { ...identity, clientCa: ca } } })).tls;
  return { ...made, identity, port: at?.port ?? 0 };
}

const to = (port: number, tls: FlowOptions['tls'], alias = false): FlowOptions => ({
  ...{ protocol: 'tls', host: HOST, port, alias },
  tls: { ca, sipDomain: true, ...tls },
});

describe('the certificate of a server that was found for a domain (RFC 5922 section 7)', () => {
  it.each<[names: readonly string[], domain: string, good: boolean]>([
    [['sip:carrier.test'], 'carrier.test', true],
    [['sip:carrier.test', 'sbc.carrier.test'], 'Carrier.Test', true],
    [['sip:carrier.test', 'sbc.carrier.test'], 'sbc.carrier.test', false],
    [['carrier.test'], 'carrier.test', true],
    [['*.carrier.test'], 'sbc.carrier.test', false],
    [['sip:alice@carrier.test'], 'carrier.test', false],
    [[], 'subject.test', true],
  ])('of %j for %s: %s', async (names, domain, good) => {
    const server = await listening('server', names);
    const client = agent(world);
    agents.push(client);
    const flow = client.transport.flowTo(to(server.port, { serverName: domain }));
    if (good) expect(await flow).toMatchObject({ protocol: 'tls' });
    else await expect(flow).rejects.toMatchObject({ name: 'NetError' });
  });

  it('is read whatever characters stand in it', () => {
    const subjectAltName = 'URI:"sip:a, DNS:evil.test\\u0000", DNS:good.test, IP Address:192.0.2.1, DNS:"x\\"y"';
    expect(namesOf({ subject: 'O=x\nCN=c', subjectAltName })).toEqual({
      subject: 'c',
      alternative: { uris: ['sip:a, DNS:evil.test\0'], dns: ['good.test', 'x"y'] },
    });
    expect(namesOf({ subject: 'CN=c', subjectAltName: 'DNS:"\\x"' }).alternative).toEqual({ uris: [], dns: [''] });
  });
});

describe('a connection that both sides proved themselves on (RFC 5923)', () => {
  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(condition()).toBe(true);
  };

  /** The caller opens a connection with or without a certificate and the wish, and calls; then the called side wants one to it. */
  async function backwards(shows: boolean, alias: boolean, domain = 'b.test') {
    const [a, b] = [await listening('domain', ['sip:a.test']), await listening('domain', ['sip:b.test'])];
    const flow = await b.transport.flowTo(to(a.port, { serverName: 'a.test', ...(shows ? b.identity : {}) }, alias));
    callOver(b, flow);
    await until(() => a.seen.some(({ do: what }) => what === 'confirmed'));
    const via = /^Via: (.*)$/m.exec(texts[0] ?? '')?.[1] ?? '';
    const back = await a.transport.flowTo(to(b.port, { serverName: domain })).catch(() => undefined);
    return { a, b, via, back };
  }

  it('is used the other way where its opener says so, by the port at which that listens', async () => {
    const { a, b, via, back } = await backwards(true, true);
    expect(via).toMatch(new RegExp(`^SIP/2\\.0/TLS 127\\.0\\.0\\.1:${b.port};.*;alias$`));
    expect(a.transport.counts().connections).toBe(1);
    if (back === undefined) throw new Error('no way back');
    callOver(a, back);
    await until(() => b.seen.some(({ do: what }) => what === 'confirmed'));
    a.transport.closeFlow(back);
    await until(() => b.closed.length > 0 || b.transport.counts().connections === 0);
    const next = await a.transport.flowTo(to(b.port, { serverName: 'b.test' }));
    expect(next.id).not.toBe(back.id);
  });

  it.each([
    ['its opener does not say so', true, false, 'b.test'],
    ['its opener proved nothing', false, true, 'b.test'],
    ['another domain is wanted', true, true, 'other.test'],
  ])('is not, where %s', async (_name, shows, alias, domain) => {
    const { a, via, back } = await backwards(shows, alias, domain);
    expect(via.includes(';alias')).toBe(shows && alias);
    expect(back === undefined || a.transport.counts().connections === 2).toBe(true);
  });

  it('over TCP never', () => {
    const aliases = new Aliases();
    const text = (port: number) =>
      `OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS h:${port};branch=z9hG4bK1;alias\r\nCSeq: 1 OPTIONS\r\n\r\n`;
    const peer = {
      kind: 'certificate',
      subject: 's',
      keyHash: 'k',
      trusted: true,
      selfSigned: false,
      serial: '1',
    } as const;
    const flow = (id: string, protocol: 'tcp' | 'tls', trusted = true): Flow => ({
      ...{ id, protocol, local: { host: 'a', port: 1 }, remote: { host: 'h', port: 9 } },
      peer: { ...peer, trusted, domains: ['d.test'] },
    });
    aliases.heard(flow('1', 'tcp'), text(1));
    aliases.heard(flow('2', 'tls', false), text(2));
    aliases.heard(flow('3', 'tls'), text(3).replace(';alias', ';aliased'));
    expect([1, 2, 3].map((port) => aliases.find('h', port, 'd.test'))).toEqual([undefined, undefined, undefined]);
    for (let n = 10; n <= 10 + ALIASES; n++) aliases.heard(flow(`f${n}`, 'tls'), text(n));
    expect(aliases.find('h', 10, 'd.test')).toBeUndefined();
    expect(aliases.find('h', 11, 'D.test')?.id).toBe('f11');
    aliases.closed(flow('f11', 'tls'));
    expect(aliases.find('h', 11, 'd.test')).toBeUndefined();
  });
});
