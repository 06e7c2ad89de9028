/** A first boot with real processes: a card's settings, the image's own first step, the agent, and a cloud that pairs it by a claim. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually as until } from './netns.ts';

const root = resolve(import.meta.dirname, '../..');
const hearthline = join(root, 'bin/hearthline');
const faketime = '/usr/bin/faketime';

interface CloudReady {
  readonly http: string;
  readonly operatorToken: string;
}

let folder: string;
let cloud: CloudReady;
const children: ChildProcess[] = [];
const at = (path: string) => join(folder, path);
const json = <T>(path: string): T | undefined =>
  existsSync(at(path)) ? (JSON.parse(readFileSync(at(path), 'utf8')) as T) : undefined;

function start(program: string, ...words: string[]): { readonly child: ChildProcess; said(): string } {
  let said = '';
  const child = spawn(program, words, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  children.push(child);
  return { child, said: () => said };
}

/** Waits until there is something, and gives it. */
async function eventually<T>(look: () => T | undefined, limit: number): Promise<T> {
  await until(() => look() !== undefined, limit, String(look));
  return look() as T;
}

async function ask<T>(path: string, body?: object): Promise<T> {
  const reply = await fetch(`${cloud.http}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${cloud.operatorToken}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(reply.ok).toBe(true);
  return (await reply.json()) as T;
}

/** A claim as the operator makes it, by the command. */
function makeClaim(home: string): string {
  const words = ['claim', 'create', '--home', home, '--json', '--cloud', cloud.http, '--token', cloud.operatorToken];
  return (JSON.parse(execFileSync(hearthline, words, { cwd: root }).toString()) as { claim: string }).claim;
}

/** Ends a program with what it has started: `faketime` waits for its own and hands no signal on. */
function end({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGTERM');
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'first-boot-'));
  const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);
  start(
    hearthline,
    'cloud',
    '--data',
    at('cloud'),
    ...any,
    '--media',
    '127.0.0.1:28200-28299',
    '--ready',
    at('cloud.json'),
  );
  cloud = await eventually(() => json<CloudReady>('cloud.json'), 30_000);
});
afterAll(async () => {
  for (const child of children) {
    const gone = new Promise((done) => child.once('exit', done));
    end(child);
    if (child.exitCode === null && child.signalCode === null) await gone;
  }
  rmSync(folder, { recursive: true });
});

/** Does what the image does at a start, with the partitions of `name`, and runs its agent. */
function boot(name: string, settings: object, ...before: string[]) {
  for (const part of ['boot', 'data/hearthline', 'run', 'root/proc/sys/kernel'])
    mkdirSync(at(`${name}/${part}`), { recursive: true });
  writeFileSync(at(`${name}/root/proc/sys/kernel/hostname`), '\n');
  mkdirSync(at(`${name}/root/etc/hearthline`), { recursive: true });
  writeFileSync(at(`${name}/root/etc/hearthline/image.json`), '{"version": "0.1.0"}');
  writeFileSync(at(`${name}/boot/hearthline.json`), JSON.stringify(settings, undefined, 2));
  const places = ['boot', 'data', 'run', 'root'].flatMap((part) => [`--${part}`, at(`${name}/${part}`)]);
  execFileSync(hearthline, ['setup', ...places], { cwd: root, stdio: 'ignore' });
  const { cloud: url } = json<{ cloud: string }>(`${name}/data/hearthline/device.json`) ?? { cloud: '' };
  const ports = ['--sip', '127.0.0.1:0', '--page', '127.0.0.1:0', '--media', '127.0.0.1:28300-28399'];
  const [program = hearthline, ...words] = [...before, hearthline];
  const stage = at(`${name}/run/hearthline/stage.json`);
  const state = ['--state', at(`${name}/data/hearthline`), '--stage', stage, '--ready', at(`${name}.json`)];
  return {
    ...start(program, ...words, 'device', ...(url === undefined ? [] : ['--cloud', url]), ...state, ...ports),
    places,
  };
}

describe('a card with a claim', () => {
  test.each<[string, boolean, string[]]>([
    ['pairs its gateway without a code', true, []],
    [
      'does so with the clock at the floor of an image from long ago',
      existsSync(faketime),
      [faketime, '-f', '@2025-01-15 00:00:00'],
    ],
  ])('%s', async (what, possible, before) => {
    if (!possible) return;
    const name = what.slice(0, 4);
    const home = (await ask<{ id: string }>('/v1/homes', { name })).id;
    const claim = makeClaim(home);
    const { said, places, child } = boot(name, { hostname: 'elm', cloud: cloud.http, claim }, ...before);
    await eventually(() => (json<{ pairing: unknown }>(`${name}.json`)?.pairing === null ? true : undefined), 30_000);
    const { items } = await ask<{ items: { id: string; state: string; online: boolean }[] }>(
      `/v1/homes/${home}/gateways`,
    );
    const [gateway] = items;
    expect(gateway).toMatchObject({ state: 'paired', online: true });
    const claims = await ask<{ items: unknown[] }>(`/v1/homes/${home}/claims`);
    expect(claims.items).toMatchObject([{ state: 'used', gateway: gateway?.id }]);
    await eventually(() => (said().includes('stage 9 of 9, ready') ? true : undefined), 10_000);
    execFileSync(hearthline, ['setup', '--status', ...places], { cwd: root });
    const answer = readFileSync(at(`${name}/boot/hearthline-status.txt`), 'utf8');
    expect(answer).toContain(`Hearthline gateway ${gateway?.id}`);
    expect(answer).toMatch(/9 ready +done/);
    expect(answer + readFileSync(at(`${name}/boot/hearthline.json`), 'utf8')).not.toContain('hlc_');
    expect(existsSync(at(`${name}/data/hearthline/claim.json`))).toBe(false);
    const status = JSON.parse(
      execFileSync(hearthline, ['status', '--json', '--state', at(`${name}/data/hearthline`)], {
        cwd: root,
      }).toString(),
    );
    expect(JSON.stringify(status)).toContain('stage 9 of 9, ready');
    end(child);
  });

  test('that is wrong leads to the code, and the card says why', async () => {
    const { said, places, child } = boot('bad', { cloud: cloud.http, claim: `hlc_${'0'.repeat(32)}` });
    await eventually(
      () => json<{ pairing: { code: string | null } | null }>('bad.json')?.pairing?.code ?? undefined,
      30_000,
    );
    await eventually(() => (said().includes('is not known here') ? true : undefined), 10_000);
    execFileSync(hearthline, ['setup', '--status', ...places], { cwd: root });
    const answer = readFileSync(at('bad/boot/hearthline-status.txt'), 'utf8');
    expect(answer).toMatch(/8 pair +HERE .*is not known here/);
    expect(answer).not.toMatch(/[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}/);
    end(child);
  });

  test('and no cloud at all starts all the same, and is ready to pair', async () => {
    const { said, child } = boot('none', {});
    await eventually(() => (said().includes('ready to pair') ? true : undefined), 20_000);
    expect(said()).toContain('no cloud is set');
    end(child);
  });
});
