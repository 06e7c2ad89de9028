/**
 * `npm start`: the main job on one machine. A cloud and two homes as real processes, a demonstration phone in each home, and
 * for each home a free line for the reader's own SIP phone. Everything stands under `.hearthline/` and is found again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import type { Options } from '#shared/host/config.ts';
import { makeFolder } from '#shared/host/folder.ts';
import { hostWorld } from '#shared/host/world.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { endEngine } from '#shared/media-engine/client.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import type { Command, Io } from './command.ts';
import { untilSignal } from './process.ts';

const root = resolve(import.meta.dirname, '..');

const options = {
  data: {
    kind: 'text',
    value: 'DIR',
    about: 'where the demonstration keeps its state',
    fallback: join(root, '.hearthline'),
  },
  address: {
    kind: 'text',
    value: 'ADDRESS',
    about: 'address at which your SIP phone reaches this machine (default: the first outside one)',
  },
  once: { kind: 'flag', about: 'end once everything is up (a test of the start)' },
} as const satisfies Options;

interface CloudReady {
  readonly http: string;
  readonly https?: string;
  readonly sip: { readonly udp: string };
  readonly operatorToken: string;
}

interface DeviceReady {
  readonly id: string;
  readonly sip: { readonly udp: string };
  readonly localPage: string;
  readonly pairing: { readonly code: string } | null;
}

interface Line {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

interface Home {
  readonly id: string;
  readonly name: string;
  /** The demonstration phone's line, and the one for the reader's phone. */
  readonly lines: readonly [Line, Line];
}

/** The cloud or the gateway of a home, by the name of its folder. */
interface Child {
  readonly name: string;
  readonly child: ChildProcess;
}

const HOMES = ['Elm Street', 'Oak Lane'] as const;
/** Milliseconds that a process may take to be ready. */
const READY_WITHIN = 30_000;

export const tourCommand: Command = {
  about: 'Starts a cloud and two homes on this machine and shows what to try.',
  usage: 'npm start',
  options,
  async run({ values }, io) {
    const world = hostWorld({ level: 'error' });
    const own = world.net.addresses().find((one) => !one.loopback && one.family === 4)?.host;
    const tour = new Tour(world, resolve(values.data ?? '.hearthline'), values.address ?? own ?? '127.0.0.1', io);
    try {
      await tour.start();
    } catch (error) {
      io.error(`hearthline: ${error instanceof Error ? error.message : String(error)}`);
      await tour.stop();
      return 3;
    }
    if (values.once === 'true') {
      await tour.stop();
      process.exit(0);
    }
    return untilSignal(() => {
      io.error('Stopping …');
      return tour.stop();
    }, io.error);
  },
};

class Tour {
  readonly #world: World;
  readonly #folder: string;
  readonly #address: string;
  readonly #io: Io;
  readonly #children: Child[] = [];
  readonly #phones: { close(): Promise<void> }[] = [];
  /** Since when each process runs: a ready file of before is of another process. */
  readonly #since = new Map<string, number>();
  #up = false;
  #stopping = false;
  #cloud: CloudReady | undefined;

  constructor(world: World, folder: string, address: string, io: Io) {
    this.#world = world;
    this.#folder = folder;
    this.#address = address;
    this.#io = io;
  }

  async start(): Promise<void> {
    await makeFolder(this.#folder);
    this.#io.error('Starting the cloud and two homes …');
    const cloud = await this.#startCloud();
    this.#cloud = cloud;
    const homes = await this.#homes();
    const devices = await Promise.all(homes.map((home, i) => this.#startHome(home, i)));
    await Promise.all(homes.map((home, i) => this.#startPhone(home, devices[i]?.sip.udp ?? '')));
    await Promise.all(homes.map((home) => this.#reachable(home)));
    this.#up = true;
    this.#io.out(guide(cloud, homes, devices, this.#address));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const phone of this.#phones) await phone.close();
    const [cloud, ...homes] = this.#children;
    await Promise.all(homes.map((one) => this.#end(one)));
    if (cloud !== undefined) await this.#end(cloud);
  }

  /** Ends a process and its calls: their media engine would wait for the next start. */
  async #end({ name, child }: Child): Promise<void> {
    const code = await ended(child);
    if (code !== 0) this.#io.error(`hearthline: ${name} did not end cleanly (${child.signalCode ?? `exit ${code}`}).`);
    await endEngine(engineSocket(join(this.#folder, name, 'media')));
  }

  async #startCloud(): Promise<CloudReady> {
    const listen = async (port: number) => ((await isFree(this.#address, port)) ? port : 0);
    const http = (await isFree('127.0.0.1', 8080)) ? 8080 : 0;
    return this.#spawn<CloudReady>('cloud', [
      ...['cloud', '--data', join(this.#folder, 'cloud'), '--http', `127.0.0.1:${http}`],
      ...['--https', `${this.#address}:${await listen(8443)}`, '--mqtt', `${this.#address}:${await listen(8883)}`],
      ...['--sip', `${this.#address}:${await listen(5060)}`, '--sips', `${this.#address}:${await listen(5061)}`],
      ...['--media', `${this.#address}:20000-21999`, '--public', this.#address],
    ]);
  }

  async #startHome(home: Home, index: number): Promise<DeviceReady> {
    const name = `home-${index + 1}`;
    const port = (base: number) => base + index * 10;
    const sip = (await isFree(this.#address, port(5070))) ? port(5070) : 0;
    const page = (await isFree('127.0.0.1', port(8090))) ? port(8090) : 0;
    const low = 22_000 + index * 1000;
    const ready = await this.#spawn<DeviceReady>(name, [
      ...['device', '--state', join(this.#folder, name), '--cloud', this.#cloud?.http ?? ''],
      ...[
        '--sip',
        `${this.#address}:${sip}`,
        '--media',
        `${this.#address}:${low}-${low + 999}`,
        '--page',
        `127.0.0.1:${page}`,
      ],
    ]);
    if (ready.pairing === null) return ready;
    await this.#api('POST', `/v1/homes/${home.id}/gateways`, { code: ready.pairing.code });
    return this.#ready<DeviceReady>(name, (content) => content.pairing === null);
  }

  /** The two homes and their lines; made at the first start and remembered, since a line's password is told only once. */
  async #homes(): Promise<readonly Home[]> {
    const path = join(this.#folder, 'homes.json');
    if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as Home[];
    const homes: Home[] = [];
    for (const name of HOMES) {
      const home = await this.#api<{ id: string }>('POST', '/v1/homes', { name });
      const line = (label: string) => this.#api<Line>('POST', `/v1/homes/${home.id}/lines`, { name: label });
      homes.push({ id: home.id, name, lines: [await line(`${name} demo`), await line(`${name} phone`)] });
    }
    await this.#world.disk.write(path, utf8(JSON.stringify(homes, undefined, 2)));
    return homes;
  }

  /** A phone in the house that answers after two rings and says the time in tones, so that there is something to hear. */
  async #startPhone(home: Home, server: string): Promise<void> {
    const { Phone } = await import('#simulator/phone.ts');
    const { demoVoice } = await import('#simulator/voice.ts');
    const [host = '', port = '0'] = server.split(':');
    const [line] = home.lines;
    const index = HOMES.indexOf(home.name as (typeof HOMES)[number]);
    const phone = await Phone.open({
      world: this.#world,
      host: this.#address,
      server: { host, port: Number(port) },
      domain: line.sip.domain,
      username: line.sip.username,
      password: line.sip.password,
      manner: 'answer',
      answerAfter: 2_000,
      voice: demoVoice(index),
    });
    this.#phones.push(phone);
    const status = await phone.register();
    if (status !== 200)
      throw new Error(`the demonstration phone of ${home.name} could not register (status ${status})`);
  }

  /** The demonstration phone counts once the softswitch can ring it. */
  async #reachable(home: Home): Promise<void> {
    for (const end = Date.now() + READY_WITHIN; Date.now() < end; ) {
      const { items } = await this.#api<{ items: { id: string; registered: boolean }[] }>(
        'GET',
        `/v1/homes/${home.id}/lines`,
      );
      if (items.find((line) => line.id === home.lines[0].id)?.registered === true) return;
      await new Promise((resume) => setTimeout(resume, 100));
    }
    throw new Error(`the gateway of ${home.name} did not reach the softswitch within ${READY_WITHIN / 1000} s.`);
  }

  async #api<T>(method: 'POST' | 'GET', path: string, body?: unknown): Promise<T> {
    const { http = '', operatorToken = '' } = this.#cloud ?? {};
    const reply = await this.#world.http.request({
      method,
      url: `${http}${path}`,
      headers: {
        authorization: `Bearer ${operatorToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (reply.status >= 400) throw new Error(`${method} ${path} answered ${reply.status}: ${reply.body}`);
    return JSON.parse(reply.body) as T;
  }

  #spawn<T>(name: string, words: readonly string[]): Promise<T> {
    const file = this.#file(name);
    this.#since.set(name, Date.now());
    const child = spawn(process.execPath, [join(root, 'cli/main.ts'), ...words, '--ready', file], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      // In a group of their own: a terminal's Ctrl-C is for the tour, which ends them one after the other.
      detached: true,
    });
    this.#children.push({ name, child });
    child.on('exit', (code, signal) => {
      if (this.#up && !this.#stopping)
        this.#io.error(`hearthline: ${name} ended (${signal ?? `exit ${code}`}); press Ctrl-C and start again.`);
    });
    return this.#ready<T>(name, () => true);
  }

  /** The ready file of a process, once it says what is waited for. */
  async #ready<T>(name: string, good: (content: T) => boolean): Promise<T> {
    const file = this.#file(name);
    for (const end = Date.now() + READY_WITHIN; Date.now() < end; ) {
      if (existsSync(file) && statSync(file).mtimeMs >= (this.#since.get(name) ?? 0)) {
        const content = JSON.parse(readFileSync(file, 'utf8')) as T;
        if (good(content)) return content;
      }
      const child = this.#children.find((one) => one.name === name)?.child;
      if (child !== undefined && (child.exitCode !== null || child.signalCode !== null))
        throw new Error(`${name} could not start; see the line above.`);
      await new Promise((resume) => setTimeout(resume, 50));
    }
    throw new Error(`${name} was not ready within ${READY_WITHIN / 1000} s.`);
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.ready.json`);
  }
}

/** Ends a process that still runs, and waits for its end; its exit code, null after a signal. */
async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exit = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await exit;
  return child.exitCode;
}

/** Whether a port is free for TCP and for UDP: another phone program often holds 5060 by UDP alone. */
async function isFree(host: string, port: number): Promise<boolean> {
  const tcp = await new Promise<boolean>((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host, port }, () => server.close(() => resolve(true)));
  });
  if (!tcp) return false;
  return new Promise((resolve) => {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => socket.close(() => resolve(false)));
    socket.bind({ address: host, port }, () => socket.close(() => resolve(true)));
  });
}

function guide(cloud: CloudReady, homes: readonly Home[], devices: readonly DeviceReady[], address: string): string {
  const [elm, oak] = homes;
  const rows = homes.flatMap((home, i) => {
    const [demo, own] = home.lines;
    const server = devices[i]?.sip.udp ?? '';
    return [
      `  ${home.name}  (gateway ${devices[i]?.id}, its page ${devices[i]?.localPage})`,
      `    demo phone   ${demo.number}   answers by itself after two rings`,
      `    YOUR PHONE   ${own.number}   server ${server} (UDP or TCP)   user ${own.sip.username}   password ${own.sip.password}   domain ${own.sip.domain}`,
    ];
  });
  return [
    '',
    '  Hearthline is up: one cloud, two homes, their phones registered.',
    '',
    `  Portal     ${cloud.http}/#token=${cloud.operatorToken}`,
    '             (signs you in as the operator; the token lasts as long as this data)',
    ...(cloud.https === undefined
      ? []
      : [`  On a phone ${cloud.https.split('#')[0]}   (this machine’s own certificate)`]),
    `  Softswitch ${cloud.sip.udp}   (a phone may register here too, with the same data)`,
    '',
    ...rows,
    '',
    '  Try this:',
    '   1. In the portal press “Call” from the demo phone of one home to that of the other, and watch the session’s legs.',
    `   2. Set up your SIP phone with the data above and dial ${oak?.lines[0].number ?? ''}: the other home answers.`,
    '   3. Dial 700, 701, 702 …: media on demand from inside the home. The portal and the API play the same items.',
    '   4. In the portal start a conference with media: each home gets a conference channel and a music channel of its own.',
    `   5. curl -H "Authorization: Bearer ${cloud.operatorToken}" -H 'Content-Type: application/json' \\`,
    `        -d '{"from":"${elm?.lines[0].number}","to":"${oak?.lines[0].number}"}' ${cloud.http}/v1/calls`,
    '',
    `  Your phone must reach ${address}. Ctrl-C ends everything cleanly; npm start brings it back as it was.`,
    '',
  ].join('\n');
}
