/**
 * The living sessions: steps their machines, writes what they say in one commit per step, then carries out what they
 * want, and wakes them at their deadlines. The only place where a session's state changes.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import type { Statement } from '#cloud/store/store.ts';
import type { Result } from '#shared/kernel/result.ts';
import { Roster } from '#shared/kernel/roster.ts';
import type { Timer } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { undoCommands } from './commands.ts';
import { CLOSING } from './endings.ts';
import type { JournalRow } from './events.ts';
import {
  type Ended,
  type Journal,
  type OutboxEntry,
  openJournal,
  readLive,
  readOutbox,
  readSession,
} from './journal.ts';
import { type Input, type Live, newLive, type Output } from './live.ts';
import { sessionMachine } from './machine.ts';
import { type CommandOutcome, createOutbox, type Outbox, sendCommand } from './outbox.ts';
import type { Plan } from './plan.ts';
import { type Refused, reserve, type Taken } from './saga.ts';
import { apply, findLeg, fold, type LegState } from './session.ts';

export interface Runtime {
  readonly lives: Pick<Roster<string, Live>, 'get' | 'has' | 'size' | 'values'>;
  readonly outbox: Outbox;
  /** Begins a session: one commit with `also` (idempotency). The promise tells when it is durable. */
  begin(id: string, plan: Plan, request: unknown, also?: readonly Statement[]): { live: Live; durable: Promise<void> };
  /** Begins a session that nobody was told of yet: its first row goes with the next one, or a moment later. */
  attempt(id: string, plan: Plan, request: unknown): Live;
  /** Feeds a machine; resolves once what it said is durable, undefined where nothing of it has to be. Unknown and ended sessions ignore it. */
  step(session: string, input: Input, also?: readonly Statement[]): Promise<void> | undefined;
  /** Takes the reservations of these legs, all or nothing; `step` it `reserved` or `refused` afterwards. */
  reserve(live: Live, legs: readonly LegState[]): Promise<Result<Taken, Refused>>;
  /** Writes the rows of a session that is over already; false when it stands in the journal. */
  file(rows: readonly JournalRow[], also: readonly Statement[]): Promise<boolean>;
  /** Sessions that a home has alive. */
  liveOf(home: string): number;
  stop(): Promise<void>;
}

/** Milliseconds for which a session that the journal would not take rests, before it goes on as the journal knows it. */
const REREAD_REST = 1_000;
/** Milliseconds for which rows that nobody waits for (a call was attempted, a phone rings) wait for one that somebody does. */
const GATHER = 100;

export async function createRuntime(context: PartContext): Promise<Runtime> {
  const { store, bus, world } = context;
  const { clock, log } = world;
  const journal: Journal = await openJournal(store);
  const lives = new Roster<string, Live>();
  const perHome = new Map<string, number>();
  const timers = new Roster<string, Timer>();
  let stopped = false;
  /** Rows and homes of sessions that are not in the store yet; the session's next commit takes them along. */
  const held = new Roster<string, Held>();
  let flushing: Timer | undefined;
  const outbox = createOutbox({ bus, store, clock, log, onOutcome: (entry, outcome) => settled(entry, outcome) });

  function settled(entry: OutboxEntry, outcome: CommandOutcome): void {
    const live = lives.get(entry.session);
    const input = live && inputOf(entry, outcome, live);
    if (live !== undefined && input !== undefined) poke(live, input);
    if (live?.state.state === 'ending' && outbox.pending(entry.session) === 0) poke(live, { on: 'released' });
  }

  /** A step that nobody waits for; what fails is in the log. */
  function poke(live: Live, input: Input | { on: 'tick' }): void {
    stepped(live, input)?.catch(() => undefined);
  }

  /** A step; what fails is in the log. */
  function stepped(live: Live, input: Input | { on: 'tick' }, also?: readonly Statement[]): Promise<void> | undefined {
    const fail = (error: unknown): Promise<void> => {
      if (stopped) return Promise.resolve();
      log.error('session.step-failed', { session: live.state.id, input: input.on, error: String(error) });
      return Promise.reject(error);
    };
    try {
      return run(live, input, also)?.catch(fail);
    } catch (error) {
      return fail(error);
    }
  }

  function arm(live: Live): void {
    const { id } = live.state;
    const timer = timers.get(id);
    if (timer !== undefined) {
      timer.cancel();
      timers.delete(id);
    }
    const due = sessionMachine.due(live);
    if (stopped || !Number.isFinite(due)) return;
    timers.set(
      id,
      clock.at(due, () => poke(live, { on: 'tick' })),
    );
  }

  function keep(live: Live): void {
    // Once: a clock that is set in a call makes it neither longer nor dearer.
    live.offset = clock.wall() - clock.mono();
    if (live.state.state === 'ending') live.closing = clock.mono() + CLOSING;
    lives.set(live.state.id, live);
    for (const home of live.state.homes) perHome.set(home, (perHome.get(home) ?? 0) + 1);
  }

  function drop(live: Live): void {
    if (!lives.delete(live.state.id)) return;
    for (const home of live.state.homes) {
      const left = (perHome.get(home) ?? 1) - 1;
      if (left === 0) perHome.delete(home);
      else perHome.set(home, left);
    }
  }

  function hold(live: Live, rows: readonly JournalRow[], homes: readonly string[]): void {
    if (rows.length === 0) return;
    const before = held.get(live.state.id);
    if (before === undefined) held.set(live.state.id, { live, rows: [...rows], homes: [...homes] });
    else {
      before.rows.push(...rows);
      before.homes.push(...homes);
    }
    flushing ??= clock.at(clock.mono() + GATHER, () => void flush());
  }

  /** Writes what is held; what fails is in the log. */
  async function flush(): Promise<void> {
    flushing?.cancel();
    flushing = undefined;
    const work = [...held.values()].map(({ live }) =>
      write(live, [], [], []).catch((error) => {
        log.error('session.step-failed', { session: live.state.id, error: String(error) });
      }),
    );
    await Promise.all(work);
  }

  /** Writes one step: rows, state, outbox and `also`; afterwards tells the listeners and carries out the commands. */
  async function write(live: Live, out: readonly Output[], more: readonly string[], also: readonly Statement[]) {
    const { id, seq } = live.state;
    const before = held.get(id);
    if (before !== undefined) held.delete(id);
    const rows = before?.rows ?? [];
    const homes = before === undefined || more.length > 0 ? [...(before?.homes ?? []), ...more] : before.homes;
    const sends: Send[] = [];
    for (const one of out) {
      if (one.do === 'append') rows.push(one.row);
      else sends.push(one);
    }
    const [entries, kept] = sends.length === 0 ? NO_ENTRIES : journal.outbox(id, sends);
    if (rows.length === 0 && entries.length === 0 && also.length === 0) return;
    const { statements, ended } = rows.length === 0 ? noRows() : journal.statements(live.state, rows, homes);
    for (const one of kept) statements.push(one);
    for (const one of also) statements.push(one);
    try {
      const result = await store.commit(statements);
      if (!result.ok) throw new Error(`the journal refused a commit of ${id}: ${result.why} ${result.statement}`);
    } catch (error) {
      await reread(live);
      throw error;
    }
    if (rows.length > 0) tell(id, seq, ended);
    if (entries.length > 0) outbox.run(entries);
    if (live.state.state === 'ending' && outbox.pending(id) === 0) await run(live, { on: 'released' });
  }

  function tell(session: string, seq: number, ended: Ended | undefined): void {
    bus.publish('session.changed', ended === undefined ? { session, seq } : { session, seq, ended });
  }

  /** The journal is the truth: a session that it would not take goes on as the journal knows it, or not at all. */
  async function reread(live: Live): Promise<void> {
    const there = lives.get(live.state.id);
    // One whose end was not taken has left already.
    if (stopped || (there !== undefined && there !== live)) return;
    drop(live);
    timers.get(live.state.id)?.cancel();
    const state = await readSession(store, live.state.id);
    if (state === undefined || state.state === 'ended' || lives.has(state.id)) return;
    const again = newLive(state);
    keep(again);
    // Its deadlines begin anew, once the disk has had a moment: what they say may have to be written too.
    clock.at(clock.mono() + REREAD_REST, () => {
      if (!stopped && lives.get(state.id) === again) poke(again, { on: 'recovered' });
    });
  }

  /** Resolves once what it said is durable; undefined where nothing of it has to be. */
  function run(live: Live, input: Input | { on: 'tick' }, also: readonly Statement[] = []): Promise<void> | undefined {
    const before = live.state.homes.length;
    const out: Output[] = [];
    const now = clock.mono();
    sessionMachine.step(live, input, now, out);
    const homes = live.state.homes.length === before ? NO_HOMES : live.state.homes.slice(before);
    for (const home of homes) perHome.set(home, (perHome.get(home) ?? 0) + 1);
    if (live.state.state === 'ended') drop(live);
    arm(live);
    const easy = input.on === 'admitted' || (input.on === 'report' && input.event === 'ringing');
    if (!easy || also.length > 0 || out.some((one) => one.do !== 'append')) return write(live, out, homes, also);
    hold(live, rowsOf(out), homes);
    return undefined;
  }

  function step(session: string, input: Input, also: readonly Statement[] = []): Promise<void> | undefined {
    const live = lives.get(session);
    if (live !== undefined) return stepped(live, input, also);
    return also.length === 0 ? undefined : alone(session, input, also);
  }

  /** What belongs to a step of a session that is over. */
  async function alone(session: string, input: Input, also: readonly Statement[]): Promise<void> {
    try {
      await store.commit(also);
    } catch (error) {
      if (stopped) return;
      log.error('session.step-failed', { session, input: input.on, error: String(error) });
      throw error;
    }
  }

  function first(id: string, plan: Plan, request: unknown): { live: Live; row: JournalRow } {
    const { kind, homes, legs, roomSize } = plan;
    const said = { kind, request, homes, legs };
    const data = roomSize === undefined ? said : { ...said, roomSize };
    const row: JournalRow = { session: id, seq: 1, type: 'created', at: Math.round(clock.wall()), data };
    const state = apply(undefined, row);
    if (state === undefined) throw new Error('a session begins with its first row');
    const live = newLive(state);
    for (const leg of state.legs) live.seen.set(leg.id, clock.mono());
    keep(live);
    return { live, row };
  }

  async function recover(): Promise<void> {
    for (const state of await readLive(store)) keep(newLive(state));
    outbox.adopt(await readOutbox(store));
    for (const live of [...lives.values()]) {
      await run(live, { on: 'recovered' });
    }
  }

  await recover();
  return {
    lives,
    outbox,
    begin(id, plan, request, also = []) {
      const { live, row } = first(id, plan, request);
      return { live, durable: write(live, [{ do: 'append', row }], plan.homes, also) };
    },
    attempt(id, plan, request) {
      const { live, row } = first(id, plan, request);
      hold(live, [row], plan.homes);
      return live;
    },
    step,
    async reserve(live, legs) {
      const taken = await reserve(live.state, legs, (command) => sendCommand(bus, command));
      const late = taken.ok ? legs.filter((leg) => findLeg(live.state, leg.id)?.state === 'ended') : [];
      // Ended while it was being reserved: what was taken is given back at once.
      for (const leg of late) {
        for (const one of leg.reserve
          .toReversed()
          .flatMap((what) => undoCommands({ session: live.state.id, leg: leg.id }, what))) {
          await sendCommand(bus, one);
        }
      }
      return taken;
    },
    async file(rows, also) {
      const state = fold(rows);
      if (state === undefined) throw new Error('a session begins with its first row');
      const { statements, ended } = journal.statements(state, rows, state.homes);
      const result = await store.commit([...statements, ...also]);
      if (result.ok) tell(state.id, state.seq, ended);
      return result.ok;
    },
    liveOf: (home) => perHome.get(home) ?? 0,
    async stop() {
      await flush();
      stopped = true;
      for (const timer of timers.values()) timer.cancel();
      await outbox.stop();
    },
  };
}

/** What a step wants sent. */
type Send = Extract<Output, { do: 'send' }>;

const noRows = (): { statements: Statement[]; ended?: Ended } => ({ statements: [] });
const NO_HOMES: readonly string[] = [];
const NO_ENTRIES: readonly [readonly OutboxEntry[], readonly Statement[]] = [[], []];

interface Held {
  readonly live: Live;
  readonly rows: JournalRow[];
  readonly homes: string[];
}

const rowsOf = (out: readonly Output[]): JournalRow[] => out.flatMap((one) => (one.do === 'append' ? [one.row] : []));

/** What a command's outcome means to its session; undefined for nothing. */
function inputOf(entry: OutboxEntry, outcome: CommandOutcome, live: Live): Input | undefined {
  const { leg, purpose } = entry;
  if (purpose === 'sound' && !outcome.ok && 'sound' in entry.command.request) {
    return { on: 'sound', sound: entry.command.request.sound, failed: true };
  }
  if (leg === undefined) return undefined;
  switch (purpose) {
    case 'open':
      if (!outcome.ok) return { on: 'failed', leg, fault: outcome.fault };
      return { on: 'opened', leg, callId: (outcome.value as VerbReply<'channel.open'>).callId };
    case 'join':
      return outcome.ok || entry.command.verb === 'media.tone'
        ? undefined
        : { on: 'failed', leg, fault: outcome.fault };
    case 'credit':
      if (!outcome.ok) return undefined;
      return {
        on: 'credit',
        leg,
        until: (outcome.value as VerbReply<'billing.reserve'>).until ?? Number.MAX_SAFE_INTEGER,
      };
    case 'mark':
      return { on: 'noted', leg, dscp: marked(live, leg, outcome) };
    default:
      return undefined;
  }
}

function marked(live: Live, leg: string, outcome: CommandOutcome): string {
  const dscp = findLeg(live.state, leg)?.reserved.dscp ?? live.carried?.legs?.[leg]?.dscp;
  const name = dscp === undefined ? 'mark' : `${dscp.name} (${dscp.value})`;
  if (!outcome.ok) return `${name} reserved, not marked: ${outcome.fault.detail ?? outcome.fault.code}`;
  const { marked: done, why } = outcome.value as VerbReply<'qos.mark'>;
  return done
    ? `${name} marked by the gateway`
    : `${name} reserved, not marked: ${why ?? 'the gateway gave no reason'}`;
}
