/** Notes to mailboxes: each is written once, to whoever wants notices, by readers that keep their place in the store. */
import type { LineRow } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { MailboxRow, Office } from './parts.ts';
import { announce } from './post.ts';
import { type Note, planNote } from './send.ts';

/** The journal tells of calls, the event log of messages. */
export type Source = 'journal' | 'event';

/** How far a source has been read. */
export async function cursorOf(store: Store, source: Source): Promise<number> {
  const row = await store.one<{ position: number }>('SELECT position FROM mail_cursor WHERE name = ?', [source]);
  return row?.position ?? 0;
}

export function moveCursor(source: Source, to: number): Statement {
  return sql('UPDATE mail_cursor SET position = ? WHERE name = ? AND position < ?', to, source, to);
}

/** Where nobody wants notices, the cursors go along, so that nobody is told of old things later; false where somebody does. */
export async function skipUnheard(store: Store): Promise<boolean> {
  if ((await store.one('SELECT id FROM mailbox WHERE notices = 1 LIMIT 1')) !== undefined) return false;
  for (const source of ['journal', 'event'] as const) {
    const newest = await store.one<{ position: number | null }>(`SELECT MAX(position) AS position FROM ${source}`);
    const to = newest?.position ?? 0;
    if (to > (await cursorOf(store, source))) await store.commit([moveCursor(source, to)]);
  }
  return true;
}

/** Where the notices of a line go: its own mailbox or its home's; undefined where nobody wants them. */
export async function listenerOf(store: Store, line: Pick<LineRow, 'id' | 'home'>): Promise<MailboxRow | undefined> {
  const own = await store.one<MailboxRow>('SELECT * FROM mailbox WHERE line = ?', [line.id]);
  const box =
    own ??
    (await store.one<MailboxRow>("SELECT * FROM mailbox WHERE home = ? AND kind = 'home' ORDER BY id LIMIT 1", [
      line.home,
    ]));
  return box?.notices === 1 ? box : undefined;
}

/** Writes a note, unless one of this id was written before: the id stands in the commit that puts the mail into the mailbox. */
export async function noteOnce(office: Office, box: MailboxRow, id: string, note: Note): Promise<void> {
  const { store, world } = office;
  if ((await store.one('SELECT id FROM mail_notice WHERE id = ?', [id])) !== undefined) return;
  const posted = await planNote(office, box, note);
  if (!posted.ok) {
    world.log.warn('mail.notice-dropped', { about: id, why: posted.fault.code });
    return;
  }
  const once = sql('INSERT INTO mail_notice (id, at) VALUES (?, ?)', id, world.clock.wall());
  if ((await store.commit([once, ...posted.value.statements])).ok) announce(office, box.home);
}
