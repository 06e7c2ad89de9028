/** Clients of a TLS listener that believes further authorities: whose certificate it is decides, whatever the client sends beside it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IssueOptions, KeyPair, Listener, Peer, TlsClientOptions } from '#shared/kernel/world.ts';
import { hostWorld } from './world.ts';

const HOST = '127.0.0.1';
const world = hostWorld({ level: 'error' });
const { crypto, clock } = world;
const times = { notBefore: clock.wall() - 1_000, notAfter: clock.wall() + 3_600_000 };

interface Held {
  readonly certificate: string;
  readonly key: KeyPair;
}

async function made(
  subject: string,
  use: IssueOptions['use'],
  by?: Held,
  more: Partial<IssueOptions> = {},
): Promise<Held> {
  const key = await crypto.createKey();
  const signed = by === undefined ? { signer: key.privateKey } : { issuer: by.certificate, signer: by.key.privateKey };
  const certificate = await crypto.issue({ subject, publicKey: key.publicKey, use, ...signed, ...times, ...more });
  return { certificate, key };
}

let [own, carrier, stranger]: Held[] = [];
let listener: Listener;
const seen: Peer[] = [];

beforeAll(async () => {
  own = await made('Operator', 'authority');
  carrier = await made('Carrier', 'authority');
  stranger = await made('Stranger', 'authority');
  const server = await made('server', 'server', own, { names: [HOST] });
  const tls = { certificate: server.certificate, key: server.key.privateKey, clientCa: own.certificate };
  listener = await world.net.listen({ host: HOST, port: 0, tls }, (stream) => {
    seen.push(stream.peer);
    stream.destroy();
  });
});
afterAll(() => listener.close());

/** What the listener learns of a client that shows these certificates. */
async function shown({ certificate, key }: Held, beside = ''): Promise<Peer | undefined> {
  const tls: TlsClientOptions = { ca: own?.certificate ?? '', certificate: certificate + beside, key: key.privateKey };
  const before = seen.length;
  const stream = await world.net.connect({ host: HOST, port: listener.local.port, tls });
  const closed = new Promise<void>((resolve) => stream.handle({ data() {}, close: () => resolve() }));
  await closed;
  return seen[before];
}
const client = (by: Held | undefined, more: Partial<IssueOptions> = {}) =>
  made('client', 'domain', by, { names: ['sip:carrier.test'], ...more });

describe('a client whose certificate', () => {
  it('is ours is trusted, before and after others are believed', async () => {
    expect(await shown(await client(own))).toMatchObject({ trusted: true });
    expect(await shown(await client(carrier))).toMatchObject({ trusted: false });
    listener.believe([carrier?.certificate ?? '']);
    expect(await shown(await client(own))).toMatchObject({ trusted: true });
    expect(await shown(await client(own))).not.toHaveProperty('authority');
  });

  it('is of a further authority comes as that one’s, and never as ours', async () => {
    listener.believe([stranger?.certificate ?? '', carrier?.certificate ?? '']);
    const authority = carrier?.key.keyHash;
    expect(await shown(await client(carrier))).toMatchObject({ trusted: false, authority, domains: ['carrier.test'] });
    expect(await shown(await client(carrier), own?.certificate)).toMatchObject({ trusted: false, authority });
  });

  it('is of nobody, or over, proves nothing', async () => {
    listener.believe([carrier?.certificate ?? '']);
    const over = { notBefore: clock.wall() - 9_000, notAfter: clock.wall() - 5_000 };
    for (const one of [await client(stranger), await client(undefined), await client(carrier, over)]) {
      const peer = await shown(one);
      expect(peer).toMatchObject({ trusted: false });
      expect(peer).not.toHaveProperty('authority');
    }
    listener.believe([]);
    expect(await shown(await client(carrier))).not.toHaveProperty('authority');
  });

  it('comes with a forged issuer is not ours for that', async () => {
    listener.believe([carrier?.certificate ?? '']);
    if (own === undefined) throw new Error('no authority');
    // It has the name of the carrier's authority and names ours as its issuer, which never signed it.
    const key = await crypto.createKey();
    const forged = await crypto.issue({
      ...{ subject: 'Carrier', publicKey: key.publicKey, use: 'authority', issuer: own.certificate },
      ...{ signer: key.privateKey, ...times },
    });
    const peer = await shown(await client(carrier), forged + own.certificate);
    expect(peer).toMatchObject({ trusted: false, authority: carrier?.key.keyHash });
  });

  it('was signed with that of a client of ours proves nothing', async () => {
    listener.believe([carrier?.certificate ?? '']);
    const gateway = await client(own);
    const peer = await shown(await client(gateway), gateway.certificate);
    expect(peer).toMatchObject({ trusted: false });
    expect(peer).not.toHaveProperty('authority');
  });
});
