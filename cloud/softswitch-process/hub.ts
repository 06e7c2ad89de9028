/**
 * The main process's side of the softswitch processes, whatever carries their links: who they are, what they are told, what becomes of what
 * one of them leaves.
 */
import type { CloudConfig } from '#cloud/bus/config.ts';
import { type Claimed, indexOf, OWNER } from '#cloud/bus/fleet.ts';
import { FLEET_VERSION, type FleetMessage, type LinkMessage } from '#cloud/bus/fleet-words.ts';
import type { Pipe } from '#cloud/bus/link.ts';
import { BusDoor } from '#cloud/bus/linked.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { StoreDoor } from '#cloud/store/linked.ts';
import type { Address, Timer } from '#shared/kernel/world.ts';
import { servers } from '#shared/protocol/servers.ts';
import { Desk } from './desk.ts';
import { type Member, Pool } from './pool.ts';

/** Milliseconds after which another one takes over what a process left that has not come back. */
const GIVE_AFTER = 10_000;
/** Connections without a word of who they are. */
const STRANGERS = 32;
const NAME_WITHIN = 3_000;

export interface HubOptions {
  readonly context: PartContext;
  readonly count: number;
  /** File of the store. */
  readonly database: string;
  /** What a process shows so that it is believed. */
  readonly token: () => string;
  /** Ends a process at once. */
  readonly kill: (pid: number, index: number) => void;
  /** The process of a place is gone, and nobody else hears of that. */
  readonly gone: (index: number) => void;
}

/** Where a process listens. */
type At = Pick<CloudConfig, 'sip' | 'sips'> & Partial<Pick<CloudConfig, 'ws' | 'wss'>>;
type Starting = { resolve(): void; reject(error: Error): void };

export class Hub {
  readonly pool: Pool;
  readonly #desk: Desk;
  readonly #o: HubOptions;
  /** By place, from its first start on: a process that comes again is found where it was. */
  readonly #at: At[];
  readonly #starting = new Map<number, Starting>();
  readonly #timers = new Set<Timer>();
  #strangers = 0;
  /** The processes by place, as they were last. */
  readonly #listed = new Map<number, NonNullable<CloudConfig['bound']['softswitches']>[number]>();
  #leave: (() => void)[] = [];
  #stopping = false;

  constructor(options: HubOptions) {
    this.#o = options;
    const { context, count } = options;
    const { store, world, bus, config } = context;
    const changed = () => bus.publish('trunks.changed', {});
    this.pool = new Pool({ store, clock: world.clock, count, changed });
    this.#desk = new Desk({
      ...{ clock: world.clock, count },
      recall: (owner, n, id, needed) => this.pool.of(owner)?.send({ on: 'recall', n, id, needed }),
    });
    this.#at = Array.from({ length: count }, (_none, index) => addressesOf(config, index));
  }

  get places(): readonly number[] {
    return [...this.#at.keys()];
  }

  /** Resolves once all serve; `within` in ms. */
  async up(begin: () => void, within: number): Promise<void> {
    const all = this.places.map(
      (index) => new Promise<void>((resolve, reject) => this.#starting.set(index, { resolve, reject })),
    );
    begin();
    const late = this.later(within, () => {
      for (const { reject } of this.#starting.values())
        reject(new Error('A softswitch process did not start in 30 s.'));
    });
    try {
      await Promise.all(all);
    } finally {
      late.cancel();
      this.#starting.clear();
    }
    const { bus } = this.#o.context;
    this.#leave.push(
      bus.serve('softswitch', this.pool.handlers()),
      bus.subscribe('farm.changed', () => this.#tellParts()),
    );
  }

  /** From now on nothing is done about a process that ends. */
  stop(): void {
    this.#stopping = true;
    for (const leave of this.#leave.splice(0)) leave();
    for (const timer of this.#timers) timer.cancel();
    this.#desk.stop();
    for (const index of this.places) this.pool.at(index)?.send({ on: 'stop' });
  }

  later(ms: number, run: () => void): Timer {
    const { clock } = this.#o.context.world;
    const timer = clock.at(clock.mono() + ms, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  /** A link that somebody opened; `destroy` ends it at once. */
  opened(pipe: Pipe<LinkMessage>, destroy: () => void): void {
    if (this.#stopping || this.#strangers >= STRANGERS) {
      destroy();
      return;
    }
    this.#strangers++;
    const late = this.later(NAME_WITHIN, destroy);
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
        if (message.on !== 'hello' || !this.#believes(message)) {
          destroy();
          return;
        }
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
    const { crypto } = this.#o.context.world;
    const [shown, wanted] = [new TextEncoder().encode(String(token)), new TextEncoder().encode(this.#o.token())];
    if (!crypto.equal(shown, wanted) || version !== FLEET_VERSION || !OWNER.test(String(owner))) return false;
    const index = indexOf(owner);
    return index < this.#o.count && this.pool.at(index) === undefined;
  }

  #member({ owner, pid }: Extract<FleetMessage, { on: 'hello' }>, pipe: Pipe<LinkMessage>) {
    const { bus, store, world, config } = this.#o.context;
    const index = indexOf(owner);
    const door = new BusDoor(bus, world.clock, pipe);
    const writer = new StoreDoor(store, (message) => pipe.send(message));
    const send = (message: LinkMessage) => pipe.send(message);
    const member: Member = { owner, pid, door, send, health: { state: 'running', load: 0, legs: 0 } };
    this.pool.add(member);
    const { database } = this.#o;
    const settings = JSON.stringify([{ ...config, ...addressesOf(config, index), bound: {} }, database]);
    const at = this.#at[index];
    send({ on: 'welcome', config: { ...config, ...at, bound: {} }, database, settings });
    this.#tellParts();
    this.pool.tellAlive();
    const take = (message: LinkMessage): void => {
      switch (message.on) {
        case 'ask':
        case 'answer':
        case 'event':
        case 'hear':
          door.take(message, (verb, request, outcome) => this.pool.seen(owner, verb, request, outcome));
          break;
        case 'write':
          writer.take(message);
          break;
        default:
          this.#heard(member, message as FleetMessage);
      }
    };
    return { take, closed: () => this.#closed(member, door) };
  }

  #closed({ owner, pid }: Member, door: BusDoor): void {
    const { log } = this.#o.context.world;
    const index = indexOf(owner);
    door.close();
    // What it left may be taken up by another from now on, so it must not go on without us.
    if (!this.#stopping) this.#o.kill(pid, index);
    this.#desk.gone(owner);
    this.pool.remove(owner);
    this.later(GIVE_AFTER, () => {
      const given = this.#giveAway(owner);
      given.catch((error: unknown) => log.error('softswitch.not-given', { owner, error: String(error) }));
    });
    this.#o.gone(index);
  }

  #heard(member: Member, message: FleetMessage): void {
    const { owner } = member;
    switch (message.on) {
      case 'up':
        this.#isUp(member, message.bound);
        break;
      case 'failed':
        this.#starting.get(indexOf(owner))?.reject(new Error(message.why));
        break;
      case 'health':
        member.health = message.health;
        break;
      case 'mate':
        this.pool.of(message.owner)?.send({ on: 'mate', owner, message: message.message });
        break;
      case 'taken':
        this.pool.taken(message.n);
        break;
      case 'inherit':
        this.#claimed(
          member,
          message.n,
          this.pool.inherit(member).then(() => ({})),
        );
        break;
      case 'claim':
        this.#claimed(member, message.n, this.pool.claim(owner, message.callId));
        break;
      case 'where':
        this.#claimed(member, message.n, this.pool.where(message.session));
        break;
      default:
        this.#places(member, message);
    }
  }

  /** Words on places of lines and trunks. */
  #places(member: Member, message: FleetMessage): void {
    const { owner } = member;
    switch (message.on) {
      case 'holds':
        this.#desk.holds(owner, message.places);
        break;
      case 'gave':
        this.#desk.gave(owner, message.places);
        break;
      case 'returned':
        this.#desk.returned(owner, message.n, message.id, message.places);
        break;
      case 'lease': {
        const { n, id, limit } = message;
        void this.#desk.lease(owner, id, limit).then((places) => member.send({ on: 'leased', n, id, places }));
        break;
      }
      default:
    }
  }

  #claimed(member: Member, n: number, work: Promise<Claimed>): void {
    work.then(
      (claimed) => member.send({ on: 'claimed', n, claimed }),
      (error: unknown) => {
        const { log } = this.#o.context.world;
        log.error('softswitch.not-claimed', { owner: member.owner, error: String(error) });
        member.send({ on: 'claimed', n, claimed: {} });
      },
    );
  }

  #isUp(member: Member, bound: NonNullable<Member['bound']>): void {
    const { config } = this.#o.context;
    const index = indexOf(member.owner);
    member.bound = bound;
    const { sipUdp: sip, sips, ws, wss } = bound;
    if (sip !== undefined && sips !== undefined) {
      this.#at[index] = { sip, sips, ...(ws === undefined ? {} : { ws }), ...(wss === undefined ? {} : { wss }) };
    }
    if (index === 0) Object.assign(config.bound, bound);
    this.#listed.set(index, { ...bound, pid: member.pid });
    this.pool.tellAlive();
    this.#starting.get(index)?.resolve();
    this.#changed();
  }

  /** Another one takes over, unless it came again meanwhile; homes that it served are sent elsewhere. */
  async #giveAway(owner: string): Promise<void> {
    const index = indexOf(owner);
    const was = this.#listed.get(index);
    if (was !== undefined && this.pool.at(index)?.bound === undefined) {
      this.#listed.set(index, { ...was, gone: true });
      this.#changed();
    }
    await this.pool.giveAway(owner);
  }

  /** What others know of the processes may be old now. */
  #changed(): void {
    const { config, bus } = this.#o.context;
    config.bound.softswitches = [...this.#listed].sort(([a], [b]) => a - b).map(([_index, one]) => one);
    if (this.#leave.length > 0) bus.publish('farm.changed', { server: 'softswitch', state: 'running' });
  }

  #tellParts(): void {
    const { bus } = this.#o.context;
    const names = servers.filter((name) => bus.has(name));
    for (const index of this.places) this.pool.at(index)?.send({ on: 'parts', names });
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
