/**
 * Carries out commands that stand in the store's outbox. Commands of one leg go in order; legs do not wait for each
 * other. A release whose server is away stays and is tried again by `retry`; every other command has one try, and
 * what became of it goes to `onOutcome`. A repeated command is harmless: verbs are idempotent per session and leg.
 */
import type { Bus, Context } from '#cloud/bus/bus.ts';
import type { Statement, Store } from '#cloud/store/store.ts';
import type { Result } from '#shared/kernel/result.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { Command } from './events.ts';
import { forgetEntry, type OutboxEntry } from './journal.ts';

/** The session manager's own voice on the bus. */
export const SELF: Context = { principal: { kind: 'part', part: 'session-manager' } };

/** Milliseconds for which finished entries gather before one commit removes them. */
const FORGET_AFTER = 100;

export type CommandOutcome = Result<unknown, Fault>;

/** Sends a command over the bus. */
export function sendCommand(bus: Bus, command: Command, context: Context = SELF): Promise<CommandOutcome> {
  return bus.request(command.verb, command.request as never, context);
}

export interface Outbox {
  /** Takes entries whose commit is durable. */
  run(entries: readonly OutboxEntry[]): void;
  /** Takes entries that an earlier process left: `retry` carries them out. */
  adopt(entries: readonly OutboxEntry[]): void;
  /** Tries again what an absent server left over. */
  retry(): void;
  /** Entries of a session that have not been carried out. */
  pending(session: string): number;
  stop(): Promise<void>;
}

interface Options {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once per entry that is done with. */
  readonly onOutcome: (entry: OutboxEntry, outcome: CommandOutcome) => void;
}

export function createOutbox({ bus, store, clock, log, onOutcome }: Options): Outbox {
  const lanes = new Map<string, Promise<void>>();
  const left = new Map<string, number>();
  let stuck: OutboxEntry[] = [];
  let done: Statement[] = [];
  let flushing: { cancel(): void } | undefined;
  let stopped = false;

  async function flush(): Promise<void> {
    flushing?.cancel();
    flushing = undefined;
    const statements = done;
    done = [];
    if (statements.length > 0) await store.commit(statements);
  }

  function forget(entry: OutboxEntry): void {
    done.push(forgetEntry(entry));
    flushing ??= clock.at(clock.mono() + FORGET_AFTER, () => {
      flush().catch((error) => log.error('outbox.forget-failed', { error: String(error) }));
    });
  }

  async function carryOut(entry: OutboxEntry): Promise<void> {
    if (stopped) return;
    const outcome = await sendCommand(bus, entry.command);
    // Too late to note it: the entry stays, and the next start carries it out again.
    if (stopped) return;
    const away = !outcome.ok && (outcome.fault.code === 'server_unavailable' || outcome.fault.code === 'timeout');
    if (away && entry.purpose === 'release') {
      stuck.push(entry);
      return;
    }
    if (!outcome.ok) {
      log.info('outbox.refused', { verb: entry.command.verb, session: entry.session, fault: outcome.fault.code });
    }
    forget(entry);
    const open = (left.get(entry.session) ?? 1) - 1;
    if (open === 0) left.delete(entry.session);
    else left.set(entry.session, open);
    onOutcome(entry, outcome);
  }

  function count(entries: readonly OutboxEntry[]): void {
    for (const entry of entries) left.set(entry.session, (left.get(entry.session) ?? 0) + 1);
  }

  function enqueue(entry: OutboxEntry): void {
    // Marking and topping up may take long and hold nobody up.
    const beside = entry.purpose === 'mark' || entry.purpose === 'credit' ? entry.n : '';
    const lane = `${entry.session} ${entry.leg ?? ''} ${beside}`;
    const turn = (lanes.get(lane) ?? Promise.resolve())
      .then(() => carryOut(entry))
      .catch((error) => log.error('outbox.failed', { verb: entry.command.verb, error: String(error) }))
      .then(() => {
        if (lanes.get(lane) === turn) lanes.delete(lane);
      });
    lanes.set(lane, turn);
  }

  return {
    run(entries) {
      count(entries);
      for (const entry of entries) enqueue(entry);
    },
    adopt(entries) {
      count(entries);
      stuck.push(...entries);
    },
    retry() {
      const again = stuck;
      stuck = [];
      for (const entry of again) enqueue(entry);
    },
    pending: (session) => left.get(session) ?? 0,
    async stop() {
      stopped = true;
      await flush();
    },
  };
}
