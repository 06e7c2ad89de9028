/**
 * The queue to other domains. A row stays until another server has said yes, or until it is given up and its sender told. A lease keeps two
 * deliveries of one row apart. A crash between another server's 250 and our commit sends the mail again with the same
 * Message-ID: at least once, as SMTP has it (RFC 5321 section 6.1).
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { ok } from '#shared/kernel/result.ts';
import { within } from '#shared/kernel/time.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { readAddress } from './address.ts';
import { mailboxByLocal } from './mailboxes.ts';
import { isRefusal, readHeader } from './octets.ts';
import { command, type Office, page } from './parts.ts';
import { announce, dropRaw, planPosting } from './post.ts';
import { type Undelivered, writeReport } from './report.ts';
import { type Delivery, nextTry, statusOf } from './retry.ts';
import { newMessageId } from './send.ts';

/** One mail for one domain. */
export interface Job {
  readonly domain: string;
  /** Envelope sender; empty for none. */
  readonly sender: string;
  readonly recipients: readonly string[];
  readonly raw: Uint8Array;
}

/** What brings mails to other servers. */
export interface Carrier {
  /** One outcome per recipient; never rejects. */
  deliver(job: Job): Promise<ReadonlyMap<string, Delivery>>;
  close(): void;
}

interface QueueRow {
  readonly id: string;
  readonly mail: string;
  readonly home: string | null;
  readonly raw: string;
  readonly sender: string;
  readonly recipient: string;
  readonly domain: string;
  readonly attempts: number;
  readonly next_at: number;
  readonly leased_until: number;
  readonly created_at: number;
  readonly error: string | null;
}

/** Milliseconds that one delivery may take before another may begin: longer than all time-outs of the carrier. */
const LEASE = 15 * 60_000;
/** Deliveries under way at once. */
const AT_ONCE = 8;
/** Recipients in one delivery, and rows that one look takes. */
const ROWS_AT_ONCE = 100;
/** Milliseconds that a stop waits for deliveries. */
const LAST_MOMENT = 2_000;
/** Milliseconds between looks, whatever the queue says: the wall clock may have been set. */
const LOOK_EVERY = 60_000;

export class Queue {
  readonly #office: Office;
  readonly #carrier: Carrier;
  readonly #running = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #looking: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(office: Office, carrier: Carrier) {
    this.#office = office;
    this.#carrier = carrier;
  }

  /** Frees what a process that died held: the store lets one process in. Then looks for the first time. */
  async start(): Promise<void> {
    const held = await this.#office.store.one('SELECT id FROM mail_queue WHERE leased_until > 0 LIMIT 1');
    if (held !== undefined)
      await this.#office.store.commit([sql('UPDATE mail_queue SET leased_until = 0 WHERE leased_until > 0')]);
    this.wake();
  }

  /** Deliveries under way. */
  get active(): number {
    return this.#running.size;
  }

  /** Looks at the queue soon. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#looking !== undefined) {
      this.#again = true;
      return;
    }
    this.#looking = this.#look()
      .catch((error) => {
        this.#office.world.log.error('mail.queue-failed', { error: String(error) });
        this.#sleep(LOOK_EVERY);
      })
      .finally(() => {
        this.#looking = undefined;
        if (this.#again) this.wake();
      });
  }

  /** Waits a moment for deliveries under way, as the other server may be saying yes; one that takes longer is begun anew. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#carrier.close();
    await this.#looking;
    await within(this.#office.world.clock, LAST_MOMENT, Promise.all(this.#running), undefined);
  }

  async #look(): Promise<void> {
    this.#again = false;
    const { store, world } = this.#office;
    const now = world.clock.wall();
    const rows = await store.all<QueueRow>(
      'SELECT * FROM mail_queue WHERE next_at <= ? AND leased_until <= ? ORDER BY next_at, id LIMIT ?',
      [now, now, ROWS_AT_ONCE],
    );
    for (const group of Map.groupBy(rows, (row) => `${row.raw} ${row.domain}`).values()) {
      if (this.#running.size >= AT_ONCE || this.#stopped) return;
      const leased = await store.commit(
        group.map((row) =>
          sqlOne('UPDATE mail_queue SET leased_until = ? WHERE id = ? AND leased_until <= ?', now + LEASE, row.id, now),
        ),
      );
      if (leased.ok) this.#run(group);
    }
    const next = await store.one<{ at: number | null }>(
      'SELECT MIN(CASE WHEN next_at > leased_until THEN next_at ELSE leased_until END) AS at FROM mail_queue',
    );
    if (next?.at != null) this.#sleep(Math.min(LOOK_EVERY, Math.max(10, next.at - world.clock.wall())));
  }

  #sleep(wait: number): void {
    const { clock } = this.#office.world;
    this.#timer?.cancel();
    if (!this.#stopped) this.#timer = clock.at(clock.mono() + wait, () => this.wake());
  }

  #run(group: readonly QueueRow[]): void {
    const work = this.#deliver(group)
      .catch((error) => this.#office.world.log.error('mail.delivery-failed', { error: String(error) }))
      .finally(() => {
        this.#running.delete(work);
        this.wake();
      });
    this.#running.add(work);
  }

  async #deliver(group: readonly QueueRow[]): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    const found = await this.#office.store.one<{ octets: Uint8Array }>('SELECT octets FROM mail_raw WHERE id = ?', [
      first.raw,
    ]);
    const raw = found?.octets ?? new Uint8Array();
    const recipients = group.map((row) => row.recipient);
    const results = await this.#carrier.deliver({ domain: first.domain, sender: first.sender, recipients, raw });
    await this.#settle(first, group, raw, results);
  }

  async #settle(
    first: QueueRow,
    group: readonly QueueRow[],
    raw: Uint8Array,
    results: ReadonlyMap<string, Delivery>,
  ): Promise<void> {
    const { store, world } = this.#office;
    const now = world.clock.wall();
    const statements: Statement[] = [];
    const failed: Undelivered[] = [];
    for (const row of group) {
      const result = results.get(row.recipient) ?? { is: 'temporary', reply: 'the carrier said nothing of it' };
      if (result.is === 'delivered') {
        statements.push(...this.#ended(row, 'delivered', result.reply, now));
        continue;
      }
      const at = result.is === 'temporary' ? nextTry(row.created_at, row.attempts + 1, now) : undefined;
      if (at !== undefined) {
        statements.push(
          sqlOne(
            'UPDATE mail_queue SET attempts = ?, next_at = ?, leased_until = 0, error = ? WHERE id = ?',
            row.attempts + 1,
            at,
            result.reply.slice(0, 500),
            row.id,
          ),
        );
        continue;
      }
      statements.push(...this.#ended(row, 'bounced', result.reply, now));
      const server = result.server === undefined ? {} : { server: result.server };
      failed.push({
        recipient: row.recipient,
        status: statusOf(result.reply, result.is),
        reply: result.reply,
        ...server,
      });
    }
    const report = failed.length === 0 ? [] : await this.#report(first, raw, failed);
    await store.commit([...statements, ...report, dropRaw(first.raw)]);
    announce(this.#office, first.home);
  }

  #ended(row: QueueRow, state: 'delivered' | 'bounced', reply: string, now: number): Statement[] {
    const { world } = this.#office;
    return [
      sqlOne('DELETE FROM mail_queue WHERE id = ?', row.id),
      sql(
        'UPDATE mail_recipient SET state = ?, detail = ?, at = ? WHERE mail = ? AND address = ?',
        state,
        reply.slice(0, 500),
        now,
        row.mail,
        row.recipient,
      ),
      eventRow(world, {
        type: `home.mail.v1.${state}`,
        ...(row.home === null ? {} : { home: row.home }),
        subject: row.mail,
        data: { mail: row.mail, to: [row.recipient], reply: reply.slice(0, 500) },
      }),
    ];
  }

  /** The rows of the report to the mailbox that sent the mail; none for a mail with the null sender. */
  async #report(first: QueueRow, raw: Uint8Array, failed: readonly Undelivered[]): Promise<readonly Statement[]> {
    const { world, domain, store } = this.#office;
    const sender = readAddress(first.sender);
    if (sender === undefined || sender.domain !== domain) return [];
    if ((await mailboxByLocal(store, sender.local)) === undefined) return [];
    const header = readHeader(raw);
    const messageId = newMessageId(this.#office);
    const report = writeReport(
      {
        domain,
        to: first.sender,
        messageId,
        at: world.clock.wall(),
        arrived: first.created_at,
        original: isRefusal(header) ? '' : header.fields.map((field) => field.text).join(''),
        failed,
      },
      base32(world.random.bytes(15)),
    );
    const posted = await planPosting(this.#office, {
      raw: report,
      sender: '',
      recipients: [first.sender],
      from: `postmaster@${domain}`,
      subject: 'Your mail could not be delivered',
      messageId,
    });
    if (posted.ok) return posted.value.statements;
    world.log.warn('mail.report-dropped', { mail: first.mail, why: posted.fault.code });
    return [];
  }
}

/** The operator's look at the queue. */
export function queueHandlers(office: Office): Pick<Handlers<'email'>, 'mail.queue.list' | 'mail.queue.retry'> {
  const { store, world } = office;
  return {
    async 'mail.queue.list'(request) {
      const found = await page<QueueRow>(store, 'SELECT * FROM mail_queue WHERE 1 = 1', [], request, 'ASC');
      const items = found.rows.map((row) => ({
        id: row.id,
        mail: row.mail,
        recipient: row.recipient,
        attempts: row.attempts,
        createdAt: row.created_at,
        nextAt: row.next_at,
        ...(row.error === null ? {} : { error: row.error }),
      }));
      return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
    },
    async 'mail.queue.retry'(request, context) {
      const outcome = await command<'mail.queue.retry'>(office, context, async () => {
        const now = world.clock.wall();
        const [where, params] =
          request.domain === undefined ? ['1 = 1', []] : ['domain = ?', [request.domain.toLowerCase()]];
        const waits = `${where} AND leased_until <= ?`;
        const held = await store.one<{ n: number }>(`SELECT COUNT(*) AS n FROM mail_queue WHERE ${waits}`, [
          ...params,
          now,
        ]);
        const change = sql(`UPDATE mail_queue SET next_at = ? WHERE ${waits}`, now, ...params, now);
        return ok({ reply: { waiting: held?.n ?? 0 }, statements: [change] });
      });
      if (outcome.ok) office.wakeQueue();
      return outcome;
    },
  };
}
