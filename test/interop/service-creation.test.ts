/** Service creation by real processes: cloud, gateway, sandbox processes and the `hearthline` command, from an empty folder to a running applet. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { MortalCloud, pause } from './mortal-cloud.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-creation-'));
const cloud = new MortalCloud();
let device: ChildProcess | undefined;
let home: string;
let gateway: string;

/** Runs the command as a developer would; gives what it printed. */
function hearthline(...words: string[]): string {
  return execFileSync(join(root, 'bin/hearthline'), words, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, 'config') },
  });
}
const at = () => ['--cloud', cloud.ready.http, '--token', cloud.ready.operatorToken, '--json'];

async function until<T>(look: () => Promise<T | undefined> | T | undefined, what: string, limit = 30_000): Promise<T> {
  for (const end = performance.now() + limit; performance.now() < end; await pause(25)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: not within ${limit} ms`);
}

beforeAll(async () => {
  await cloud.start();
  home = (await cloud.ask<{ id: string }>('POST', '/v1/homes', { name: 'elm' })).body.id;
  const ready = join(folder, 'device.json');
  device = spawn(
    join(root, 'bin/hearthline'),
    [
      'device',
      '--state',
      join(folder, 'state'),
      '--cloud',
      cloud.ready.http,
      '--sip',
      '127.0.0.1:0',
      '--media',
      '127.0.0.1:28200-28260',
      '--page',
      '127.0.0.1:0',
      '--ready',
      ready,
      '--log',
      'error',
    ],
    { stdio: 'ignore' },
  );
  const shown = () => {
    try {
      return JSON.parse(readFileSync(ready, 'utf8')) as { id: string; pairing: { code: string } | null };
    } catch {
      return undefined;
    }
  };
  const code = await until(() => shown()?.pairing?.code, 'a code');
  hearthline('pair', code, '--home', home, ...at());
  gateway = shown()?.id ?? '';
}, 90_000);

afterAll(async () => {
  const gone = new Promise((done) => device?.once('exit', done));
  device?.kill('SIGTERM');
  if (device?.exitCode === null) await gone;
  await cloud.stop('SIGTERM');
  for (const one of [folder, cloud.folder]) rmSync(one, { recursive: true, force: true });
});

const applet = async (install: string) =>
  (await cloud.ask<VerbReply<'install.get'>>('GET', `/v1/installs/${install}`)).body.applets[0];

it('new, test, pack, publish, consent, install: the applet runs within 30 s of the tap', {
  timeout: 60_000,
}, async () => {
  hearthline('app', 'new', 'tea-time');
  expect(hearthline('app', 'test', 'tea-time')).toContain('ok   app.test.ts');
  const packed = JSON.parse(hearthline('app', 'pack', 'tea-time', '--json')) as {
    file: string;
    size: number;
    rights: { key: string }[];
  };
  expect(packed.size).toBeLessThan(60_000);
  expect(hearthline('app', 'publish', packed.file, ...at())).toContain('"state":"published"');
  const consent = packed.rights.map(({ key }) => key).join(',');
  const since = performance.now();
  const { id } = JSON.parse(
    hearthline('install', 'create', '--home', home, '--app', 'tea-time', '--consent', consent, ...at()),
  ) as { id: string };
  await until(async () => ((await applet(id))?.state === 'running' ? true : undefined), 'the applet to run');
  console.info(`tap to run: ${Math.round(performance.now() - since)} ms`);
  const said = async () =>
    (await cloud.ask<VerbReply<'install.status'>>('GET', `/v1/installs/${id}/status`)).body.logs
      .map(({ text }) => text)
      .join();
  await until(
    async () => ((await said()).includes('the applet says {"hello":"0.1.0"}') ? true : undefined),
    'the halves to talk',
  );
  expect(hearthline('applet', 'list', '--gateway', gateway, ...at())).toContain('"state":"running"');
  expect(hearthline('applet', 'logs', '--gateway', gateway, '--install', id, ...at())).toContain('the cloud half says');
});

it('an applet that loops is put away in its sandbox process; the gateway and its other applet go on', {
  timeout: 60_000,
}, async () => {
  hearthline('app', 'new', 'bomb');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(
    join(folder, 'bomb/applet.ts'),
    `import { app } from 'hearthline'; app.on('start', () => { const a = new Uint8Array(8 << 20); for (;;) a.includes(1); });\n`,
  );
  hearthline('app', 'publish', 'bomb', ...at());
  const rights = (JSON.parse(hearthline('app', 'pack', 'bomb', '--json')) as { rights: { key: string }[] }).rights
    .map(({ key }) => key)
    .join(',');
  const { id } = JSON.parse(
    hearthline('install', 'create', '--home', home, '--app', 'bomb', '--consent', rights, ...at()),
  ) as { id: string };
  const ended = await until(
    async () => ((await applet(id))?.state === 'quarantined' ? await applet(id) : undefined),
    'the quarantine',
  );
  expect(ended.why).toMatch(/could not be interrupted.*3 times/);
  type Shown = { items: { application: string; state: string }[] };
  await until(() => {
    const { items } = JSON.parse(hearthline('applet', 'list', '--gateway', gateway, ...at())) as Shown;
    return items.some(({ application, state }) => application === 'tea-time' && state === 'running') ? true : undefined;
  }, 'the other applet to run');
});
