/**
 * Sends queued deliveries. Within a webhook and a lane (a session, or the thing that an event is about) one goes after the other; a
 * failing one holds back only its lane. A receiver that fails for every lane is left alone for a while and then tried with one.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { within } from '#shared/kernel/time.ts';
import { type HttpReply, NetError, type Timer } from '#shared/kernel/world.ts';
import { isPublicAddress } from './address.ts';
import type { Hook } from './hooks.ts';
import { DOWN_AFTER, restAfter, retryAfter, waitAfter } from './schedule.ts';
import { signedHeaders } from './signature.ts';

/** Milliseconds that a receiver may take to answer. */
export const ANSWER_WITHIN = 10_000;
/** Octets of an answer that are read. */
export const ANSWER_LIMIT = 4096;
/** Deliveries under way at once: of one webhook, and together. */
export const AT_ONCE = 8;
export const ALL_AT_ONCE = 128;

interface DeliveryRow {
  readonly id: string;
  readonly event: string;
  readonly lane: string;
  readonly body: string;
  readonly attempts: number;
  readonly give_up_at: number;
}

/** How a receiver does. */
interface Receiver {
  hook: Hook;
  /** Looks at its queue go one after the other. */
  turn: Promise<void>;
  readonly lanes: Set<string>;
  failures: number;
  restUntil: number;
}

type Surroundings = Pick<PartContext, 'store' | 'world'> & { readonly anyAddress: boolean };

type Answer =
  | { readonly got: 'reply'; readonly reply: HttpReply }
  | { readonly got: 'nothing'; readonly error: string };

const HEAD =
  "NOT EXISTS (SELECT 1 FROM delivery e WHERE e.webhook = d.webhook AND e.lane = d.lane AND e.state = 'pending' AND e.position < d.position)";

export class Sender {
  readonly #at: Surroundings;
  readonly #receivers = new Map<string, Receiver>();
  readonly #underWay = new Set<Promise<void>>();
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(at: Surroundings) {
    this.#at = at;
  }

  /** Sends what is due, to every webhook. */
  async pump(hooks: readonly Hook[]): Promise<void> {
    const known = new Set(hooks.map((hook) => hook.id));
    for (const id of this.#receivers.keys()) if (!known.has(id)) this.#receivers.delete(id);
    for (const hook of hooks) {
      const receiver = this.#receivers.get(hook.id) ?? newReceiver(hook);
      receiver.hook = hook;
      this.#receivers.set(hook.id, receiver);
      await this.#again(receiver);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await within(this.#at.world.clock, 1000, Promise.all(this.#underWay), undefined);
  }

  async #pumpOne(receiver: Receiver): Promise<void> {
    const { store, world } = this.#at;
    const { hook } = receiver;
    if (this.#stopped) return;
    await this.#giveUp(hook.id);
    if (!hook.active) return;
    const rest = receiver.restUntil - world.clock.mono();
    if (rest > 0) return this.#wakeIn(rest);
    const down = receiver.failures >= DOWN_AFTER;
    const room = Math.min((down ? 1 : AT_ONCE) - receiver.lanes.size, ALL_AT_ONCE - this.#underWay.size);
    if (room <= 0) return;
    const now = world.clock.wall();
    // One that was down has had its rest: the oldest is tried, whenever it would be due by itself.
    const due = await store.all<DeliveryRow>(
      `SELECT d.id, d.event, d.lane, d.body, d.attempts, d.give_up_at FROM delivery d
       WHERE d.webhook = ? AND d.state = 'pending' AND d.next_at <= ? AND ${HEAD} ORDER BY d.position LIMIT ?`,
      [hook.id, down ? Number.MAX_SAFE_INTEGER : now, room + receiver.lanes.size],
    );
    for (const row of due.filter(({ lane }) => !receiver.lanes.has(lane)).slice(0, room)) this.#begin(receiver, row);
    const later = await store.one<{ at: number | null }>(
      `SELECT MIN(d.next_at) AS at FROM delivery d WHERE d.webhook = ? AND d.state = 'pending' AND d.next_at > ? AND ${HEAD}`,
      [hook.id, now],
    );
    if (later?.at != null) this.#wakeIn(later.at - now);
  }

  /** What could not be delivered in time is dead; it can be replayed. */
  async #giveUp(webhook: string): Promise<void> {
    const { store, world } = this.#at;
    const now = world.clock.wall();
    const late = "webhook = ? AND state = 'pending' AND give_up_at <= ?";
    if ((await store.one(`SELECT id FROM delivery WHERE ${late} LIMIT 1`, [webhook, now])) === undefined) return;
    await store.commit([sql(`UPDATE delivery SET state = 'dead', done_at = ? WHERE ${late}`, now, webhook, now)]);
    world.log.warn('webhook.gave-up', { webhook });
  }

  #begin(receiver: Receiver, row: DeliveryRow): void {
    receiver.lanes.add(row.lane);
    const work: Promise<void> = this.#send(receiver, row)
      .catch((error: unknown) => {
        if (!this.#stopped) this.#at.world.log.error('webhook.send-failed', { error: String(error) });
      })
      .then(() => {
        receiver.lanes.delete(row.lane);
        this.#underWay.delete(work);
        return this.#receivers.get(receiver.hook.id) === receiver ? this.#again(receiver) : undefined;
      });
    this.#underWay.add(work);
  }

  #again(receiver: Receiver): Promise<void> {
    receiver.turn = receiver.turn
      .then(() => this.#pumpOne(receiver))
      .catch((error: unknown) => {
        if (!this.#stopped) this.#at.world.log.error('webhook.pump-failed', { error: String(error) });
      });
    return receiver.turn;
  }

  async #send(receiver: Receiver, row: DeliveryRow): Promise<void> {
    const answer = await this.#post(receiver.hook, row);
    const { store } = this.#at;
    const status = answer.got === 'reply' ? answer.reply.status : undefined;
    if (status !== undefined && status >= 200 && status < 300) {
      const wasDown = receiver.failures >= DOWN_AFTER;
      receiver.failures = 0;
      receiver.restUntil = 0;
      await store.commit([this.#delivered(row, status), ...(wasDown ? [this.#allDue(receiver.hook.id)] : [])]);
      return;
    }
    receiver.failures++;
    const asked = answer.got === 'reply' ? retryAfter(answer.reply.headers['retry-after']) : 0;
    const own = restAfter(receiver.failures, this.#at.world.random.fraction());
    const rest = own > 0 ? Math.max(own, asked) : 0;
    if (rest > 0) receiver.restUntil = this.#at.world.clock.mono() + rest;
    await store.commit([
      this.#failed(row, answer),
      // 410 Gone: the receiver wants no more (Standard Webhooks).
      ...(status === 410 ? [sql("UPDATE webhook SET state = 'paused' WHERE id = ?", receiver.hook.id)] : []),
    ]);
    if (status === 410) receiver.hook = { ...receiver.hook, active: false };
  }

  async #post({ url, secret, operator }: Hook, row: DeliveryRow): Promise<Answer> {
    const { world, anyAddress } = this.#at;
    const open = operator || anyAddress;
    const asked = world.http.request({
      method: 'POST',
      url,
      headers: {
        'content-type': 'application/cloudevents+json; charset=utf-8',
        'user-agent': 'Hearthline-Webhooks/1',
        ...signedHeaders(world, secret, { id: row.event, at: world.clock.wall(), body: row.body }),
      },
      body: row.body,
      timeout: ANSWER_WITHIN,
      limit: ANSWER_LIMIT,
      cut: true,
      allow: (address) => open || isPublicAddress(address),
    });
    try {
      const reply = await within(world.clock, ANSWER_WITHIN, asked, undefined);
      return reply === undefined ? { got: 'nothing', error: 'no answer within 10 s' } : { got: 'reply', reply };
    } catch (error) {
      const text = error instanceof NetError ? `${error.code}: ${error.message}` : 'the request failed';
      return { got: 'nothing', error: text.slice(0, 256) };
    }
  }

  #delivered(row: DeliveryRow, status: number): Statement {
    return sql(
      "UPDATE delivery SET state = 'delivered', attempts = attempts + 1, done_at = ?, status = ?, error = NULL WHERE id = ? AND state = 'pending'",
      this.#at.world.clock.wall(),
      status,
      row.id,
    );
  }

  #failed(row: DeliveryRow, answer: Answer): Statement {
    const { clock, random } = this.#at.world;
    const asked = answer.got === 'reply' ? retryAfter(answer.reply.headers['retry-after']) : 0;
    const wait = Math.max(asked, waitAfter(row.attempts + 1, random.fraction()));
    return sql(
      "UPDATE delivery SET attempts = attempts + 1, next_at = ?, status = COALESCE(?, status), error = ? WHERE id = ? AND state = 'pending'",
      clock.wall() + wait,
      answer.got === 'reply' ? answer.reply.status : null,
      answer.got === 'reply' ? `the receiver answered ${answer.reply.status}` : answer.error,
      row.id,
    );
  }

  /** The receiver is back: whatever waited for its next try is due. */
  #allDue(webhook: string): Statement {
    const now = this.#at.world.clock.wall();
    return sql(
      "UPDATE delivery SET next_at = ? WHERE webhook = ? AND state = 'pending' AND next_at > ?",
      now,
      webhook,
      now,
    );
  }

  #wakeIn(wait: number): void {
    const { clock } = this.#at.world;
    const at = clock.mono() + Math.max(1, wait);
    if (this.#stopped || at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = clock.at(at, () => {
      this.#timerAt = Number.POSITIVE_INFINITY;
      void (async () => {
        for (const receiver of this.#receivers.values()) await this.#again(receiver);
      })();
    });
  }
}

function newReceiver(hook: Hook): Receiver {
  return { hook, turn: Promise.resolve(), lanes: new Set(), failures: 0, restUntil: 0 };
}
