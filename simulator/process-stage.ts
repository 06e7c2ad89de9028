/**
 * The stage of the simulator's real world: the cloud is a process of its own, started by the very command that an operator uses;
 * the homes are real gateway code in this process, on loopback sockets and in real time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadCredentials } from '#cloud/authority.ts';
import { openStore } from '#cloud/store/server.ts';
import { readAddress } from '#shared/host/config.ts';
import { hostWorld } from '#shared/host/world.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import type { Ground, Prepare } from './ground.ts';
import { tracked } from './tracked.ts';

const HOST = '127.0.0.1';
const CLOUD_MEDIA = { low: 20_000, high: 29_999 } as const;
/** RTP ports of each home, and the first of them all. */
const HOME_PORTS = 40;
const HOME_MEDIA = 10_000;
/** Milliseconds that the cloud may take to start, and to stop. */
const READY_WITHIN = 30_000;
const STOP_WITHIN = 10_000;
const main = resolve(import.meta.dirname, '../cli/main.ts');

interface Ready {
  readonly pid: number;
  readonly http: string;
  readonly mqtt: string;
  readonly sip: { readonly udp: string; readonly tls: string };
  readonly operatorToken: string;
}

/** A cloud process as the simulator has it. */
export interface CloudProcess {
  readonly ready: Ready;
  readonly child: ChildProcess;
}

export interface ProcessOptions {
  /** Lines that gateways and the cloud log as warnings and errors. */
  readonly log: (line: string) => void;
  readonly prepare?: Prepare;
}

/** A ground in a new temporary folder; nothing leaves loopback. */
export function processGround(options: ProcessOptions): Ground<CloudProcess> & { readonly folderOfAll: string } {
  const folderOfAll = mkdtempSync(join(tmpdir(), 'hearthline-sim-'));
  // Whatever ends this process, nothing of it stays.
  const remove = () => rmSync(folderOfAll, { recursive: true, force: true });
  process.once('exit', remove);
  const data = join(folderOfAll, 'cloud');
  mkdirSync(data);
  const world = quiet(hostWorld({ level: 'error', write: options.log }));
  const hosts: (() => void)[] = [];
  let homes = 0;
  let last: Ready | undefined;
  let doors: readonly number[] = [];
  const pass = (ms: number) => sleep(world.clock, ms);
  return {
    folderOfAll,
    clock: world.clock,
    host() {
      const wires = tracked(world);
      hosts.push(() => wires.close());
      return { world: wires.world, address: HOST, cut: () => wires.close() };
    },
    async start() {
      if (last === undefined && options.prepare !== undefined) await prepareIn(world, data, options.prepare);
      const cloud = await startCloud(folderOfAll, data, last, options.log);
      last = cloud.ready;
      doors = [cloud.ready.mqtt, cloud.ready.sip.tls].map((text) => readAddress(text)?.port ?? 0);
      return cloud;
    },
    stop: ({ child }) => ended(child, 'SIGTERM'),
    kill: ({ child }) => ended(child, 'SIGKILL'),
    folder: (name) => join(folderOfAll, name),
    engine: async (host) => {
      const low = HOME_MEDIA + HOME_PORTS * (homes++ % ((CLOUD_MEDIA.low - HOME_MEDIA) / HOME_PORTS));
      return localEngine(host, { low, high: low + HOME_PORTS - 1 });
    },
    url: ({ ready }) => ready.http,
    sip: ({ ready }) => readAddress(ready.sip.udp) ?? { host: HOST, port: 0 },
    authority: async () => ({
      certificate: readFileSync(join(data, 'authority.pem'), 'utf8'),
      key: readFileSync(join(data, 'authority.key'), 'utf8'),
    }),
    names: () => [HOST],
    mqtt: ({ ready }) => readAddress(ready.mqtt) ?? { host: HOST, port: 0 },
    memory: ({ child }) => memoryOf(child.pid),
    isWan: ({ port }) => doors.includes(port) || (port >= CLOUD_MEDIA.low && port <= CLOUD_MEDIA.high),
    pass,
    async until(condition, limit, what) {
      for (const end = world.clock.mono() + limit; ; await pass(20)) {
        if (await condition()) return;
        if (world.clock.mono() >= end) throw new Error(`${what}: not within ${limit} ms`);
      }
    },
    settle: (promise) => promise,
    async request({ ready }, method, path, body) {
      const reply = await world.http.request({
        method: method as 'GET',
        url: `${ready.http}${path}`,
        headers: {
          authorization: `Bearer ${ready.operatorToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        timeout: 30_000,
      });
      return { status: reply.status, body: reply.body === '' ? {} : (JSON.parse(reply.body) as unknown) };
    },
    close: async () => {
      for (const close of hosts) close();
      process.off('exit', remove);
      remove();
    },
  };
}

/** Opens the store and the authority of a cloud that has not started yet. */
async function prepareIn(world: World, data: string, prepare: Prepare): Promise<void> {
  const { authority } = await loadCredentials(world, data, []);
  const store = await openStore(join(data, 'hearthline.db'));
  await prepare(world, store, authority);
  await store.close();
}

/** Resident octets of a process, as Linux tells them. */
function memoryOf(pid: number | undefined): number | undefined {
  const path = `/proc/${pid}/statm`;
  return existsSync(path) ? Number(readFileSync(path, 'utf8').split(' ')[1]) * 4096 : undefined;
}

/** The real world without the machine's own LANs: a simulated gateway watches nobody's house. */
function quiet(world: World): World {
  const { net } = world;
  const loopback = () => net.addresses().filter((address) => address.loopback);
  return { ...world, net: { ...net, addresses: loopback } };
}

/** Starts the cloud's process, on the ports that it had before, and waits until it is ready. */
async function startCloud(
  folder: string,
  data: string,
  before: Ready | undefined,
  log: (line: string) => void,
): Promise<CloudProcess> {
  const file = join(folder, 'cloud.ready.json');
  rmSync(file, { force: true });
  const at = (address: Address | undefined) => `${HOST}:${address?.port ?? 0}`;
  const child = spawn(
    process.execPath,
    [
      ...[main, 'cloud', '--data', data, '--ready', file],
      ...['--http', before === undefined ? `${HOST}:0` : before.http.replace('http://', '')],
      ...['--mqtt', at(readAddress(before?.mqtt ?? '')), '--sip', at(readAddress(before?.sip.udp ?? ''))],
      ...['--sips', at(readAddress(before?.sip.tls ?? ''))],
      ...['--media', `${HOST}:${CLOUD_MEDIA.low}-${CLOUD_MEDIA.high}`, '--public', HOST, '--log', 'error'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
  );
  child.stderr?.on('data', (text: Buffer) => {
    for (const line of text.toString().split('\n')) if (line !== '') log(line);
  });
  for (const end = Date.now() + READY_WITHIN; Date.now() < end; ) {
    if (existsSync(file)) return { child, ready: JSON.parse(readFileSync(file, 'utf8')) as Ready };
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('the cloud could not start');
    await new Promise((done) => setTimeout(done, 25));
  }
  child.kill('SIGKILL');
  throw new Error(`the cloud was not ready within ${READY_WITHIN / 1000} s`);
}

/** Ends a process, and waits for its end; one that does not end by SIGTERM is killed, which is an error. */
async function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
  await exit;
  clearTimeout(timer);
  if (signal === 'SIGTERM' && child.signalCode === 'SIGKILL') throw new Error('the cloud did not stop in time');
}
