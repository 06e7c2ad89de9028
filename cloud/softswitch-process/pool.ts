/**
 * Which of several softswitch processes answers: verbs about a call go to the one that has it, others to any, lists are put together.
 * It also keeps whose each established call is, by the owner in its rows (`channel`, `binding`), and gives away what a process left.
 */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { type Claimed, indexOf } from '#cloud/bus/fleet.ts';
import type { BoundSip, LinkMessage } from '#cloud/bus/fleet-words.ts';
import { Limits } from '#cloud/bus/limits.ts';
import { Waiting } from '#cloud/bus/link.ts';
import type { BusDoor } from '#cloud/bus/linked.ts';
import type { Health } from '#cloud/bus/part.ts';
import { callsOfDialog, callsOfSession } from '#cloud/store/call-row.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { type VerbName, type VerbReply, type VerbsOf, verbs } from '#shared/protocol/verbs/index.ts';

/** A process that lives. */
export interface Member {
  readonly owner: string;
  readonly pid: number;
  readonly door: Pick<BusDoor, 'request'>;
  send(message: LinkMessage): void;
  health: Health;
  /** Absent until it serves. */
  bound?: BoundSip;
}

type Answer = Result<unknown, Fault>;
type Verb = VerbsOf<'softswitch'>;
type Channels = VerbReply<'channel.list'>['items'];
interface Named {
  readonly session?: string;
  readonly waiting?: string;
  readonly from?: unknown;
}

/** Milliseconds that a process may take to answer. */
const ANSWER_WITHIN = 30_000;
/** Milliseconds that a process may take to take up calls that it is given. */
const TAKE_WITHIN = 5_000;
/** Milliseconds after the start within which a process of an earlier main process may still come back. */
const RETURN_WITHIN = 5_000;
/** Sessions whose process is remembered; for older ones their rows tell. */
export const SESSIONS_KEPT = 100_000;

export interface PoolOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Processes that there should be. */
  readonly count: number;
  /** Something that every process reads from the store has changed. */
  readonly changed: () => void;
}

export class Pool {
  readonly #o: PoolOptions;
  readonly #members = new Map<string, Member>();
  /** Ended, with calls of theirs that may be left. */
  readonly #dead = new Set<string>();
  readonly #sessions = new Map<string, string>();
  readonly #given = new Waiting<undefined>();
  readonly #limits: Limits;
  readonly #since: number;
  #turn = 0;

  constructor(options: PoolOptions) {
    this.#o = options;
    this.#since = options.clock.mono();
    this.#limits = new Limits(options.clock);
  }

  /** Those that serve, by place. */
  get members(): Member[] {
    return [...this.#members.values()]
      .filter(({ bound }) => bound !== undefined)
      .sort((a, b) => indexOf(a.owner) - indexOf(b.owner));
  }

  of(owner: string): Member | undefined {
    return this.#members.get(owner);
  }

  at(index: number): Member | undefined {
    return [...this.#members.values()].find(({ owner }) => indexOf(owner) === index);
  }

  /** A process came, or came back. */
  add(member: Member): void {
    this.#members.set(member.owner, member);
    this.#dead.delete(member.owner);
  }

  /** What its forerunners at its place left is its own once this resolves. */
  async inherit(member: Member): Promise<void> {
    const index = indexOf(member.owner);
    const rows = await this.#o.store.all<{ owner: string }>(
      'SELECT DISTINCT owner FROM channel UNION SELECT DISTINCT owner FROM binding',
    );
    const left = rows
      .map(({ owner }) => owner)
      .filter((owner) => !this.#members.has(owner) && owner !== member.owner)
      .filter((owner) => {
        const place = owner === '' ? 0 : indexOf(owner);
        return place === index || (index === 0 && place >= this.#o.count);
      });
    const moves = left.flatMap((owner) => [
      sql('UPDATE channel SET owner = ? WHERE owner = ?', member.owner, owner),
      sql('UPDATE binding SET owner = ? WHERE owner = ?', member.owner, owner),
    ]);
    if (moves.length > 0) await this.#o.store.commit(moves);
    for (const owner of left) this.#dead.delete(owner);
  }

  /** It has ended, for good. */
  remove(owner: string): void {
    if (!this.#members.delete(owner)) return;
    this.#dead.add(owner);
    this.tellAlive();
  }

  tellAlive(): void {
    const owners = this.members.map(({ owner }) => owner);
    for (const member of this.#members.values()) member.send({ on: 'alive', owners });
  }

  /** Gives what a process left to one that lives, where nobody has taken its place. */
  async giveAway(owner: string): Promise<void> {
    const { store } = this.#o;
    const heir = this.members[0];
    if (heir === undefined || !this.#dead.has(owner)) return;
    const rows = await store.all<{ call: string }>('SELECT call FROM channel WHERE owner = ?', [owner]);
    await store.commit([
      sql('UPDATE channel SET owner = ? WHERE owner = ?', heir.owner, owner),
      sql('UPDATE binding SET owner = ? WHERE owner = ?', heir.owner, owner),
    ]);
    this.#dead.delete(owner);
    await this.#give(
      heir,
      rows.map(({ call }) => call),
    );
  }

  /** Resolves once the process has taken them up. */
  async #give(heir: Member, calls: readonly string[]): Promise<void> {
    if (calls.length === 0) return;
    const { n, answer } = this.#given.open();
    heir.send({ on: 'given', n, calls });
    await this.#limits.within(TAKE_WITHIN, answer);
    this.#given.drop(n);
  }

  /** A process has taken up what it was given. */
  taken(n: number): void {
    this.#given.settle(n, undefined);
  }

  /** A process asks for the established call that has a dialog of this Call-ID. */
  async claim(owner: string, callId: string): Promise<Claimed> {
    const { store } = this.#o;
    const read = async () => (await callsOfDialog(store, callId))[0];
    const row = await read();
    if (row === undefined) return {};
    if (!this.#lives(row.owner)) {
      await store.commit([take(owner, row)]);
      const now = await read();
      if (now?.owner === owner) return { mine: [row.call] };
      return now === undefined ? {} : { owner: now.owner };
    }
    return row.owner === owner ? { mine: [row.call] } : { owner: row.owner };
  }

  /** The process that has a session's calls, of those that live. */
  async where(session: string): Promise<Claimed> {
    const holder = await this.#holder(session);
    return holder === undefined ? {} : { owner: holder.owner };
  }

  /** What a process asked others tells where its sessions are. */
  seen(owner: string, verb: VerbName, request: unknown, outcome: Answer): void {
    if (!outcome.ok) return;
    if (verb === 'session.route') {
      const { do: way, session } = outcome.value as Named & { readonly do: string };
      // A call that is picked up is where it rings.
      if (session !== undefined && way !== 'take') this.#remember(session, owner);
    } else if (verb === 'leg.report' && (outcome.value as { over?: boolean }).over === true) {
      this.#sessions.delete((request as { session: string }).session);
    }
  }

  health(): Health {
    const members = this.members;
    const missing = this.#o.count - members.length;
    return {
      state: missing > 0 ? 'degraded' : 'running',
      ...(missing > 0
        ? { advice: `${missing} of ${this.#o.count} processes are being started again; see the log.` }
        : {}),
      load: Math.max(0, ...members.map(({ health }) => health.load)),
      legs: members.reduce((sum, { health }) => sum + health.legs, 0),
    };
  }

  handlers(): Handlers<'softswitch'> {
    const names = (Object.keys(verbs) as VerbName[]).filter((name) => verbs[name].server === 'softswitch');
    const made = names.map((verb) => [
      verb,
      (request: unknown, context: Context) => this.#ask(verb as Verb, request, context),
    ]);
    return Object.fromEntries(made) as unknown as Handlers<'softswitch'>;
  }

  #ask(verb: Verb, request: unknown, context: Context): Promise<Answer> {
    const named = request as Named;
    switch (verb) {
      case 'channel.list':
        return this.#channels(context);
      case 'session.trace':
        return this.#traces(request, context);
      // They do nothing where there is no such leg, and a session may have legs at several processes.
      case 'channel.close':
      case 'channel.notify':
        return this.#everywhere(verb, request, context);
      case 'channel.part':
        return this.#parted(request, context);
      case 'channel.open':
        return this.#open(request, context);
      case 'channel.move':
        return this.#ofSession(verb, (named.from as Named | undefined)?.session, request, context);
      case 'message.deliver':
        return named.session === undefined
          ? this.#one(this.#next(), verb, request, context)
          : this.#ofSession(verb, named.session, request, context);
      case 'registration.list':
        return this.#one(this.#next(), verb, request, context);
      default:
        return this.#settings(verb, request, context);
    }
  }

  async #one(member: Member | undefined, verb: Verb, request: unknown, context: Context): Promise<Answer> {
    if (member === undefined) {
      return err(fault('server_unavailable', 'No softswitch process serves now.', { server: 'softswitch' }));
    }
    return member.door.request(verb, request, context, ANSWER_WITHIN);
  }

  async #all(verb: Verb, request: unknown, context: Context): Promise<Answer[]> {
    const { members } = this;
    if (members.length === 0) return [await this.#one(undefined, verb, request, context)];
    return Promise.all(members.map((member) => this.#one(member, verb, request, context)));
  }

  async #everywhere(verb: Verb, request: unknown, context: Context): Promise<Answer> {
    // A session whose process ended is taken up first.
    await this.#holder((request as Named).session);
    const answers = await this.#all(verb, request, context);
    return answers.find((answer) => !answer.ok) ?? answers[0] ?? ok({});
  }

  /** A session may have channels at several processes: the endpoints of them all. */
  async #parted(request: unknown, context: Context): Promise<Answer> {
    await this.#holder((request as Named).session);
    const answers = await this.#all('channel.part', request, context);
    const failed = answers.find((answer) => !answer.ok && answer.fault.code !== 'not_found');
    if (failed !== undefined) return failed;
    const legs = answers.flatMap((answer) => (answer.ok ? (answer.value as VerbReply<'channel.part'>).legs : []));
    return legs.length === 0 ? (answers[0] ?? err(fault('not_found'))) : ok({ legs });
  }

  /** The process that has the session; a call that waits is found wherever it is held. */
  async #open(request: unknown, context: Context): Promise<Answer> {
    const { session, waiting } = request as Named;
    const first = await this.#ofSession('channel.open', session, request, context);
    if (waiting === undefined || first.ok || first.fault.code !== 'callee_offline') return first;
    for (const member of this.members) {
      if (member.owner === this.#sessions.get(session ?? '')) continue;
      const answer = await this.#one(member, 'channel.open', request, context);
      if (answer.ok) return answer;
    }
    return first;
  }

  async #ofSession(verb: Verb, session: string | undefined, request: unknown, context: Context): Promise<Answer> {
    const member = (session === undefined ? undefined : await this.#holder(session)) ?? this.#next();
    if (member !== undefined && session !== undefined) this.#remember(session, member.owner);
    return this.#one(member, verb, request, context);
  }

  /** What is read from the store by all of them, and changed by the first. */
  async #settings(verb: Verb, request: unknown, context: Context): Promise<Answer> {
    const answer = await this.#one(this.members[0], verb, request, context);
    const entry = verbs[verb];
    if (answer.ok && !('http' in entry && entry.http.method === 'GET')) this.#o.changed();
    return answer;
  }

  /** The process that has a session's calls, one that takes them up from a process that ended, or undefined. */
  async #holder(session: string | undefined): Promise<Member | undefined> {
    if (session === undefined) return undefined;
    const known = this.of(this.#sessions.get(session) ?? '');
    if (known?.bound !== undefined) return known;
    const { store } = this.#o;
    const rows = await callsOfSession(store, session);
    const there = rows.map(({ owner }) => this.of(owner)).find((member) => member?.bound !== undefined);
    const left = rows.filter(({ owner }) => !this.#lives(owner));
    const heir = there === undefined && left.length > 0 ? this.#next() : undefined;
    if (heir === undefined) return there;
    await store.commit(left.map((row) => take(heir.owner, row)));
    await this.#give(
      heir,
      left.map(({ call }) => call),
    );
    return heir;
  }

  async #channels(context: Context): Promise<Answer> {
    const answers = await this.#all('channel.list', {}, context);
    const failed = answers.find((answer) => !answer.ok);
    if (failed !== undefined) return failed;
    const items = answers.flatMap((answer) => (answer.ok ? (answer.value as { items: Channels }).items : []));
    return ok({ items: [...items, ...(await this.#left())] });
  }

  /** Established calls whose process ended and which nobody has taken up yet. */
  async #left(): Promise<Channels> {
    const found: Channels[number][] = [];
    for (const owner of this.#dead) {
      const rows = await this.#o.store.all<{ session: string; body: string }>(
        'SELECT session, body FROM channel WHERE owner = ?',
        [owner],
      );
      for (const { session, body } of rows) {
        const { call, sides } = JSON.parse(body) as {
          call: { callId: string; autonomous: boolean; answeredAt: number };
          sides: { leg: string }[];
        };
        const { callId, autonomous, answeredAt: since } = call;
        for (const { leg } of sides) found.push({ session, leg, callId, state: 'up', autonomous, since });
      }
    }
    return found;
  }

  async #traces(request: unknown, context: Context): Promise<Answer> {
    const answers = await this.#all('session.trace', request, context);
    const found = answers.filter((answer) => answer.ok).map(({ value }) => value as VerbReply<'session.trace'>);
    const [first] = found;
    if (first === undefined) return answers[0] ?? err(fault('not_found'));
    return ok({ ...first, items: found.flatMap(({ items }) => items) });
  }

  /** One after the other. */
  #next(): Member | undefined {
    const { members } = this;
    return members[this.#turn++ % Math.max(1, members.length)];
  }

  #lives(owner: string): boolean {
    if (this.#members.has(owner)) return true;
    return !this.#dead.has(owner) && this.#o.clock.mono() - this.#since < RETURN_WITHIN;
  }

  #remember(session: string, owner: string): void {
    this.#sessions.delete(session);
    this.#sessions.set(session, owner);
    if (this.#sessions.size <= SESSIONS_KEPT) return;
    const oldest = this.#sessions.keys().next().value;
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }
}

/** Only from the owner that was read: of two that take a call up, one gets it. */
const take = (owner: string, from: { readonly call: string; readonly owner: string }): Statement =>
  sql('UPDATE channel SET owner = ? WHERE call = ? AND owner = ?', owner, from.call, from.owner);
