/** What all readers of events share: they mostly stand at the same place, so a page is read once and its texts are made once. */
import type { Bus } from '#cloud/bus/bus.ts';
import { cloudEventText, type Fact } from '#cloud/store/cloud-event.ts';
import { type EventCursor, type EventPage, newestCursor, readWindow, writeCursor } from '#cloud/store/event-reader.ts';
import type { Store } from '#cloud/store/store.ts';

export class Feed {
  readonly #store: Store;
  readonly #pages = new Map<string, Promise<EventPage>>();
  readonly #texts = new WeakMap<Fact, string>();
  readonly #listeners = new Set<() => void>();
  readonly #leave: readonly (() => void)[];

  constructor(store: Store, bus: Bus) {
    this.#store = store;
    const changed = () => {
      // A page read before the change may lack what it brought.
      this.#pages.clear();
      for (const listener of this.#listeners) listener();
    };
    this.#leave = [bus.subscribe('event.appended', changed), bus.subscribe('session.changed', changed)];
  }

  /** Everything behind a cursor, whoever may hear of it. */
  read(after: EventCursor): Promise<EventPage> {
    const key = writeCursor(after);
    const known = this.#pages.get(key);
    if (known !== undefined) return known;
    const page = readWindow(this.#store, after);
    this.#pages.set(key, page);
    const forget = () => {
      if (this.#pages.get(key) === page) this.#pages.delete(key);
    };
    page.then((found) => {
      if (found.items.length === 0) forget();
    }, forget);
    return page;
  }

  newest(): Promise<EventCursor> {
    return newestCursor(this.#store);
  }

  text(fact: Fact): string {
    const known = this.#texts.get(fact);
    if (known !== undefined) return known;
    const text = cloudEventText(fact);
    this.#texts.set(fact, text);
    return text;
  }

  /** Calls `listener` whenever there may be more; the result ends that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    for (const leave of this.#leave) leave();
    this.#listeners.clear();
  }
}
