/** The executable files themselves: equal from build to build, and the one for arm64 run by an emulator, its children each by itself. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeExecutable } from '#images/executable/build.ts';
import { type Bundle, bundle } from '#images/executable/bundle.ts';
import { eventually } from '../interop/netns.ts';
import { hasProgram } from '../peers.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-executable-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
const arm64 = join(folder, 'hearthline-arm64');
let scripts: Bundle;
let again: Bundle;

beforeAll(async () => {
  [scripts, again] = await Promise.all([bundle(), bundle()]);
  makeExecutable('arm64', scripts, arm64);
}, 60_000);

it('two builds are the same octet for octet', () => {
  expect(again.parts).toEqual(scripts.parts);
  makeExecutable('arm64', again, join(folder, 'again'));
  expect(digest(join(folder, 'again'))).toBe(digest(arm64));
}, 60_000);

it('is small enough for the slot of an image, stripped, and names what it carries', () => {
  expect(statSync(arm64).size).toBeLessThan(125e6);
  const facts = execFileSync('aarch64-linux-gnu-readelf', ['-hSW', arm64], { encoding: 'utf8' });
  expect(facts).toMatch(/Machine: +AArch64/);
  expect(facts).not.toContain('.symtab');
  expect(scripts.workers.map(({ name }) => name)).toEqual(['media-worker']);
  // What every start compiles, whatever it was started for.
  expect(scripts.parts.find(({ name }) => name === 'start.cjs')?.code.length).toBeLessThan(40_000);
  const packages = scripts.modules
    .filter((id) => id.includes('node_modules/'))
    .map((id) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1]);
  for (const name of ['mqtt', 'serialport', 'quickjs-emscripten-core']) expect(packages).toContain(name);
  for (const name of ['fastify', 'aedes', 'rolldown', 'oidc-provider']) expect(packages).not.toContain(name);
});

describe.skipIf(!hasProgram('qemu-aarch64-static') || !hasProgram('socat'))('for arm64, under an emulator', () => {
  const words = ['-L', '/usr/aarch64-linux-gnu', arm64];
  const run = (...more: string[]) =>
    spawnSync('qemu-aarch64-static', [...words, ...more], { encoding: 'utf8', timeout: 90_000, env: {} });
  const start = (more: string[], env: Record<string, string> = {}) => {
    const child = spawn('qemu-aarch64-static', [...words, ...more], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    return child;
  };

  it('says its version and its checks', () => {
    expect(run('--version').stdout).toMatch(/^hearthline \d+\.\d+\.\d+ \(build .*linux-arm64, Node\.js 26\./);
    expect(run('check', 'list')).toMatchObject({ status: 0, stdout: expect.stringContaining('power.clock') });
  }, 200_000);

  it('holds an applet in its sandbox', async () => {
    const child = start(['@applet-sandbox'], { NODE_OPTIONS: '--permission --max-old-space-size=96' });
    let said = '';
    child.stdout?.on('data', (data) => {
      said += data;
    });
    const bundle = "hearthline.send('sum ' + (1 + JSON.parse(hearthline.boot)))";
    // The first turns cost an emulator more CPU than a guest is allowed; each try finds more of the engine translated.
    let tries = 0;
    const started = () => {
      if (said.split('"on":"ended"').length > tries) {
        const guest = { id: `guest${tries++}`, bundle, boot: '41' };
        child.stdin?.write(`${JSON.stringify({ do: 'start', guest })}\n`);
      }
      return said.includes('"sum 42"');
    };
    await eventually(started, 90_000, 'the applet').catch((error: Error) => {
      throw new Error(`${error.message}\n${said}`);
    });
    child.stdin?.end();
    await eventually(() => child.exitCode !== null, 10_000, 'the end of the sandbox');
    expect(child.exitCode).toBe(0);
  }, 120_000);

  it('runs the media engine with a worker of its own', async () => {
    const socketPath = join(folder, 'engine.sock');
    start(['@media-engine', JSON.stringify({ socketPath, workers: 1, aloneFor: 20_000, low: 43_800, high: 43_809 })]);
    await eventually(() => existsSync(`${socketPath}.token`) && existsSync(socketPath), 60_000, 'the engine');
    const socket = connect(socketPath);
    let said = '';
    socket.on('data', (data) => {
      said += data;
    });
    socket.write(`${JSON.stringify({ token: readFileSync(`${socketPath}.token`, 'utf8') })}\n`);
    socket.write(`${JSON.stringify({ n: 1, do: 'list', args: [] })}\n`);
    await eventually(() => said.includes('"n":1'), 60_000, 'an answer of the worker');
    expect(said).toContain('{"n":1,"value":[]}');
    socket.write(`${JSON.stringify({ n: 2, do: 'end', args: [] })}\n`);
    await eventually(() => !existsSync(socketPath), 20_000, 'the end of the engine');
    socket.destroy();
  }, 200_000);

  it('opens a serial line with the native part that it carries', async () => {
    const [one, other] = [join(folder, 'tty-one'), join(folder, 'tty-other')];
    children.push(spawn('socat', [`pty,raw,echo=0,link=${one}`, `pty,raw,echo=0,link=${other}`]));
    await eventually(() => existsSync(one) && existsSync(other), 5000, 'the line');
    const child = start(['serial', 'monitor', `${one}:115200`, '--seconds', '60']);
    let said = '';
    child.stdout?.on('data', (data) => {
      said += data;
    });
    await eventually(
      () => {
        execFileSync('sh', ['-c', `printf 'hello\\r\\n' > ${other}`]);
        return said.includes('hello');
      },
      60_000,
      'what came over the line',
    );
  }, 120_000);
});
