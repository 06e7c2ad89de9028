/**
 * Taking in one mail, whoever brings it: the rows of its copies, of what must go to other domains and of the events, to be written
 * in one commit. Until that commit nothing of it exists; after it, all of it is the queue's and the mailboxes' affair.
 */
import { eventRow } from '#cloud/store/event-log.ts';
import { type Statement, type Store, sql, sqlOne } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { readAddress, writeAddress } from './address.ts';
import { mailboxByLocal } from './mailboxes.ts';
import { type MailboxRow, makeId, type Office } from './parts.ts';

export interface Posting {
  readonly raw: Uint8Array;
  /** Envelope sender; empty for reports and notices, which nothing may answer. */
  readonly sender: string;
  /** Envelope recipients. */
  readonly recipients: readonly string[];
  /** Of the header, as people read it. */
  readonly from: string;
  readonly subject: string;
  /** Without its angle brackets. */
  readonly messageId: string;
  /** The mailbox that sends it: it keeps a copy, and hears what becomes of it. */
  readonly sentBy?: MailboxRow;
  /** The verdicts on a mail from outside. */
  readonly checks?: unknown;
}

export interface Posted {
  readonly statements: readonly Statement[];
  /** The sent copy's id, or the first one's that arrived. */
  readonly mail: string;
  /** Some of it goes to other domains. */
  readonly queued: boolean;
}

/** Where one recipient's copy goes. */
export type Destination =
  | { readonly at: 'mailbox'; readonly address: string; readonly mailbox: MailboxRow }
  | { readonly at: 'elsewhere'; readonly address: string; readonly domain: string };

/** Finds out where an address goes; a fault where nowhere. */
export async function resolveRecipient(office: Office, text: string): Promise<Result<Destination, Fault>> {
  const address = readAddress(text);
  if (address === undefined) return err(fault('mail_address_invalid', `"${text.slice(0, 80)}" is no mail address.`));
  if (address.domain !== office.domain) {
    if (!office.hasRoute) return err(fault('mail_no_route', `Nothing here delivers to ${address.domain}.`));
    return ok({ at: 'elsewhere', address: writeAddress(address), domain: address.domain });
  }
  const mailbox = await mailboxByLocal(office.store, address.local);
  if (mailbox === undefined) return err(fault('mail_recipient_unknown', `Nobody has ${writeAddress(address)}.`));
  return ok({ at: 'mailbox', address: writeAddress(address), mailbox });
}

/** The rows of a mail; a fault where a recipient is unknown or a mailbox has no room. */
export async function planPosting(office: Office, posting: Posting): Promise<Result<Posted, Fault>> {
  const destinations: Destination[] = [];
  for (const text of new Set(posting.recipients)) {
    const found = await resolveRecipient(office, text);
    if (!found.ok) return found;
    destinations.push(found.value);
  }
  const size = posting.raw.length;
  const boxes = new Map<string, MailboxRow>();
  for (const one of destinations) if (one.at === 'mailbox') boxes.set(one.mailbox.id, one.mailbox);
  const holders = [...boxes.values(), ...(posting.sentBy === undefined ? [] : [posting.sentBy])];
  // A mailbox that writes to itself keeps two copies.
  const copies = (id: string) => holders.filter((box) => box.id === id).length;
  const full = holders.find((box) => box.used + size * copies(box.id) > box.quota);
  if (full !== undefined) return err(fault('mailbox_full', `${full.name} holds ${full.used} of ${full.quota} octets.`));

  const raw = makeId(office.world, 'mail');
  const sent = posting.sentBy === undefined ? undefined : makeId(office.world, 'mail');
  const statements = [sql('INSERT INTO mail_raw (id, octets) VALUES (?, ?)', raw, posting.raw)];
  if (posting.sentBy !== undefined && sent !== undefined)
    statements.push(...sentCopy(office, posting, posting.sentBy, sent, raw, destinations));
  let first = sent;
  for (const box of boxes.values()) {
    const id = makeId(office.world, 'mail');
    first ??= id;
    statements.push(...(await arrival(office, posting, box, id, raw)));
  }
  const outward = destinations.filter((one) => one.at === 'elsewhere');
  statements.push(...queueRows(office, posting, first ?? raw, raw, outward));
  return ok({ statements, mail: first ?? raw, queued: outward.length > 0 });
}

function insertMail(office: Office, posting: Posting, box: MailboxRow, id: string, raw: string, folder: string) {
  const size = posting.raw.length;
  return [
    sqlOne('UPDATE mailbox SET used = used + ? WHERE id = ? AND used + ? <= quota', size, box.id, size),
    sql(
      'INSERT INTO mail (id, mailbox, home, folder, sender, recipients, subject, message_id, at, size, seen, raw, checks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      id,
      box.id,
      box.home,
      folder,
      posting.from,
      JSON.stringify(posting.recipients),
      posting.subject,
      posting.messageId,
      office.world.clock.wall(),
      size,
      Number(folder === 'sent'),
      raw,
      posting.checks === undefined ? null : JSON.stringify(posting.checks),
    ),
  ];
}

/** A copy that arrives in a mailbox; an application's address tells its install. */
async function arrival(office: Office, posting: Posting, box: MailboxRow, id: string, raw: string) {
  const tag = box.kind === 'application' ? await tagOf(office.store, box.id) : undefined;
  const event = eventRow(office.world, {
    type: 'home.mail.v1.received',
    ...(box.home === null ? {} : { home: box.home }),
    subject: tag?.subject ?? id,
    data: {
      mail: id,
      mailbox: box.id,
      from: posting.from,
      subject: posting.subject,
      size: posting.raw.length,
      ...(tag === undefined ? {} : { tag: tag.tag, application: tag.subject }),
    },
  });
  return [...insertMail(office, posting, box, id, raw, 'inbox'), event];
}

function tagOf(store: Store, mailbox: string) {
  return store.one<{ tag: string; subject: string }>('SELECT tag, subject FROM mail_tag WHERE mailbox = ?', [mailbox]);
}

/** The sender's own copy with what became of it at each recipient. */
function sentCopy(
  office: Office,
  posting: Posting,
  box: MailboxRow,
  id: string,
  raw: string,
  destinations: readonly Destination[],
): Statement[] {
  const { world } = office;
  const home = box.home === null ? {} : { home: box.home };
  const outward = destinations.filter((one) => one.at === 'elsewhere').map(({ address }) => address);
  const inward = destinations.filter((one) => one.at === 'mailbox').map(({ address }) => address);
  return [
    ...insertMail(office, posting, box, id, raw, 'sent'),
    ...destinations.map(({ at, address }) =>
      sql(
        'INSERT INTO mail_recipient (mail, address, state, detail, at) VALUES (?, ?, ?, NULL, ?)',
        id,
        address,
        at === 'mailbox' ? 'delivered' : 'queued',
        world.clock.wall(),
      ),
    ),
    ...(outward.length === 0
      ? []
      : [eventRow(world, { type: 'home.mail.v1.queued', ...home, subject: id, data: { mail: id, to: outward } })]),
    ...(inward.length === 0
      ? []
      : [eventRow(world, { type: 'home.mail.v1.delivered', ...home, subject: id, data: { mail: id, to: inward } })]),
  ];
}

function queueRows(
  { world }: Office,
  posting: Posting,
  mail: string,
  raw: string,
  outward: readonly Extract<Destination, { at: 'elsewhere' }>[],
): Statement[] {
  const now = world.clock.wall();
  return outward.map(({ address, domain }) =>
    sql(
      'INSERT INTO mail_queue (id, mail, home, raw, sender, recipient, domain, attempts, next_at, leased_until, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, 0, ?)',
      makeId(world, 'mail'),
      mail,
      posting.sentBy?.home ?? null,
      raw,
      posting.sender,
      address,
      domain,
      now,
      now,
    ),
  );
}

/** Takes the octets of a mail away when nothing names them any more. */
export function dropRaw(raw: string): Statement {
  return sql(
    'DELETE FROM mail_raw WHERE id = ? AND NOT EXISTS (SELECT 1 FROM mail WHERE raw = mail_raw.id) AND NOT EXISTS (SELECT 1 FROM mail_queue WHERE raw = mail_raw.id)',
    raw,
  );
}

/** Tells listeners that the event log grew. */
export function announce({ bus }: Pick<Office, 'bus'>, home: string | null | undefined): void {
  bus.publish('event.appended', home === null || home === undefined ? {} : { home });
}
