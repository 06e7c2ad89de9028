/** A technician's day with real processes: on the gateway, through the cloud, and over a serial line; then the cloud is killed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { SerialPort } from 'serialport';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram } from '../peers.ts';
import { eventually } from './netns.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-technician-'));
const started: ChildProcess[] = [];
const state = join(folder, 'gateway');
const tty = { gateway: join(folder, 'tty-gateway'), person: join(folder, 'tty-person') };
const socat = hasProgram('socat');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

function hearthline(...words: string[]): Promise<Ran> {
  return new Promise((done) => {
    execFile(join(root, 'bin/hearthline'), words, { timeout: 30_000 }, (error, out, text) =>
      done({ code: error === null ? 0 : Number(error.code), out, error: text }),
    );
  });
}

function run(program: string, words: string[]): ChildProcess {
  const child = spawn(program, words, { stdio: 'ignore' });
  started.push(child);
  return child;
}

const ready = <T>(name: string) => JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as T;
let remote: string[] = [];
let gateway = '';
let cloud: ChildProcess;

beforeAll(async () => {
  if (socat) run('socat', [`pty,raw,echo=0,link=${tty.gateway}`, `pty,raw,echo=0,link=${tty.person}`]);
  const any = '127.0.0.1:0';
  const at = ['--http', any, '--mqtt', any, '--sip', any, '--sips', any, '--media', '127.0.0.1:33000-33499'];
  cloud = run(join(root, 'bin/hearthline'), [
    'cloud',
    '--data',
    join(folder, 'cloud'),
    ...at,
    '--ready',
    join(folder, 'cloud.json'),
  ]);
  await eventually(() => existsSync(join(folder, 'cloud.json')), 30_000, 'the cloud');
  const { http, operatorToken } = ready<{ http: string; operatorToken: string }>('cloud');
  const own = [
    '--sip',
    any,
    '--media',
    '127.0.0.1:33500-33999',
    '--page',
    any,
    '--ready',
    join(folder, 'gateway.json'),
  ];
  const console = socat ? ['--console', `${tty.gateway}:9600`] : [];
  run(join(root, 'bin/hearthline'), ['device', '--state', state, '--cloud', http, ...own, ...console]);
  await eventually(() => existsSync(join(folder, 'gateway.json')), 30_000, 'the gateway');
  const about = ready<{ id: string; pairing: { code: string } }>('gateway');
  gateway = about.id;
  remote = ['--gateway', gateway, '--cloud', http, '--token', operatorToken];
  const operator = remote.slice(2);
  const home = await hearthline('home', 'create', '--name', 'Elm', '--json', ...operator);
  expect((await hearthline('pair', about.pairing.code, ...operator)).code).toBe(0);
  const { id } = JSON.parse(home.out) as { id: string };
  expect((await hearthline('line', 'create', '--home', id, '--name', 'Kitchen', ...operator)).code).toBe(0);
  await eventually(
    async () => (await hearthline('line', 'status', '--state', state)).out.includes('Kitchen'),
    15_000,
    'the line',
  );
}, 90_000);

afterAll(() => {
  for (const child of started) child.kill('SIGTERM');
  rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
});

describe('a technician', () => {
  it('finds the same on the gateway and through the cloud', async () => {
    expect(statSync(join(state, 'control.sock')).mode & 0o777).toBe(0o600);
    for (const way of [['--state', state], remote]) {
      const status = await hearthline('status', ...way);
      expect([status.code, status.error]).toEqual([0, '']);
      expect(status.out).toContain('Kitchen: no phone');
      const check = await hearthline('check', '--json', ...way);
      const report = JSON.parse(check.out) as { counts: { fail: number }; items: unknown[]; gateway: string };
      expect([check.code, report.counts.fail, report.gateway]).toEqual([0, 0, gateway]);
      expect(report.items.length).toBeGreaterThan(40);
      const why = await hearthline('why', 'line', 'Kitchen', ...way);
      expect([why.code, why.out]).toEqual([2, expect.stringContaining('No phone is registered')]);
      const logs = await hearthline('logs', '--json', ...way);
      expect(logs.out).toContain('"pairing.state"');
      const file = join(folder, 'bundle.tar.gz');
      const bundle = await hearthline('bundle', '-o', file, ...way);
      expect([bundle.code, bundle.error]).toEqual([0, '']);
      expect(gunzipSync(readFileSync(file)).toString('latin1')).toContain('manifest.json');
    }
  }, 60_000);

  it('is refused without a right way in', async () => {
    expect(await hearthline('check')).toMatchObject({ code: 3, error: expect.stringContaining('--state') });
    expect((await hearthline('check', '--state', join(folder, 'nowhere'))).code).toBe(3);
    expect((await hearthline('check', ...remote.slice(0, 4), '--token', 'wrong')).code).toBe(2);
    const [, , ...operator] = remote;
    expect(await hearthline('status', '--gateway', 'gw_none', ...operator)).toMatchObject({
      code: 2,
      error: expect.stringContaining('not_found'),
    });
    expect((await hearthline('check', '--group', 'nothing', '--state', state)).code).toBe(3);
    expect((await hearthline('logs', '--since', 'nonsense', '--state', state)).code).toBe(3);
  }, 60_000);

  it.skipIf(!socat)(
    'works over a serial line of 9600 baud (socat)',
    async () => {
      const code = readFileSync(join(state, 'console-code'), 'utf8').trim();
      expect(statSync(join(state, 'console-code')).mode & 0o777).toBe(0o600);
      const port = new SerialPort({ path: tty.person, baudRate: 9600 });
      let heard = '';
      port.on('data', (data: Buffer) => {
        heard += data.toString('latin1');
      });
      const say = async (text: string, until: string) => {
        heard = '';
        port.write(`${text}\r`);
        await eventually(() => heard.includes(until), 15_000, `${until} after ${text}`);
        return heard;
      };
      await say('', 'console code: ');
      await say('check', 'console code: ');
      expect(await say('BBBB-BBBB', 'console code: ')).toContain('wrong code');
      expect(heard).not.toContain('BBBB');
      await say(code.toLowerCase(), '> ');
      expect(heard).toContain('welcome');
      expect(await say('status', '\r\n> ')).toContain(gateway);
      const check = await say('check --all', '\r\n> ');
      expect(check).toContain('voice.flow');
      expect(check.split('\r\n').filter((line) => line.length > 80)).toEqual([]);
      expect(check).not.toContain('\u001b');
      expect(await say('why line Kitchen', '\r\n> ')).toContain('No phone is registered');
      await say('logs -f', 'agent.state');
      expect(await say('\u0003', '> ')).toContain('^C');
      expect(await say('exit', 'console code: ')).toContain('logged out');
      await new Promise<void>((done) => port.close(() => done()));
      const monitor = await hearthline('serial', 'monitor', `${tty.person}:9600`, '--seconds', '3');
      expect(monitor).toMatchObject({ code: 0, error: expect.stringContaining('9600 baud') });
      expect((await hearthline('serial', 'monitor', join(folder, 'no-tty'), '--seconds', '1')).code).toBe(2);
    },
    60_000,
  );

  it('is told at once that the cloud was killed', async () => {
    const { pid } = ready<{ pid: number }>('cloud');
    process.kill(pid, 'SIGKILL');
    await eventually(() => cloud.exitCode !== null || cloud.signalCode !== null, 10_000, 'the end of the cloud');
    const why = await hearthline('why', '--state', state);
    expect([why.code, why.out]).toEqual([2, expect.stringContaining('The cloud is not running there')]);
    expect(why.out).toContain('cloud.reach');
    const check = await hearthline('check', '--json', '--state', state);
    expect([check.code, JSON.parse(check.out)]).toEqual([2, expect.objectContaining({ root: 'cloud.reach' })]);
    expect((await hearthline('check', ...remote)).code).toBe(3);
  }, 60_000);
});
