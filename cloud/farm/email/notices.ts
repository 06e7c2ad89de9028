/**
 * Notices by mail: a call that nobody answered, read from the journal by cursor. Whatever happens in between, a notice is written once: its id
 * is derived from session and leg, and stands in the commit that puts the mail into the mailbox.
 */
import { type LineRow, lineById } from '#cloud/store/directory.ts';
import { readSessionRows } from '#cloud/store/journal-row.ts';
import type { Store } from '#cloud/store/store.ts';
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import { mailDate } from './compose.ts';
import { cursorOf, listenerOf, moveCursor, noteOnce } from './notes.ts';
import type { Office } from './parts.ts';
import type { Note } from './send.ts';

/** Rows of the journal in one reading. */
const ROWS_AT_ONCE = 200;
/** Rows of one session that are looked at: who is missed is known by then. */
const ROWS_OF_SESSION = 10_000;

/** Why a call to a line that was not answered is worth a mail; a declined one is not, the callee knows of it. */
const MISSED: ReadonlySet<string> = new Set(['no_answer', 'callee_offline', 'callee_busy', 'cancelled', 'hangup']);

/** What a leg came to, as far as it tells a missed call. */
interface Leg {
  readonly id: string;
  readonly kind: string;
  readonly role: string;
  readonly line?: string;
  readonly from: string;
  readonly after?: string;
  readonly state: string;
  readonly startedAt: number;
  readonly answeredAt?: number;
  readonly callId?: string;
  readonly channel: string;
  readonly reason?: string;
}

/** The rows that say it. */
const TELLING: ReadonlySet<string> = new Set([
  ...['created', 'added', 'opened', 'ringing'],
  ...['leg-ended', 'ending', 'ended'],
]);

/** What a row may say of legs. */
interface Told {
  readonly legs?: readonly Omit<Leg, 'state' | 'startedAt'>[];
  readonly plan?: Omit<Leg, 'state' | 'startedAt'>;
  readonly callId?: string;
  readonly records?: readonly LegRecord[];
}

/** The legs of a session on which somebody called a line in vain, once the leg has ended. */
export function missedLegs(legs: readonly Leg[]): Leg[] {
  return legs.filter((leg) => {
    if (leg.line === undefined || leg.kind !== 'voice' || leg.role === 'caller') return false;
    if (leg.state !== 'ended' || leg.answeredAt !== undefined || !MISSED.has(leg.reason ?? '')) return false;
    const before = leg.after === undefined ? undefined : legs.find(({ id }) => id === leg.after);
    // A leg that waited for the caller's own phone never came to its line.
    if (leg.after !== undefined && before?.answeredAt === undefined) return false;
    return leg.channel === 'switched' || leg.callId !== undefined || leg.reason !== 'hangup';
  });
}

/** Writes the notices of all calls that ended since the cursor. */
export async function noticeCalls(office: Office): Promise<void> {
  const { store } = office;
  for (;;) {
    const rows = await store.all<{ position: number; session: string }>(
      "SELECT position, session FROM journal WHERE position > ? AND type IN ('leg-ended', 'ending', 'ended') ORDER BY position LIMIT ?",
      [await cursorOf(store, 'journal'), ROWS_AT_ONCE],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    for (const session of new Set(rows.map((row) => row.session))) await noticesOf(office, session);
    await store.commit([moveCursor('journal', last.position)]);
  }
}

async function noticesOf(office: Office, session: string): Promise<void> {
  const { store } = office;
  for (const leg of missedLegs(await legsOf(store, session))) {
    const line = await lineById(store, leg.line ?? '');
    const box = line === undefined ? undefined : await listenerOf(store, line);
    if (line === undefined || box === undefined) continue;
    await noteOnce(office, box, `${session} ${leg.id}`, missedCall(line, leg));
  }
}

/** The legs of a session, as its rows tell of them. */
async function legsOf(store: Store, session: string): Promise<Leg[]> {
  const legs = new Map<string, Leg>();
  for (const { type, leg, data } of await readSessionRows(store, session, 0, ROWS_OF_SESSION)) {
    if (!TELLING.has(type)) continue;
    const told = data as Told;
    const planned = told.legs ?? (told.plan === undefined ? [] : [told.plan]);
    for (const plan of planned) legs.set(plan.id, { ...plan, state: 'planned', startedAt: 0 });
    const named = legs.get(leg ?? '');
    if (named !== undefined && told.callId !== undefined) legs.set(named.id, { ...named, callId: told.callId });
    for (const { leg: id, start, answer, reason } of told.records ?? []) {
      const ended = legs.get(id);
      const answered = answer === undefined ? {} : { answeredAt: answer };
      if (ended !== undefined) legs.set(id, { ...ended, ...answered, state: 'ended', startedAt: start, reason });
    }
  }
  return [...legs.values()];
}

function missedCall(line: LineRow, leg: Leg): Note {
  const callee = line.name === null ? line.number : `${line.name} (${line.number})`;
  return {
    subject: `Missed call from ${leg.from}`,
    text: `${leg.from} called ${callee} at ${mailDate(leg.startedAt)}.\n\n${WHY[leg.reason ?? ''] ?? 'Nobody answered.'}\n`,
  };
}

const WHY: Readonly<Record<string, string>> = {
  callee_offline: 'No phone of the line was registered.',
  callee_busy: 'The line was busy.',
  cancelled: 'The caller hung up before anybody answered.',
};
