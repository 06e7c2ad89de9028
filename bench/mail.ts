/**
 * Signed mails a second: `mail.send` until the other server has them (stored, queued, DKIM-signed, delivered, outcome stored; every step
 * durable on disk), beside nodemailer alone (its pool and its DKIM, nothing kept), to the same server with the same key, in turns in
 * one run. Prints the medians over the rounds and their ratio. `bin/node bench/mail.ts [rounds] [mails]`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { SMTPServer } from 'smtp-server';
import type { Context } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import { createEmailServer } from '#cloud/farm/email/server.ts';
import { openStore } from '#cloud/store/server.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { hostWorld } from '#shared/host/world.ts';
import { latin1 } from '#shared/kernel/bytes.ts';

/** Requests under way at once, connections to the other server, and mails of one mailbox (its burst is 120 recipients). */
const AT_ONCE = 32;
const CONNECTIONS = 8;
const PER_MAILBOX = 100;
const TEXT = 'A line of text as people write it, or nearly so.\n'.repeat(20);
const OPERATOR: Context = { principal: { kind: 'part', part: 'application-server' } };

/** The other server: takes everything and keeps nothing. */
function serveSink(): void {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onData: (stream, _session, done) => void stream.on('end', () => done()).resume(),
  });
  server.listen(0, '127.0.0.1', () => {
    const at = server.server.address();
    process.stdout.write(`${typeof at === 'object' ? at?.port : ''}\n`);
  });
  process.stdin.on('end', () => process.exit(0)).resume();
}

function startSink(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(process.execPath, [import.meta.filename, 'sink'], { stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve) => child.stdout?.once('data', (data) => resolve({ child, port: Number(data) })));
}

/** Runs `work` for 0 to n - 1, so many at once; ms. */
async function timed(n: number, work: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < n) await work(next++);
    }),
  );
  return performance.now() - start;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

/** Resolves once nothing waits for the other server. */
async function drained(store: Store): Promise<void> {
  while ((await store.one('SELECT id FROM mail_queue LIMIT 1')) !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

async function main(rounds: number, mails: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hearthline-mail-'));
  const { child, port } = await startSink();
  const world = hostWorld({ level: 'error' });
  const store = await openStore(join(folder, 'hearthline.db'));
  const bus = createBus(world);
  const config = {
    data: folder,
    domain: 'hearthline',
    bound: {},
    mail: { domain: 'hearthline.example', relay: `smtp://127.0.0.1:${port}` },
  } as unknown as CloudConfig;
  const part = await createEmailServer().start({ world, bus, store, config });
  const privateKey = latin1((await world.disk.read(join(folder, 'mail/dkim.pem'))) ?? new Uint8Array());
  const alone = createTransport({
    pool: true,
    maxConnections: CONNECTIONS,
    maxMessages: Number.POSITIVE_INFINITY,
    host: '127.0.0.1',
    port,
    dkim: { domainName: 'hearthline.example', keySelector: 'hearthline', privateKey },
  });
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round++) {
    const boxes: string[] = [];
    for (let i = 0; i < Math.ceil(mails / PER_MAILBOX); i++) {
      const home = `home_${round}_${i}`;
      await store.commit([sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, 0)', home, home)]);
      const made = await bus.request('mailbox.create', { home }, OPERATOR);
      if (!made.ok) throw new Error(JSON.stringify(made.fault));
      boxes.push(made.value.id);
    }
    const start = performance.now();
    await timed(mails, async (i) => {
      const mailbox = boxes[Math.floor(i / PER_MAILBOX)] ?? '';
      const request = { mailbox, to: [`a${i}@other.example`], subject: `Mail ${i}`, text: TEXT };
      const sent = await bus.request('mail.send', request, OPERATOR, 60_000);
      if (!sent.ok) throw new Error(JSON.stringify(sent.fault));
    });
    await drained(store);
    const mine = performance.now() - start;
    const his = await timed(mails, (i) =>
      alone.sendMail({
        from: 'elm@hearthline.example',
        to: `a${i}@other.example`,
        subject: `Mail ${i}`,
        text: TEXT,
      }),
    );
    // The first round warms both up.
    if (round === 0) continue;
    ours.push((mails * 1000) / mine);
    theirs.push((mails * 1000) / his);
  }
  const [a, b] = [median(ours), median(theirs)];
  console.log(`mails of ${TEXT.length} characters, ${mails} in a round, ${rounds} rounds`);
  console.log(`hearthline, durable and signed: ${a.toFixed(0)} mails/s`);
  console.log(`nodemailer alone, signed:       ${b.toFixed(0)} mails/s`);
  console.log(`ratio ${(a / b).toFixed(2)}`);
  alone.close();
  await part.stop();
  await store.close();
  child.stdin?.end();
  await rm(folder, { recursive: true });
}

if (process.argv[2] === 'sink') serveSink();
else await main(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 500));
