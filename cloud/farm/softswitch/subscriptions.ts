/** Subscriptions in the store, so that whoever watches hears of changes after a restart too. Written soon, several in one commit. */
import { type Store, sql } from '#cloud/store/store.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { SavedSubscription } from '#shared/sip/notifier.ts';

export class SubscriptionStore {
  readonly #store: Store;
  readonly #clock: Pick<Clock, 'wall'>;
  readonly #log: Log;
  readonly #mark: string;
  /** The newest of each that is not written yet; undefined: it is over. */
  readonly #dirty = new Map<string, SavedSubscription | undefined>();
  #writing: Promise<void> | undefined;

  /** `mark`: the beginning of the tags that are this process's, of several. */
  constructor(store: Store, clock: Pick<Clock, 'wall'>, log: Log, mark = '') {
    this.#store = store;
    this.#mark = mark;
    this.#clock = clock;
    this.#log = log;
  }

  /** `saved` undefined: it is over. */
  keep(tag: string, saved: SavedSubscription | undefined): void {
    this.#dirty.set(tag, saved);
    this.#writing ??= this.#write();
  }

  /** Those that have not run out. */
  async load(): Promise<SavedSubscription[]> {
    const rows = await this.#store.all<{ body: string }>(
      'SELECT body FROM subscription WHERE expires_at > ? AND tag LIKE ? ORDER BY tag',
      [this.#clock.wall(), `${this.#mark}%`],
    );
    return rows.map(({ body }) => JSON.parse(body) as SavedSubscription);
  }

  /** Resolves once nothing waits to be written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    try {
      while (this.#dirty.size > 0) {
        const all = [...this.#dirty];
        this.#dirty.clear();
        const rows = all.map(([tag, saved]) => rowOf(tag, saved));
        // Those of phones that never came back are in nobody's memory.
        await this.#store.commit([...rows, sql('DELETE FROM subscription WHERE expires_at < ?', this.#clock.wall())]);
      }
    } catch (error) {
      this.#log.error('softswitch.subscriptions-not-kept', { error: String(error) });
    } finally {
      this.#writing = undefined;
    }
  }
}

function rowOf(tag: string, saved: SavedSubscription | undefined) {
  if (saved === undefined) return sql('DELETE FROM subscription WHERE tag = ?', tag);
  const insert =
    'INSERT INTO subscription (tag, body, expires_at) VALUES (?, ?, ?) ON CONFLICT (tag) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at';
  return sql(insert, tag, JSON.stringify(saved), saved.expires);
}
