/**
 * Keeps guests: starts them, starts them again, throttles and puts away, judges the form and the rate of what they say, and counts
 * what they use. What a guest's functions do is the owner's matter (the gateway's or the application server's).
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { Account, type Counted } from './account.ts';
import { afterEnd, afterRest, afterRestart, afterTurn, type GuestState, type Life, newLife } from './lifecycle.ts';
import { type GuestMessage, readGuestMessage } from './message.ts';
import { type GuestEnd, MESSAGE_LIMIT, type Sandbox, type SandboxEvent } from './sandbox.ts';

/** Messages that wait for a guest that is throttled or starting; then the oldest go, counted. */
const WAITING_LIMIT = 256;
/** Calls of one guest that may be under way at once. */
const CALLS_LIMIT = 64;
/** Longest sleep of a guest, ms. */
const SLEEP_LIMIT = 60_000;

export interface KeptGuest {
  readonly id: string;
  readonly bundle: string;
  readonly boot: Readonly<Record<string, unknown>>;
}

export interface KeeperOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly sandbox: Sandbox;
  /** Carries out what a guest asks for. */
  call(id: string, name: string, input: unknown): Promise<Result<unknown, Fault>>;
  /** The guest has dealt with the delivery of this number. */
  done(id: string, delivery: number): void;
  /** `end`: how it has just ended, where it has. */
  changed(id: string, state: GuestState, why: string | undefined, end?: GuestEnd): void;
}

export interface GuestStatus {
  readonly id: string;
  readonly state: GuestState;
  readonly why?: string;
  readonly starts: number;
  /** Messages that were lost while it could not take them. */
  readonly dropped: number;
  /** Milliseconds of CPU since its first start. */
  readonly cpu: number;
  readonly counted: readonly Counted[];
  readonly logs: readonly { readonly at: number; readonly level: string; readonly text: string }[];
}

interface Kept {
  readonly guest: KeptGuest;
  readonly account: Account;
  life: Life;
  waiting: string[];
  dropped: number;
  starts: number;
  cpu: number;
  calls: number;
  timer: Timer | undefined;
}

export class Keeper {
  readonly #o: KeeperOptions;
  readonly #kept = new Map<string, Kept>();

  constructor(options: KeeperOptions) {
    this.#o = options;
    options.sandbox.onEvent((event) => this.#take(event));
  }

  /** Starts a guest; one of the same id is replaced. */
  start(guest: KeptGuest): void {
    this.stop(guest.id);
    const now = this.#o.clock.mono();
    const kept: Kept = {
      guest,
      account: new Account(),
      life: newLife(now),
      waiting: [],
      dropped: 0,
      starts: 0,
      cpu: 0,
      calls: 0,
      timer: undefined,
    };
    this.#kept.set(guest.id, kept);
    this.#run(kept);
  }

  /** Ends a guest and forgets it. */
  stop(id: string): void {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    kept.timer?.cancel();
    this.#kept.delete(id);
    this.#o.sandbox.stop(id);
  }

  /** Puts a guest away until it is started anew. */
  quarantine(id: string, why: string): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined) return false;
    kept.timer?.cancel();
    this.#o.sandbox.stop(id);
    this.#to(kept, { ...kept.life, at: 'quarantined', why });
    return true;
  }

  /** Gives a guest a message, now or once it can take it; false where there is none that ever will, or the message is too long. */
  deliver(id: string, message: unknown): boolean {
    const kept = this.#kept.get(id);
    if (kept === undefined || kept.life.at === 'quarantined') return false;
    const text = JSON.stringify(message);
    if (text.length > MESSAGE_LIMIT) return false;
    if (kept.life.at === 'running') this.#o.sandbox.deliver(id, text);
    else if (kept.waiting.push(text) > WAITING_LIMIT) {
      kept.waiting.shift();
      kept.dropped++;
    }
    return true;
  }

  has(id: string): boolean {
    return this.#kept.has(id);
  }

  status(id: string): GuestStatus | undefined {
    const kept = this.#kept.get(id);
    if (kept === undefined) return undefined;
    const { life, starts, dropped, cpu, account } = kept;
    return {
      id,
      state: life.at,
      ...(life.why === undefined ? {} : { why: life.why }),
      starts,
      dropped,
      cpu: Math.round(cpu),
      counted: account.counted(),
      logs: account.logs(),
    };
  }

  ids(): string[] {
    return [...this.#kept.keys()];
  }

  /** A line about a guest by its owner. */
  note(id: string, level: 'info' | 'warn', text: string): void {
    this.#kept.get(id)?.account.note(this.#o.clock.wall(), level, text);
  }

  async close(): Promise<void> {
    for (const id of this.ids()) this.stop(id);
    await this.#o.sandbox.close();
  }

  #run(kept: Kept): void {
    kept.starts++;
    const { id, bundle, boot } = kept.guest;
    this.#o.sandbox.start({ id, bundle, boot: JSON.stringify(boot) });
  }

  #take(event: SandboxEvent): void {
    const kept = this.#kept.get(event.id);
    if (kept === undefined) return;
    if (event.on === 'message') {
      this.#said(kept, event.text);
      return;
    }
    const now = this.#o.clock.mono();
    if (event.on === 'turn') {
      kept.cpu += event.ms;
      if (event.error !== undefined) this.note(event.id, 'warn', `threw ${event.error}`);
      this.#to(kept, afterTurn(kept.life, event.ms, now));
      return;
    }
    kept.calls = 0;
    this.note(event.id, 'warn', `ended: ${event.why}, ${event.detail}`);
    this.#o.log.warn('applet.ended', { guest: event.id, why: event.why });
    this.#to(kept, afterEnd(kept.life, event.why, event.detail, now), event.why);
  }

  /** Enters a state: sets its timer, hands out what waited, tells the owner where it is another one. */
  #to(kept: Kept, life: Life, end?: GuestEnd): void {
    const before = kept.life.at;
    kept.life = life;
    kept.timer?.cancel();
    kept.timer = undefined;
    const { clock } = this.#o;
    if (life.at === 'crashed' && life.restartAt !== undefined)
      kept.timer = clock.at(life.restartAt, () => {
        this.#to(kept, afterRestart(kept.life));
        this.#run(kept);
      });
    if (life.at === 'throttled' && life.resumeAt !== undefined)
      kept.timer = clock.at(life.resumeAt, () => this.#to(kept, afterRest(kept.life, clock.mono())));
    if (life.at === 'running') for (const text of kept.waiting.splice(0)) this.#o.sandbox.deliver(kept.guest.id, text);
    if (life.at === 'quarantined') kept.waiting = [];
    if (life.at !== before) this.#o.changed(kept.guest.id, life.at, life.why, end);
  }

  #said(kept: Kept, text: string): void {
    const now = this.#o.clock.mono();
    const message = kept.account.mayTalk(now) ? readGuestMessage(text) : undefined;
    if (message === undefined) kept.account.refused();
    else if (message.kind === 'log') kept.account.log(this.#o.clock.wall(), now, message.level, message.text);
    else if (message.kind === 'done') this.#o.done(kept.guest.id, message.delivery);
    else void this.#call(kept, message);
  }

  async #call(kept: Kept, { number, name, input }: Extract<GuestMessage, { kind: 'call' }>): Promise<void> {
    const { id } = kept.guest;
    const starts = kept.starts;
    const outcome =
      kept.calls >= CALLS_LIMIT
        ? err(fault('rate_limited', `At most ${CALLS_LIMIT} calls at once.`))
        : await this.#carry(kept, id, name, input);
    kept.account.count(name, outcome.ok ? undefined : outcome.fault.code);
    // A guest that has ended meanwhile does not know the number.
    if (this.#kept.get(id) !== kept || kept.starts !== starts) return;
    const answer = outcome.ok ? { re: number, ok: outcome.value ?? null } : { re: number, fault: outcome.fault };
    if (!this.deliver(id, answer))
      this.deliver(id, { re: number, fault: fault('too_large', 'The answer is larger than a message may be.') });
  }

  async #sleep(input: unknown): Promise<Result<unknown, Fault>> {
    const ms = typeof input === 'object' && input !== null && 'ms' in input ? input.ms : undefined;
    if (typeof ms !== 'number' || !(ms >= 0 && ms <= SLEEP_LIMIT))
      return err(fault('bad_request', `A sleep has 0 to ${SLEEP_LIMIT} ms.`));
    await sleep(this.#o.clock, ms);
    return ok(null);
  }

  async #carry(kept: Kept, id: string, name: string, input: unknown): Promise<Result<unknown, Fault>> {
    kept.calls++;
    try {
      if (name === 'sleep') return await this.#sleep(input);
      return await this.#o.call(id, name, input);
    } catch (error) {
      this.#o.log.error('applet.function-failed', { guest: id, name, error: String(error) });
      return err(fault('internal'));
    } finally {
      kept.calls = Math.max(0, kept.calls - 1);
    }
  }
}
