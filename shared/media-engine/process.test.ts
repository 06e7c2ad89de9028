import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { attachEngine, endEngine, leaveEngine } from './client.ts';
import type { EngineEvent, MediaEngine, RemoteSpec } from './engine.ts';
import { RtpPeer } from './rtp-peer.ts';
import { engineSocket } from './spawn.ts';

let folder = '';
let socketPath = '';
const open: MediaEngine[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-engine-'));
  socketPath = engineSocket(join(folder, 'media'));
});
afterEach(async () => {
  for (const engine of open.splice(0)) await engine.close(true).catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

// Every test takes another part of the range, so that none meets the ports of the one before.
let low = 21_000;
const attach = async (more: { aloneFor?: number; workers?: number; low?: number } = {}): Promise<MediaEngine> => {
  const engine = await attachEngine({ socketPath, low, high: low + 99, workers: 1, ...more });
  open.push(engine);
  return engine;
};
beforeEach(() => {
  low += 100;
});

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (await condition()) return;
    await pause(20);
  }
  throw new Error(`${what} did not come`);
}

const spec = (id: string, group = 'ses_1') => ({ id, owner: 'ses_1/leg_1', group, host: '127.0.0.1' });
const base = { codec: 'PCMU', payloadType: 0, sends: true, receives: true, accept: { exact: true } } as const;
const remote = (peer: RtpPeer): RemoteSpec => ({ ...base, address: peer.local });

/** A room with two phones that talk. */
async function call(engine: MediaEngine): Promise<readonly [RtpPeer, RtpPeer]> {
  const world = hostWorld();
  await engine.room('room', 'ses_1/room', 'ses_1');
  const peers = [];
  for (const n of [1, 2]) {
    const peer = await RtpPeer.open(world, '127.0.0.1');
    const { local } = await engine.endpoint(spec(`ep_${n}`));
    await engine.remote(`ep_${n}`, remote(peer));
    await engine.connect(`ep_${n}`, 'room', true);
    await engine.connect('room', `ep_${n}`, true);
    peer.target = local;
    peer.play(sine(n === 1 ? 440 : 617, -20, 8000), true);
    peers.push(peer);
  }
  return [peers[0]!, peers[1]!];
}

describe('engine process', () => {
  it('takes the commands of one turn in their order, and those just before its parent leaves', async () => {
    const engine = await attach();
    await Promise.all([
      engine.room('room', 'ses_1/room', 'ses_1'),
      engine.endpoint(spec('ep_1')),
      engine.connect('ep_1', 'room', true),
      engine.release('ep_1'),
      engine.endpoint(spec('ep_2')),
      engine.connect('room', 'ep_2', true),
    ]);
    engine.room('late', 'ses_1/room', 'ses_1').catch(() => undefined);
    await engine.close(false);
    const next = await attach();
    expect((await next.list()).map(({ id }) => id).sort()).toEqual(['ep_2', 'late', 'room']);
  });

  it('mixes for a parent, goes on when the parent is killed, and is attached again', async () => {
    // The parent is another process, so that kill -9 is real: it makes one endpoint and a tone, then sits there.
    const world = hostWorld();
    const peer = await RtpPeer.open(world, '127.0.0.1');
    const script = join(folder, 'parent.ts');
    writeFileSync(
      script,
      `import { attachEngine } from ${JSON.stringify(join(import.meta.dirname, 'client.ts'))};
       const engine = await attachEngine(${JSON.stringify({ socketPath, low, high: low + 99, workers: 1 })});
       await engine.endpoint(${JSON.stringify(spec('ep_1'))});
       await engine.remote('ep_1', ${JSON.stringify(remote(peer))});
       await engine.player({ id: 'tone', owner: 'ses_1/leg_1', group: 'ses_1', source: { tone: 'dial' }, loop: true, gain: 1 });
       await engine.connect('tone', 'ep_1', true);
       await engine.start('tone');
       process.stdout.write('ready\\n');
       setInterval(() => undefined, 1000);`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    await once(parent.stdout, 'data');
    await until(() => peer.received > 10, 'sound');
    // Its whole process group dies, as when a terminal or a supervisor clears up.
    process.kill(-Number(parent.pid), 'SIGKILL');
    await once(parent, 'exit');
    const before = peer.received;
    await until(() => peer.received > before + 25, 'sound without a parent');
    const engine = await attach();
    const nodes = await engine.list();
    expect(nodes.map(({ id, kind, owner }) => ({ id, kind, owner }))).toEqual([
      { id: 'ep_1', kind: 'endpoint', owner: 'ses_1/leg_1' },
      { id: 'tone', kind: 'player', owner: 'ses_1/leg_1' },
    ]);
    await engine.release('tone');
    await pause(100);
    const after = peer.received;
    await pause(200);
    expect(peer.received).toBe(after);
    expect(levelOf(peer.heard().subarray(0, 4000), 350)).toBeGreaterThan(-40);
    await peer.close();
  });

  it('lets two phones in a room hear each other and not themselves', async () => {
    const engine = await attach();
    const peers = await call(engine);
    await until(() => peers.every((peer) => peer.heard().length > 12_000), 'a second and a half of sound');
    for (const [n, peer] of peers.entries()) {
      const heard = peer.heard().subarray(4000, 12_000);
      // A starved machine leaves gaps, which spread every tone a little; the difference stays plain.
      const [other, own] = [levelOf(heard, n === 0 ? 617 : 440), levelOf(heard, n === 0 ? 440 : 617)];
      expect(other).toBeGreaterThan(-40);
      expect(other - own).toBeGreaterThan(12);
      await peer.close();
    }
  });

  it('ends by itself when nobody is left, and at once when told to', async () => {
    const engine = await attach({ aloneFor: 300 });
    await engine.endpoint(spec('ep_1'));
    expect(existsSync(socketPath)).toBe(true);
    await engine.close(false);
    await until(() => !existsSync(socketPath), 'the end');
    const again = await attach();
    expect(await again.list()).toEqual([]);
    await again.close(true);
    await until(() => !existsSync(socketPath), 'the end at once');
  });

  it('is left alone with the calls that it holds, and ended with them by who wants that', async () => {
    // Where none runs none is started.
    await endEngine(socketPath);
    expect(existsSync(socketPath)).toBe(false);
    const engine = await attach();
    await engine.endpoint(spec('ep_1'));
    await leaveEngine(engine);
    const again = await attach();
    expect(await again.list()).toHaveLength(1);
    await leaveEngine(again);
    await endEngine(socketPath);
    expect(existsSync(socketPath)).toBe(false);
    await leaveEngine(await attach());
    await until(() => !existsSync(socketPath), 'its end without a call');
  });

  it('tells what was lost when the process dies, and starts another for the next command', async () => {
    const engine = await attach();
    const events: EngineEvent[] = [];
    engine.onEvent((event) => events.push(event));
    await engine.endpoint(spec('ep_1'));
    const pid = engineOf(socketPath);
    process.kill(pid, 'SIGKILL');
    await until(() => events.some((event) => event.on === 'lost'), 'word of the loss');
    expect(events).toEqual([{ on: 'lost', id: 'ep_1', owner: 'ses_1/leg_1' }]);
    expect(await engine.list()).toEqual([]);
    await engine.endpoint(spec('ep_2'));
  });

  it('relays between the two families of addresses', async () => {
    const engine = await attach();
    const peers = [await RtpPeer.open(hostWorld(), '127.0.0.1'), await RtpPeer.open(hostWorld(), '::1')] as const;
    for (const peer of peers) {
      const { host } = peer.local;
      peer.target = (await engine.endpoint({ ...spec(host), id: host, host })).local;
      await engine.remote(host, remote(peer));
    }
    await engine.connect('127.0.0.1', '::1', true);
    await engine.connect('::1', '127.0.0.1', true);
    for (const peer of peers) peer.play(sine(440, -20, 8000), true);
    await until(() => peers.every((peer) => peer.received > 20), 'sound both ways');
    for (const peer of peers) await peer.close();
  });

  it('stands a description with impossible addresses', async () => {
    const engine = await attach();
    await engine.player({ id: 'p', owner: 'o/l', group: 'g', source: { tone: 'dial' }, loop: true, gain: 1 });
    const bad = ['', '::1', '999.1.1.1', 'localhost', '255.255.255.255'].map((host) => ({ host, port: 9 }));
    const ports = [0, -1, 65_535, 65_536, 1.5].map((port) => ({ host: '127.0.0.1', port }));
    for (const [i, address] of [...bad, ...ports].entries()) {
      await engine.endpoint(spec(`ep_${i}`, 'g'));
      await engine.remote(`ep_${i}`, { ...base, address });
      await engine.connect('p', `ep_${i}`, true);
    }
    await engine.start('p');
    await pause(300);
    expect(await engine.list()).toHaveLength(11);
  });

  it('spreads groups over its workers and keeps each group together', async () => {
    const engine = await attach({ workers: 2 });
    for (let i = 0; i < 8; i++) await engine.endpoint(spec(`ep_${i}`, `ses_${i % 4}`));
    const ports = new Map((await engine.list()).map((node) => [node.id, node.local?.port ?? 0]));
    const half = (id: string): boolean => (ports.get(id) ?? 0) >= low + 50;
    expect(new Set([...ports.keys()].map(half)).size).toBe(2);
    for (let i = 0; i < 4; i++) expect(half(`ep_${i}`)).toBe(half(`ep_${i + 4}`));
    await engine.connect('ep_0', 'ep_4', true);
    await expect(engine.connect('ep_0', 'ep_1', true)).rejects.toMatchObject({ code: 'other_group' });
    await expect(engine.remote('none', {} as RemoteSpec)).rejects.toMatchObject({ code: 'unknown_node' });
  });

  it('makes room for a parent with another range of ports while it is idle', async () => {
    const engine = await attach();
    await engine.close(false);
    low += 100;
    const other = await attach();
    expect((await other.endpoint(spec('ep_1'))).local.port).toBeGreaterThanOrEqual(low);
  });
});

describe('strangers', () => {
  it('is closed to other users and to whoever does not know the token', async () => {
    await attach();
    expect(statSync(join(folder, 'media')).mode & 0o777).toBe(0o700);
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
    expect(statSync(`${socketPath}.token`).mode & 0o777).toBe(0o600);
    const token = readFileSync(`${socketPath}.token`, 'utf8');
    const tries = [
      '{"token":"wrong"}\n',
      'junk\n',
      '{"n":1,"do":"list","args":[]}\n',
      `{"token":"${token.slice(1)}"}\n`,
      'x'.repeat(70_000),
      `{"token":"${token}"}\njunk\n`,
      `{"token":"${token}"}\n{"n":1,"do":"list","args":[],"x":"${'y'.repeat(70_000)}"}\n`,
    ];
    for (const text of tries) {
      const socket = dial(socketPath);
      socket.on('error', () => undefined);
      let answer = '';
      socket.on('data', (data) => {
        answer += String(data);
      });
      socket.write(text);
      await once(socket, 'close');
      expect(answer).not.toContain('"n":1');
    }
    expect(await open[0]!.list()).toEqual([]);
  });

  it('takes a short path of its own where the folder is too deep for a socket', () => {
    const path = engineSocket(join(folder, 'x'.repeat(120)));
    expect(path.length).toBeLessThan(100);
    expect(engineSocket(join(folder, 'x'.repeat(120)))).toBe(path);
    expect(engineSocket(join(folder, 'y'.repeat(120)))).not.toBe(path);
  });
});

/** The engine process of a socket path, by its command line. */
function engineOf(path: string): number {
  for (const pid of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const line = (() => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    })();
    if (line.includes('process.ts') && line.includes(path)) return Number(pid);
  }
  throw new Error('the engine process was not found');
}
