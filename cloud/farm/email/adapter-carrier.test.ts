/** The carrier with real connections on loopback: other domains' servers, found by MX. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import { createCarrier } from './adapter-carrier.ts';
import { type DkimKey, loadDkimKey } from './adapter-dkim.ts';

const world = hostWorld({ level: 'error' });
let folder: string;
let key: DkimKey;
let server: SMTPServer | undefined;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearthline-carrier-'));
  key = await loadDkimKey(world, folder, 'hearthline');
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => new Promise<void>((done) => (server === undefined ? done() : server.close(done))));

/** A server of another domain; what it took, and whether over TLS. */
async function open(options: Partial<SMTPServerOptions> = {}) {
  const took: { from: string; secure: boolean; text: string }[] = [];
  server = new SMTPServer({
    authOptional: true,
    disableReverseLookup: true,
    ...(await certificate()),
    onData: (stream, session, done) => {
      let text = '';
      stream.on('data', (chunk) => {
        text += String(chunk);
      });
      stream.on('end', () => {
        const { mailFrom } = session.envelope;
        took.push({ from: mailFrom === false ? '-' : mailFrom.address, secure: session.secure, text });
        done();
      });
    },
    ...options,
  });
  const made = server;
  await new Promise<void>((done) => made.listen(0, '127.0.0.1', () => done()));
  const at = made.server.address();
  return { took, port: typeof at === 'object' && at !== null ? at.port : 0 };
}

/** One that nobody believes: of no authority, for another name. */
async function certificate() {
  const pair = await world.crypto.createKey();
  const now = world.clock.wall();
  const cert = await world.crypto.issue({
    subject: 'somebody else',
    publicKey: pair.publicKey,
    signer: pair.privateKey,
    notBefore: now - 60_000,
    notAfter: now + 3_600_000,
    use: 'server',
  });
  return { key: pair.privateKey, cert };
}

const raw = fromLatin1('From: elm@hearthline\r\nSubject: Hi\r\n\r\ntext\r\n');
const send = (port: number, hosts: readonly string[], sender = 'elm@hearthline', to = ['a@other.example']) =>
  createCarrier({
    world,
    domain: 'hearthline',
    key,
    mxPort: port,
    resolveMx: async () => hosts.map((exchange, priority) => ({ exchange, priority })),
  }).deliver({ domain: 'other.example', sender, recipients: to, raw });

describe('other domains’ servers', () => {
  it('the first that can be reached gets it, signed, over the TLS that it offers whatever its certificate', async () => {
    const { took, port } = await open();
    const results = await send(port, ['127.0.0.99', '127.0.0.1']);
    expect(results.get('a@other.example')).toMatchObject({ is: 'delivered', server: '127.0.0.1' });
    expect(took).toMatchObject([
      { from: 'elm@hearthline', secure: true, text: expect.stringMatching(/^DKIM-Signature: /) },
    ]);
    expect(took[0]?.text.endsWith('Subject: Hi\r\n\r\ntext\r\n')).toBe(true);
  });

  it('a report goes with the null sender', async () => {
    const { took, port } = await open({ disabledCommands: ['STARTTLS'] });
    await send(port, ['127.0.0.1'], '');
    expect(took).toMatchObject([{ from: '', secure: false }]);
  });

  it('each recipient has its own answer', async () => {
    const { port } = await open({
      onRcptTo: ({ address }, _session, done) => {
        const code = address.startsWith('never') ? 550 : address.startsWith('later') ? 451 : undefined;
        done(code === undefined ? null : Object.assign(new Error('no'), { responseCode: code }));
      },
    });
    const to = ['a@other.example', 'never@other.example', 'later@other.example'];
    const results = await send(port, ['127.0.0.1'], 'elm@hearthline', to);
    expect(to.map((one) => results.get(one)?.is)).toEqual(['delivered', 'permanent', 'temporary']);
  });

  it.each([
    ['refuses the mail for good', { onData: refuse(554) }, 'permanent'],
    ['refuses it for now', { onData: refuse(451) }, 'temporary'],
    [
      'refuses the sender for good',
      { onMailFrom: (_at: unknown, _session: unknown, done: (e: Error) => void) => done(fail(550)) },
      'permanent',
    ],
    [
      'refuses the connection',
      { onConnect: (_session: unknown, done: (e: Error) => void) => done(fail(554)) },
      'temporary',
    ],
  ] as const)('a server that %s', async (_what, options, is) => {
    const { port } = await open(options as Partial<SMTPServerOptions>);
    expect((await send(port, ['127.0.0.1'])).get('a@other.example')?.is).toBe(is);
  });

  it('none that can be reached: later', async () => {
    expect((await send(1, ['127.0.0.99', '127.0.0.98'])).get('a@other.example')).toMatchObject({ is: 'temporary' });
  });
});

function fail(code: number): Error {
  return Object.assign(new Error('no'), { responseCode: code });
}

function refuse(code: number): NonNullable<SMTPServerOptions['onData']> {
  return (stream, _session, done) => void stream.on('end', () => done(fail(code))).resume();
}
