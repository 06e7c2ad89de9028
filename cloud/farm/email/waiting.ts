/**
 * Notices by mail: a message that has waited for a phone of a line for some minutes, read from the event log by cursor. The mail says who
 * wrote, not what: the message itself still comes to the phone.
 */
import { lineByParty } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import { mailDate } from './compose.ts';
import { cursorOf, listenerOf, moveCursor, noteOnce } from './notes.ts';
import type { Office } from './parts.ts';

/** Milliseconds that a message waits before a mail tells of it. */
export const PATIENCE = 5 * 60_000;
/** Events in one reading. */
const ROWS_AT_ONCE = 200;

interface Accepted {
  readonly position: number;
  readonly home: string | null;
  readonly subject: string;
  readonly at: number;
  readonly data: string;
}

/** Writes the notices of all messages that have waited long enough. */
export async function noticeMessages(office: Office): Promise<void> {
  const { store, world } = office;
  for (;;) {
    const rows = await store.all<Accepted>(
      "SELECT position, home, subject, at, data FROM event WHERE position > ? AND type = 'home.message.v1.accepted' ORDER BY position LIMIT ?",
      [await cursorOf(store, 'event'), ROWS_AT_ONCE],
    );
    const due = rows.filter(({ at }) => at <= world.clock.wall() - PATIENCE);
    const last = due.at(-1);
    if (last === undefined) return;
    for (const row of due) await noticeOf(office, row);
    await store.commit([moveCursor('event', last.position)]);
  }
}

async function noticeOf(office: Office, row: Accepted): Promise<void> {
  const { store, config } = office;
  const { from, to } = JSON.parse(row.data) as { readonly from?: string; readonly to?: string };
  const line = await lineByParty(store, to ?? '', config);
  if (line === undefined || line.home !== row.home || (await isThrough(store, row, line.home))) return;
  const box = await listenerOf(store, line);
  if (box === undefined) return;
  await noteOnce(office, box, `${row.subject} ${line.id}`, {
    subject: `A message from ${from ?? 'somebody'} is waiting`,
    text: `${from ?? 'Somebody'} wrote to ${line.name ?? line.number} at ${mailDate(row.at)}, and no phone of the line has been there to get it.\n`,
  });
}

/** Whether the message has come to an end since: delivered, read, expired or failed. */
async function isThrough(store: Store, { subject, position }: Accepted, home: string): Promise<boolean> {
  const fate = await store.one(
    "SELECT position FROM event WHERE home = ? AND position > ? AND subject = ? AND type <> 'home.message.v1.accepted' LIMIT 1",
    [home, position, subject],
  );
  return fate !== undefined;
}
