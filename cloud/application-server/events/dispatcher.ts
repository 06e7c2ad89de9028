/**
 * From facts to webhooks. `fill` reads what happened and queues it: deliveries and the cursor are one commit, so after a crash
 * nothing is missing and nothing queued twice. Sending is at least once: a crash between a receiver's answer and our commit sends the
 * same bytes with the same webhook-id again.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import type { EventCursor, ReadFact } from '#cloud/store/event-reader.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { every } from '#shared/kernel/time.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { Feed } from './feed.ts';
import { type Hook, readHooks } from './hooks.ts';
import { GIVE_UP_AFTER } from './schedule.ts';
import { Sender } from './sender.ts';

/** Deliveries of one webhook that may wait; further events go straight to the dead ones, whence they can be replayed. */
export const WAITING_LIMIT = 100_000;
/** Milliseconds between two looks when nothing calls for one. */
const LOOK_EVERY = 60_000;
/** Milliseconds for which hints gather before one look at what they were about. */
const GATHER = 20;
/** Facts that nobody wanted, after which the cursor is written all the same. */
const UNSAVED = 1000;

type Surroundings = Pick<PartContext, 'store' | 'world'> & { readonly feed: Feed; readonly anyAddress: boolean };

export class Dispatcher {
  readonly #at: Surroundings;
  readonly #sender: Sender;
  readonly #leave: readonly (() => void)[];
  #turn: Promise<void> = Promise.resolve();
  #asked: Timer | undefined;
  #stopped = false;
  #cursor: EventCursor | undefined;
  #unsaved = 0;

  constructor(at: Surroundings) {
    this.#at = at;
    this.#sender = new Sender(at);
    this.#leave = [at.feed.onChange(() => this.look()), every(at.world.clock, LOOK_EVERY, () => this.look())];
    this.#turn = this.#take();
  }

  /** Something has happened or a webhook has changed: queue what is new and send what is due. */
  look(): void {
    if (this.#asked !== undefined || this.#stopped) return;
    const { clock } = this.#at.world;
    this.#asked = clock.at(clock.mono() + GATHER, () => {
      this.#turn = this.#turn.then(() => this.#take());
    });
  }

  async #take(): Promise<void> {
    this.#asked = undefined;
    if (this.#stopped) return;
    try {
      // Before the webhooks are read: one that is made after that hears only what follows this place.
      const newest = await this.#at.feed.newest();
      const hooks = await readHooks(this.#at.store);
      if (hooks.length === 0) await this.#skip(newest);
      else await this.#fill(hooks);
      await this.#sender.pump(hooks);
    } catch (error) {
      if (!this.#stopped) this.#at.world.log.error('webhook.look-failed', { error: String(error) });
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#asked?.cancel();
    for (const leave of this.#leave) leave();
    await this.#turn;
    await this.#sender.stop();
  }

  /** Without a webhook nothing that happened is for anybody, so it need not be read. */
  async #skip(newest: EventCursor): Promise<void> {
    const before = this.#cursor ?? (await this.#savedCursor());
    this.#cursor = newest;
    this.#unsaved += newest.journal - before.journal + newest.log - before.log;
    if (this.#unsaved < UNSAVED) return;
    await this.#at.store.commit([saveCursor(newest)]);
    this.#unsaved = 0;
  }

  async #fill(hooks: readonly Hook[]): Promise<void> {
    const { feed, store } = this.#at;
    this.#cursor ??= await this.#savedCursor();
    for (;;) {
      const page = await feed.read(this.#cursor);
      if (page.items.length === 0) return;
      const statements = await this.#deliveries(hooks, page.items);
      this.#unsaved += page.items.length;
      if (statements.length > 0 || this.#unsaved >= UNSAVED) {
        await store.commit([...statements, saveCursor(page.cursor)]);
        this.#unsaved = 0;
      }
      this.#cursor = page.cursor;
    }
  }

  /** Where reading goes on; on the very first start behind all that there is. */
  async #savedCursor(): Promise<EventCursor> {
    const { store, feed } = this.#at;
    const saved = await store.one<EventCursor & object>("SELECT journal, log FROM event_cursor WHERE name = 'webhook'");
    if (saved !== undefined) return saved;
    const newest = await feed.newest();
    await store.commit([saveCursor(newest)]);
    return newest;
  }

  async #deliveries(hooks: readonly Hook[], items: readonly ReadFact[]): Promise<Statement[]> {
    const { feed, store, world } = this.#at;
    const statements: Statement[] = [];
    for (const hook of hooks) {
      const wanted = items.filter((item) => hook.wants(item));
      if (wanted.length === 0) continue;
      let room = WAITING_LIMIT - (await countWaiting(store, hook.id));
      for (const { fact } of wanted) {
        const lane = fact.session ?? fact.subject;
        const one = { webhook: hook.id, event: fact.id, type: fact.type, lane, body: feed.text(fact) };
        statements.push(insertDelivery(world, one, room-- > 0).statement);
      }
    }
    return statements;
  }
}

function saveCursor({ journal, log }: EventCursor): Statement {
  return sql(
    "INSERT INTO event_cursor (name, journal, log) VALUES ('webhook', ?, ?) ON CONFLICT (name) DO UPDATE SET journal = excluded.journal, log = excluded.log",
    journal,
    log,
  );
}

export async function countWaiting(store: Store, webhook: string): Promise<number> {
  const row = await store.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM delivery WHERE webhook = ? AND state = 'pending'",
    [webhook],
  );
  return row?.n ?? 0;
}

export interface NewDelivery {
  readonly webhook: string;
  readonly event: string;
  readonly type: string;
  readonly lane: string;
  readonly body: string;
}

/** Queues a delivery, or lays it among the dead where the queue has no room; one of the same event is left as it is. */
export function insertDelivery(
  world: Pick<World, 'clock' | 'random'>,
  { webhook, event, type, lane, body }: NewDelivery,
  room: boolean,
): { readonly id: string; readonly statement: Statement } {
  const now = world.clock.wall();
  const id = newId('dlv', now, world.random.bytes(10));
  const statement = sql(
    'INSERT INTO delivery (id, webhook, event, type, lane, body, state, attempts, created_at, next_at, give_up_at, done_at, error) VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    id,
    webhook,
    event,
    type,
    lane,
    body,
    room ? 'pending' : 'dead',
    now,
    now,
    now + GIVE_UP_AFTER,
    room ? null : now,
    room ? null : 'too many deliveries wait',
  );
  return { id, statement };
}
