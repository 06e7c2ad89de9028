/**
 * The softswitch as several child processes, each with SIP listeners of its own: started, started again when they die, and joined to
 * bus, store and each other by a Unix socket of the data folder (mode 0600).
 */
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { socketPipe } from '#cloud/bus/adapter-pipe.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { type Claimed, indexOf, OWNER } from '#cloud/bus/fleet.ts';
import { FLEET_VERSION, type FleetMessage, type LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Pipe } from '#cloud/bus/link.ts';
import { BusDoor } from '#cloud/bus/linked.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { StoreDoor } from '#cloud/store/linked.ts';
import { fromHex, hex } from '#shared/kernel/bytes.ts';
import type { Address, Timer } from '#shared/kernel/world.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { servers } from '#shared/protocol/servers.ts';
import { killChild } from './adapter-child.ts';
import { Places } from './adapter-places.ts';
import { type Member, Pool } from './pool.ts';

/** Processes at the most. */
export const SOFTSWITCHES = 16;
/** Milliseconds for a process to serve, and for one to end. */
const START_WITHIN = 30_000;
const STOP_WITHIN = 5_000;
/** Milliseconds after which another one takes over what a process left that has not come back. */
const GIVE_AFTER = 10_000;
/** Connections without a word of who they are. */
const STRANGERS = 32;
const NAME_WITHIN = 3_000;

export interface SoftswitchesOptions {
  readonly count: number;
  /** File of the store. */
  readonly database: string;
  /** Least level of the processes' logs. */
  readonly level: string;
}

/** The part `softswitch`, as so many processes. */
export function softswitchProcesses(options: SoftswitchesOptions): Part {
  return {
    name: 'softswitch',
    async start(context) {
      const processes = new Softswitches(context, options);
      await processes.start();
      return processes;
    },
  };
}

/** Where a process listens. */
type At = Pick<CloudConfig, 'sip' | 'sips'> & Partial<Pick<CloudConfig, 'ws' | 'wss'>>;

class Softswitches implements RunningPart {
  readonly #context: PartContext;
  readonly #o: SoftswitchesOptions;
  readonly #pool: Pool;
  readonly #places: Places;
  /** By place, from its first start on: a process that comes again is found where it was. */
  readonly #at: At[];
  readonly #socket: string;
  #token = '';
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  readonly #timers = new Set<Timer>();
  #server: Server | undefined;
  #strangers = 0;
  /** The processes by place, as they were last. */
  readonly #listed = new Map<number, NonNullable<CloudConfig['bound']['softswitches']>[number]>();
  #leave: (() => void)[] = [];
  #stopping = false;

  constructor(context: PartContext, options: SoftswitchesOptions) {
    this.#context = context;
    this.#o = options;
    const { store, world, bus, config } = context;
    const changed = () => bus.publish('trunks.changed', {});
    this.#pool = new Pool({ store, clock: world.clock, count: options.count, changed });
    this.#socket = engineSocket(config.data, 'softswitch.sock');
    this.#places = new Places({
      ...{ world, socket: this.#socket, level: options.level },
      taken: (index) => this.#pool.at(index) !== undefined,
      later: (ms, run) => void this.#later(ms, run),
    });
    this.#at = Array.from({ length: options.count }, (_none, index) => addressesOf(config, index));
  }

  async start(): Promise<void> {
    const { bus } = this.#context;
    mkdirSync(dirname(this.#socket), { recursive: true, mode: 0o700 });
    this.#token = await this.#loadToken();
    await this.#listen();
    const up = this.#at.map(
      (_at, index) => new Promise<void>((resolve, reject) => this.#waiting.set(index, { resolve, reject })),
    );
    for (const index of this.#at.keys()) this.#places.begin(index);
    const late = this.#later(START_WITHIN, () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('A softswitch process did not start in 30 s.'));
    });
    try {
      await Promise.all(up);
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      late.cancel();
      this.#waiting.clear();
    }
    this.#leave.push(
      bus.serve('softswitch', this.#pool.handlers()),
      bus.subscribe('farm.changed', () => this.#tellParts()),
    );
  }

  health() {
    return this.#pool.health();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#places.stop();
    for (const leave of this.#leave.splice(0)) leave();
    for (const timer of this.#timers) timer.cancel();
    const { clock } = this.#context.world;
    const gone = this.#at.map(async (_at, index) => {
      const member = this.#pool.at(index);
      const child = this.#places.child(index);
      if (child === undefined && member === undefined) return;
      member?.send({ on: 'stop' });
      if (member === undefined) child?.kill('SIGTERM');
      await this.#gone(index, clock.mono() + STOP_WITHIN);
    });
    await Promise.all(gone);
    this.#server?.close();
    rmSync(this.#socket, { force: true });
  }

  /** Waits for the end of a process, or makes it. */
  async #gone(index: number, until: number): Promise<void> {
    const { clock } = this.#context.world;
    while (this.#places.child(index) !== undefined || this.#pool.at(index) !== undefined) {
      if (clock.mono() > until) {
        this.#places.child(index)?.kill('SIGKILL');
        return;
      }
      await new Promise<void>((resolve) => void clock.at(clock.mono() + 20, resolve));
    }
  }

  #later(ms: number, run: () => void): Timer {
    const { clock } = this.#context.world;
    const timer = clock.at(clock.mono() + ms, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  async #loadToken(): Promise<string> {
    const { disk, random } = this.#context.world;
    const path = `${this.#socket}.token`;
    const kept = await disk.read(path);
    const text = kept === undefined ? '' : new TextDecoder().decode(kept).trim();
    if (fromHex(text)?.length === 32) return text;
    const made = hex(random.bytes(32));
    await disk.write(path, new TextEncoder().encode(made));
    return made;
  }

  async #listen(): Promise<void> {
    rmSync(this.#socket, { force: true });
    const server = createServer((socket) => this.#onSocket(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#socket, resolve);
    });
    chmodSync(this.#socket, 0o600);
  }

  #onSocket(socket: Socket): void {
    if (this.#stopping || this.#strangers >= STRANGERS) return void socket.destroy();
    this.#strangers++;
    const pipe = socketPipe<LinkMessage>(socket, this.#context.world.clock);
    const late = this.#later(NAME_WITHIN, () => socket.destroy());
    let known: ((message: LinkMessage) => void) | undefined;
    let gone: (() => void) | undefined;
    const named = () => {
      late.cancel();
      this.#timers.delete(late);
      this.#strangers--;
    };
    pipe.handle({
      message: (message) => {
        if (known !== undefined) return known(message);
        if (message.on !== 'hello' || !this.#believes(message)) return void socket.destroy();
        named();
        const member = this.#member(message, pipe);
        known = (next) => member.take(next);
        gone = () => member.closed();
      },
      closed: () => {
        if (known === undefined) named();
        gone?.();
      },
    });
  }

  #believes({ token, version, owner }: Extract<FleetMessage, { on: 'hello' }>): boolean {
    const { crypto } = this.#context.world;
    const [shown, wanted] = [new TextEncoder().encode(String(token)), new TextEncoder().encode(this.#token)];
    if (!crypto.equal(shown, wanted) || version !== FLEET_VERSION || !OWNER.test(String(owner))) return false;
    const index = indexOf(owner);
    return index < this.#o.count && this.#pool.at(index) === undefined;
  }

  #member({ owner, pid }: Extract<FleetMessage, { on: 'hello' }>, pipe: Pipe<LinkMessage>) {
    const { bus, store, world, config } = this.#context;
    const index = indexOf(owner);
    const door = new BusDoor(bus, world.clock, pipe);
    const writer = new StoreDoor(store, (message) => pipe.send(message));
    const send = (message: LinkMessage) => pipe.send(message);
    const member: Member = { owner, pid, door, send, health: { state: 'running', load: 0, legs: 0 } };
    this.#pool.add(member);
    const { database } = this.#o;
    const settings = JSON.stringify([{ ...config, ...addressesOf(config, index), bound: {} }, database]);
    const at = this.#at[index];
    send({ on: 'welcome', config: { ...config, ...at, bound: {} }, database, settings });
    this.#tellParts();
    this.#pool.tellAlive();
    const take = (message: LinkMessage): void => {
      switch (message.on) {
        case 'ask':
        case 'answer':
        case 'event':
        case 'hear':
          door.take(message, (verb, request, outcome) => this.#pool.seen(owner, verb, request, outcome));
          break;
        case 'write':
          writer.take(message);
          break;
        default:
          this.#heard(member, message as FleetMessage);
      }
    };
    const closed = (): void => {
      door.close();
      // What it left may be taken up by another from now on, so it must not go on without us.
      if (!this.#stopping) killChild(pid);
      this.#pool.remove(owner);
      this.#later(GIVE_AFTER, () => {
        const given = this.#giveAway(owner);
        given.catch((error: unknown) => world.log.error('softswitch.not-given', { owner, error: String(error) }));
      });
      // A child's own end is heard of by its exit; one that an earlier main process started has none here.
      if (this.#places.child(index) === undefined) this.#places.again(index);
    };
    return { take, closed };
  }

  #heard(member: Member, message: FleetMessage): void {
    const { owner } = member;
    const index = indexOf(owner);
    switch (message.on) {
      case 'up':
        this.#isUp(member, message.bound);
        break;
      case 'failed':
        this.#waiting.get(index)?.reject(new Error(message.why));
        break;
      case 'health':
        member.health = message.health;
        break;
      case 'mate':
        this.#pool.of(message.owner)?.send({ on: 'mate', owner, message: message.message });
        break;
      case 'taken':
        this.#pool.taken(message.n);
        break;
      case 'inherit':
        this.#claimed(
          member,
          message.n,
          this.#pool.inherit(member).then(() => ({})),
        );
        break;
      case 'claim':
        this.#claimed(member, message.n, this.#pool.claim(owner, message.callId));
        break;
      default:
    }
  }

  #claimed(member: Member, n: number, work: Promise<Claimed>): void {
    work.then(
      (claimed) => member.send({ on: 'claimed', n, claimed }),
      (error: unknown) => {
        this.#context.world.log.error('softswitch.not-claimed', { owner: member.owner, error: String(error) });
        member.send({ on: 'claimed', n, claimed: {} });
      },
    );
  }

  #isUp(member: Member, bound: NonNullable<Member['bound']>): void {
    const { config } = this.#context;
    const index = indexOf(member.owner);
    member.bound = bound;
    const { sipUdp: sip, sips, ws, wss } = bound;
    if (sip !== undefined && sips !== undefined) {
      this.#at[index] = { sip, sips, ...(ws === undefined ? {} : { ws }), ...(wss === undefined ? {} : { wss }) };
    }
    if (index === 0) Object.assign(config.bound, bound);
    this.#listed.set(index, { ...bound, pid: member.pid });
    this.#pool.tellAlive();
    this.#waiting.get(index)?.resolve();
    this.#changed();
  }

  /** Another one takes over, unless it came again meanwhile; homes that it served are sent elsewhere. */
  async #giveAway(owner: string): Promise<void> {
    const index = indexOf(owner);
    const was = this.#listed.get(index);
    if (was !== undefined && this.#pool.at(index)?.bound === undefined) {
      this.#listed.set(index, { ...was, gone: true });
      this.#changed();
    }
    await this.#pool.giveAway(owner);
  }

  /** What others know of the processes may be old now. */
  #changed(): void {
    const { config, bus } = this.#context;
    config.bound.softswitches = [...this.#listed].sort(([a], [b]) => a - b).map(([_index, one]) => one);
    if (this.#leave.length > 0) bus.publish('farm.changed', { server: 'softswitch', state: 'running' });
  }

  #tellParts(): void {
    const { bus } = this.#context;
    const names = servers.filter((name) => bus.has(name));
    for (const index of this.#at.keys()) this.#pool.at(index)?.send({ on: 'parts', names });
  }
}

/** The ports of the first process are those asked for, each further one's are ten higher; port 0 is any for all. */
function addressesOf({ sip, sips, ws, wss }: CloudConfig, index: number): At {
  const at = ({ host, port }: Address): Address => ({ host, port: port === 0 ? 0 : port + index * STEP });
  return {
    ...{ sip: at(sip), sips: at(sips) },
    ...(ws === undefined ? {} : { ws: at(ws) }),
    ...(wss === undefined ? {} : { wss: at(wss) }),
  };
}

/** SIP and SIP over TLS are neighbours (5060, 5061), so the next process's are ten further. */
const STEP = 10;
