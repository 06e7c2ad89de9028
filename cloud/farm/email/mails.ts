/** Reading mails: listed, shown, marked, deleted. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { homeById } from '#cloud/store/directory.ts';
import { type SqlValue, type Statement, type Store, sql, sqlOne } from '#cloud/store/store.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { mailboxById } from './mailboxes.ts';
import { type Parsed, parseMail } from './parse.ts';
import { command, homesClause, type MailRow, type Office, page, seesRow } from './parts.ts';
import { dropRaw } from './post.ts';

type Summary = VerbReply<'mail.mark'>;

export function mailHandlers(
  office: Office,
): Pick<Handlers<'email'>, 'mail.list' | 'mail.get' | 'mail.attachment' | 'mail.mark' | 'mail.delete'> {
  const { store } = office;
  return {
    'mail.list': (request, context) => listMails(store, request, context),
    async 'mail.get'({ mail }, context) {
      const row = await visibleMail(store, context, mail);
      return row === undefined ? err(fault('not_found')) : ok(await showMail(store, row));
    },
    async 'mail.attachment'({ mail, attachment }, context) {
      const row = await visibleMail(store, context, mail);
      const part =
        row === undefined ? undefined : (await content(store, row)).parts.find(({ id }) => id === attachment);
      if (part === undefined) return err(fault('not_found'));
      const { octets, ...facts } = part;
      return ok({ ...facts, size: octets.length, content: toBase64(octets) });
    },
    'mail.mark': ({ mail, seen }, context) =>
      command<'mail.mark'>(office, context, async () => {
        const row = await visibleMail(store, context, mail);
        if (row === undefined) return err(fault('not_found'));
        const change = sqlOne('UPDATE mail SET seen = ? WHERE id = ?', Number(seen), row.id);
        return ok({ reply: { ...summary(row), seen }, statements: [change] });
      }),
    'mail.delete': ({ mail }, context) =>
      command<'mail.delete'>(office, context, async () => {
        const row = await visibleMail(store, context, mail);
        return row === undefined ? err(fault('not_found')) : ok({ reply: {}, statements: removal(row) });
      }),
  };
}

async function listMails(
  store: Store,
  request: VerbRequest<'mail.list'>,
  context: Context,
): Promise<Outcome<'mail.list'>> {
  const clause = homesClause(context, request.home);
  if (request.home !== undefined && (clause === undefined || (await homeById(store, request.home)) === undefined))
    return err(fault('not_found'));
  const box = request.mailbox === undefined ? undefined : await mailboxById(store, request.mailbox);
  if (request.mailbox !== undefined && (box === undefined || !seesRow(context, box.home)))
    return err(fault('not_found'));
  if (clause === undefined) return ok({ items: [] });
  const where = [clause.where];
  const params: SqlValue[] = [...clause.params];
  const filter = (text: string, value: SqlValue) => {
    where.push(text);
    params.push(value);
  };
  if (box !== undefined) filter('mailbox = ?', box.id);
  if (request.folder !== undefined) filter('folder = ?', request.folder);
  if (request.unseen !== undefined) filter('seen = ?', Number(!request.unseen));
  const select = `SELECT * FROM mail WHERE ${where.join(' AND ')}`;
  const found = await page<MailRow>(store, select, params, request, 'DESC');
  return ok({ items: found.rows.map(summary), ...(found.next === undefined ? {} : { next: found.next }) });
}

async function showMail(store: Store, row: MailRow): Promise<VerbReply<'mail.get'>> {
  const { parts, ...shown } = await content(store, row);
  const recipients = await store.all<{ address: string; state: 'queued'; detail: string | null; at: number }>(
    'SELECT address, state, detail, at FROM mail_recipient WHERE mail = ? ORDER BY address',
    [row.id],
  );
  return {
    ...summary(row),
    messageId: row.message_id,
    ...(row.checks === null ? {} : { checks: JSON.parse(row.checks) }),
    ...shown,
    attachments: parts.map(({ octets, ...part }) => ({ ...part, size: octets.length })),
    recipients: recipients.map(({ detail, ...rest }) => ({ ...rest, ...(detail === null ? {} : { detail }) })),
  };
}

/** Takes one copy of a mail away, and the octets when nobody else needs them. */
function removal(row: MailRow): Statement[] {
  return [
    sqlOne('DELETE FROM mail WHERE id = ?', row.id),
    sql('DELETE FROM mail_recipient WHERE mail = ?', row.id),
    sql('UPDATE mailbox SET used = used - ? WHERE id = ?', row.size, row.mailbox),
    dropRaw(row.raw),
  ];
}

async function visibleMail(store: Store, context: Context, id: string): Promise<MailRow | undefined> {
  const row = await store.one<MailRow>('SELECT * FROM mail WHERE id = ?', [id]);
  return row !== undefined && seesRow(context, row.home) ? row : undefined;
}

async function content(store: Store, row: MailRow): Promise<Parsed> {
  const raw = await store.one<{ octets: Uint8Array }>('SELECT octets FROM mail_raw WHERE id = ?', [row.raw]);
  return parseMail(raw?.octets ?? new Uint8Array());
}

function summary(row: MailRow): Summary {
  return {
    id: row.id,
    mailbox: row.mailbox,
    ...(row.home === null ? {} : { home: row.home }),
    folder: row.folder,
    from: row.sender,
    to: JSON.parse(row.recipients) as string[],
    subject: row.subject,
    at: row.at,
    size: row.size,
    seen: row.seen === 1,
  };
}
