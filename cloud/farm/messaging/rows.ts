/** Messages as they stand in the store, how they are written, and how they are shown. */
import type { Principal } from '#cloud/bus/bus.ts';
import { sees } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

export type MessageView = VerbReply<'message.get'>;
type RecipientState = MessageView['recipients'][number]['state'];

export interface MessageRow {
  readonly position: number;
  readonly id: string;
  /** `receipt`: a disposition notification on its way to the sender's phones. */
  readonly kind: 'message' | 'receipt';
  /** The sender's own name for it, which receipts to the sender carry. */
  readonly origin: string | null;
  readonly from_party: string;
  readonly from_name: string | null;
  readonly from_line: string | null;
  readonly from_home: string | null;
  readonly party: string;
  readonly grp: string | null;
  readonly session: string | null;
  readonly leg: string | null;
  readonly content_type: string;
  readonly body: string;
  /** Dispositions that the sender wants to hear of, as in `imdn.Disposition-Notification`. */
  readonly receipts: string;
  readonly created_at: number;
  readonly expires_at: number;
}

export interface RecipientRow {
  readonly message: string;
  readonly n: number;
  readonly party: string;
  readonly line: string | null;
  readonly home: string | null;
  readonly state: RecipientState;
  readonly reason: string | null;
  readonly delivered_at: number | null;
  readonly read_at: number | null;
}

/** What one phone is to get, or has got. */
export interface CopyRow {
  readonly message: string;
  readonly line: string;
  /** Empty: the first phone of the line that comes. */
  readonly device: string;
  readonly position: number;
  readonly state: 'waiting' | 'delivered' | 'expired' | 'failed';
  /** How often the phone said that it cannot take it now. */
  readonly refused: number;
}

export type NewMessage = Omit<MessageRow, 'position'>;
export type NewRecipient = Omit<RecipientRow, 'message' | 'n'> & {
  /** Phones that are to get it, by state. */
  readonly copies: readonly { readonly device: string; readonly state: CopyRow['state'] }[];
};

/** The statements that write a message with its recipients, copies and the lists in which it shows. A known id fails as `unique`. */
export function insertMessage(message: NewMessage, recipients: readonly NewRecipient[]): Statement[] {
  const homes = new Set([message.from_home, ...recipients.map(({ home }) => home)].filter((home) => home !== null));
  return [
    insertRow(message, ''),
    ...recipients.map(({ party, line, home, state, reason, delivered_at, read_at }, n) =>
      sql(
        'INSERT INTO message_recipient (message, n, party, line, home, state, reason, delivered_at, read_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        ...[message.id, n, party, line, home, state, reason, delivered_at, read_at, message.expires_at],
      ),
    ),
    ...recipients.flatMap(({ line, copies }) =>
      line === null ? [] : copies.map(({ device, state }) => insertCopy(message, line, device, state)),
    ),
    ...[...homes].map((home) =>
      sql(
        'INSERT INTO message_home (home, position, message) SELECT ?, position, id FROM message WHERE id = ?',
        home,
        message.id,
      ),
    ),
  ];
}

/** A receipt for the phones of a line; one that is written already stays as it is. */
export function insertReceipt(receipt: NewMessage, line: string, devices: readonly string[]): Statement[] {
  return [
    insertRow(receipt, ' ON CONFLICT (id) DO NOTHING'),
    ...devices.map((device) => insertCopy(receipt, line, device, 'waiting')),
  ];
}

function insertRow(message: NewMessage, conflict: string): Statement {
  const m = message;
  return sql(
    `INSERT INTO message (id, kind, origin, from_party, from_name, from_line, from_home, party, grp, session, leg, content_type, body, receipts, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)${conflict}`,
    ...[m.id, m.kind, m.origin, m.from_party, m.from_name, m.from_line, m.from_home, m.party, m.grp],
    ...[m.session, m.leg, m.content_type, m.body, m.receipts, m.created_at, m.expires_at],
  );
}

function insertCopy(message: NewMessage, line: string, device: string, state: CopyRow['state']): Statement {
  return sql(
    'INSERT INTO message_copy (message, line, device, position, state, expires_at) SELECT id, ?, ?, position, ?, expires_at FROM message WHERE id = ? ON CONFLICT (message, line, device) DO NOTHING',
    ...[line, device, state, message.id],
  );
}

export function messageById(store: Store, id: string): Promise<MessageRow | undefined> {
  return store.one<MessageRow>('SELECT * FROM message WHERE id = ?', [id]);
}

export function recipientsOf(store: Store, ids: readonly string[]): Promise<(RecipientRow & { devices: number })[]> {
  if (ids.length === 0) return Promise.resolve([]);
  const marks = ids.map(() => '?').join(', ');
  return store.all(
    `SELECT r.*, (SELECT COUNT(*) FROM message_copy c WHERE c.message = r.message AND c.line = r.line AND c.state = 'delivered') AS devices FROM message_recipient r WHERE r.message IN (${marks}) ORDER BY r.message, r.n`,
    ids,
  );
}

/** A message as the open API shows it. */
export function view(
  message: Omit<MessageRow, 'position'>,
  recipients: readonly (Omit<RecipientRow, 'message' | 'n'> & { readonly devices: number })[],
): MessageView {
  const m = message;
  return {
    id: m.id,
    from: end(m.from_party, m.from_line, m.from_home),
    to: m.party,
    ...(m.grp === null ? {} : { group: m.grp }),
    ...(m.session === null ? {} : { session: m.session }),
    ...(m.leg === null ? {} : { leg: m.leg }),
    contentType: m.content_type,
    text: m.body,
    state: stateOf(recipients.map(({ state }) => state)),
    createdAt: m.created_at,
    expiresAt: m.expires_at,
    receipts: m.receipts !== '',
    recipients: recipients.map((one) => ({
      ...end(one.party, one.line, one.home),
      state: one.state,
      ...(one.reason === null ? {} : { reason: one.reason }),
      ...(one.delivered_at === null ? {} : { deliveredAt: one.delivered_at }),
      ...(one.read_at === null ? {} : { readAt: one.read_at }),
      devices: one.devices,
    })),
  };
}

/** What a principal sees of a message's recipients: all for the sender's home, else those of its own homes. */
export function seenBy<R extends { readonly home: string | null }>(
  principal: Principal,
  message: Pick<MessageRow, 'from_home'>,
  recipients: readonly R[],
): readonly R[] {
  if (principal.kind === 'part' || (message.from_home !== null && sees(principal, message.from_home)))
    return recipients;
  if (principal.kind === 'account' && principal.homes === 'all' && principal.role === 'operator') return recipients;
  return recipients.filter(({ home }) => home !== null && sees(principal, home));
}

function end(party: string, line: string | null, home: string | null) {
  return { party, ...(line === null ? {} : { line }), ...(home === null ? {} : { home }) };
}

function stateOf(states: readonly RecipientState[]): MessageView['state'] {
  if (states.includes('waiting')) return 'accepted';
  if (states.every((state) => state === 'read')) return 'read';
  if (states.some((state) => state === 'delivered' || state === 'read')) return 'delivered';
  return states.includes('expired') ? 'expired' : 'failed';
}
