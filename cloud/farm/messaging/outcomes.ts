/**
 * What becomes of a message for one recipient, as one commit each: the phone's copy, the recipient's state, the events that people
 * hear of, and the receipt for the sender's phones. A state never goes back, whoever tells it and however often.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import { type Statement, sqlOne } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { MESSAGE_LIFE } from '#shared/protocol/verbs/messaging.ts';
import { receiptBody } from './composition.ts';
import type { Devices } from './devices.ts';
import { type Fate, fateEvents } from './events.ts';
import { insertReceipt, type MessageRow, messageById, type RecipientRow } from './rows.ts';

export interface Told {
  readonly fate: Fate;
  /** Wall clock, ms. */
  readonly at: number;
  /** A fault's code, for `expired` and `failed`. */
  readonly reason?: FaultCode | `${FaultCode} ${number}`;
  /** The sender's phone has heard of it already. */
  readonly quiet?: boolean;
  /** More for the same commit: the row of the phone's copy, an idempotency key. */
  readonly with?: readonly Statement[];
}

/** States from which each fate may come. */
const FROM: Readonly<Record<Fate, readonly RecipientRow['state'][]>> = {
  delivered: ['waiting'],
  read: ['waiting', 'delivered'],
  expired: ['waiting'],
  failed: ['waiting'],
};
/** Tries to commit while another writes about the same recipient. */
const TRIES = 5;

/** An id that follows from what it names: the same message told again is the same message. */
export function derivedId(crypto: Crypto, ...parts: readonly string[]): string {
  return `msg_${base32(crypto.hash('sha256', utf8(parts.join('\n'))).subarray(0, 16))}`;
}

export class Outcomes {
  readonly #context: PartContext;
  readonly #devices: Devices;
  /** Receipts wait for the phones of this line. */
  readonly #wake: (line: string) => void;

  constructor(context: PartContext, devices: Devices, wake: (line: string) => void) {
    this.#context = context;
    this.#devices = devices;
    this.#wake = wake;
  }

  /** `who`: a line, or a recipient's number. Resolves once it is durable. What is known already changes nothing but what stands in `with`. */
  async tell(message: string, who: string | number, told: Told): Promise<void> {
    const { store } = this.#context;
    for (let n = 0; n < TRIES; n++) {
      const [row, recipient] = await Promise.all([messageById(store, message), this.#recipient(message, who)]);
      const extra = told.with ?? [];
      if (row === undefined || recipient === undefined || !FROM[told.fate].includes(recipient.state)) {
        if (extra.length > 0) await store.commit(extra);
        return;
      }
      const receipts = told.quiet === true ? [] : await this.#receipts(row, recipient, told);
      const events = fateEvents(this.#context.world, row, recipient, told);
      const done = await store.commit([...extra, ...change(recipient, told), ...events, ...receipts]);
      if (!done.ok) continue;
      this.#context.bus.publish('event.appended', row.session === null ? {} : { session: row.session });
      if (recipient.line !== null) this.#context.bus.publish('messages.changed', { line: recipient.line });
      if (receipts.length > 0 && row.from_line !== null) this.#wake(row.from_line);
      return;
    }
    throw new Error(`the state of ${message} for ${who} did not settle`);
  }

  #recipient(message: string, who: string | number): Promise<RecipientRow | undefined> {
    const field = typeof who === 'string' ? 'line' : 'n';
    return this.#context.store.one<RecipientRow>(`SELECT * FROM message_recipient WHERE message = ? AND ${field} = ?`, [
      message,
      who,
    ]);
  }

  /** What the sender asked to hear, for every phone of its line, kept until they are on. */
  async #receipts(message: MessageRow, recipient: RecipientRow, { fate, at }: Told): Promise<Statement[]> {
    const { world, config } = this.#context;
    const line = message.from_line;
    if (message.origin === null || line === null) return [];
    const whats: ('delivery' | 'display')[] = [];
    if (recipient.state === 'waiting' && (fate === 'delivered' || fate === 'read')) whats.push('delivery');
    if (fate === 'read') whats.push('display');
    const wished = whats.filter((what) => message.receipts.includes(what === 'delivery' ? 'positive-delivery' : what));
    if (wished.length === 0) return [];
    const devices = (await this.#devices.ofLines([line])).get(line) ?? [];
    return wished.flatMap((what) => {
      const { contentType, body } = receiptBody(message, recipient.party, what, at, config.domain);
      const now = Math.floor(world.clock.wall());
      const receipt = {
        ...{ id: derivedId(world.crypto, message.id, String(recipient.n), what), kind: 'receipt' as const },
        ...{ origin: null, from_party: recipient.party, from_name: null, from_line: null, from_home: null },
        ...{ party: message.from_party, grp: null, session: null, leg: null, content_type: contentType, body },
        ...{ receipts: '', created_at: now, expires_at: now + MESSAGE_LIFE.usual },
      };
      return insertReceipt(receipt, line, devices.length === 0 ? [''] : devices);
    });
  }
}

function change({ message, n, state }: RecipientRow, { fate, at, reason }: Told): Statement[] {
  const guard = 'WHERE message = ? AND n = ? AND state = ?';
  const key = [message, n, state] as const;
  switch (fate) {
    case 'delivered':
      return [sqlOne(`UPDATE message_recipient SET state = 'delivered', delivered_at = ? ${guard}`, at, ...key)];
    case 'read':
      return [
        sqlOne(
          `UPDATE message_recipient SET state = 'read', read_at = ?, delivered_at = COALESCE(delivered_at, ?) ${guard}`,
          ...[at, at],
          ...key,
        ),
      ];
    default:
      return [sqlOne(`UPDATE message_recipient SET state = ?, reason = ? ${guard}`, fate, reason ?? null, ...key)];
  }
}
