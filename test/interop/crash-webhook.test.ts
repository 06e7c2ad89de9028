/**
 * The real cloud dies at every crash point of the webhook flow once, and at ten random instants (200 in the long suite). What it said yes to is heard by the
 * receiver: nothing is lost, what comes twice has the same webhook-id and the same octets, and each thing's events come in order.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isLong } from '../peers.ts';
import { seed } from '../support/seed.ts';

const root = resolve(import.meta.dirname, '../..');
const KILLS = isLong ? 200 : 10;

interface Ready {
  readonly http: string;
  readonly operatorToken: string;
}
interface Heard {
  readonly id: string;
  readonly body: string;
}

const folder = mkdtempSync(join(tmpdir(), 'hearthline-crash-webhook-'));
const heard: Heard[] = [];
/** Sessions that the cloud said yes to, and those whose end it said yes to. */
const made: string[] = [];
const ended: string[] = [];
let receiver: Server;
let cloud: { child: ChildProcess; ready: Ready } | undefined;
let home = '';
let keys = 0;

beforeAll(async () => {
  receiver = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      heard.push({ id: String(request.headers['webhook-id']), body });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  await start();
  home = String((await ask('/v1/homes', { name: 'Elm' })).id);
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  await ask('/v1/webhooks', { home, url, types: ['home.qos.*'] });
}, 60_000);
afterAll(async () => {
  await kill();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(10)) if (condition()) return;
  throw new Error(`${what}: not within 20 s`);
}

async function start(crashAt?: number): Promise<void> {
  const file = join(folder, 'ready');
  rmSync(file, { force: true });
  const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);
  const crash = crashAt === undefined ? [] : ['--crash-at', String(crashAt), '--crash-on-signal'];
  const child = spawn(
    join(root, 'bin/hearthline'),
    ['cloud', '--data', join(folder, 'data'), ...any, '--media', '127.0.0.1:29000-29019', '--ready', file, ...crash],
    { stdio: 'ignore', env: { ...process.env, NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/modules') } },
  );
  await until(() => existsSync(file) || child.exitCode !== null, 'the cloud to start');
  cloud = { child, ready: JSON.parse(readFileSync(file, 'utf8')) as Ready };
}

const dead = () => cloud === undefined || cloud.child.exitCode !== null || cloud.child.signalCode !== null;

async function kill(): Promise<void> {
  if (!dead()) process.kill(pidOf(), 'SIGKILL');
  await until(dead, 'the cloud to die');
}

function pidOf(): number {
  return (JSON.parse(readFileSync(join(folder, 'ready'), 'utf8')) as { pid: number }).pid;
}

async function ask(path: string, body?: object, key = `k${++keys}`, method = 'POST'): Promise<Record<string, unknown>> {
  const { http = '', operatorToken = '' } = cloud?.ready ?? {};
  const reply = await fetch(`${http}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${operatorToken}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': key }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(5_000),
  });
  if (!reply.ok && !(method === 'DELETE' && reply.status === 404)) throw new Error(`${path}: ${reply.status}`);
  const text = await reply.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

/** One session is made and deleted, each asked for again with the same key until the cloud says yes; false while it is dead. */
function flow() {
  const key = `flow${++keys}`;
  let id: string | undefined;
  return async (): Promise<boolean> => {
    try {
      id ??= String((await ask('/v1/qos/sessions', { home, profile: 'voice', duration: 3600 }, key)).id);
      if (!made.includes(id)) made.push(id);
      await ask(`/v1/qos/sessions/${id}`, undefined, '', 'DELETE');
      ended.push(id);
      return true;
    } catch {
      return false;
    }
  };
}

const events = (id: string) =>
  [...new Map(heard.map((one) => [one.id, one.body])).values()].filter((body) => body.includes(id));
const states = (id: string) => events(id).map((body) => (JSON.parse(body) as { data: { state: string } }).data.state);

/** Everything said yes to has been heard, in order. */
async function judge(): Promise<void> {
  await until(() => ended.every((id) => events(id).length >= 2), 'every event to be heard');
  for (const id of made) expect([id, states(id)]).toEqual([id, ['AVAILABLE', 'UNAVAILABLE']]);
  const bodies = new Map<string, Set<string>>();
  for (const { id, body } of heard) bodies.set(id, (bodies.get(id) ?? new Set()).add(body));
  for (const [id, all] of bodies) expect([id, all.size]).toEqual([id, 1]);
}

describe(`kill -9 of the cloud while webhooks go out (HEARTHLINE_SEED=${seed})`, {
  timeout: isLong ? 1_800_000 : 120_000,
}, () => {
  test('at every crash point of the flow', async () => {
    let point = 1;
    for (; ; point++) {
      await kill();
      await start(point);
      process.kill(pidOf(), 'SIGUSR2');
      await pause(20);
      const go = flow();
      const before = ended.length;
      await go();
      await Promise.race([until(dead, 'death').catch(() => undefined), pause(600)]);
      const survived = !dead();
      if (!survived) await start();
      for (let n = 0; n < 20 && ended.length === before; n++) if (!(await go())) await pause(50);
      expect(ended.length).toBe(before + 1);
      if (survived) break;
    }
    console.info(`webhook crash points: ${point - 1}`);
    expect(point).toBeGreaterThan(8);
    await judge();
  });

  test(`at ${KILLS} random instants`, async () => {
    for (let n = 0; n < KILLS; n++) {
      if (dead()) await start();
      const wait = ((seed * 7919 + n * 104_729) % 400) + 5;
      const unfinished: (() => Promise<boolean>)[] = [];
      const work = (async () => {
        while (!dead()) {
          const go = flow();
          if (!(await go())) unfinished.push(go);
        }
      })();
      await pause(wait);
      await kill();
      await work;
      await start();
      for (const go of unfinished) expect(await go()).toBe(true);
    }
    await judge();
    expect(ended.length).toBeGreaterThan(20);
    console.info(
      `sessions ${made.length}, deliveries ${heard.length}, twice ${heard.length - new Set(heard.map((one) => one.id)).size}`,
    );
  });
});
