/**
 * One reader that follows what happens. Nothing is queued for it: the next page is read once the last one was taken, so a slow
 * reader costs one page and catches up by itself. Before every page its right is asked for anew.
 */
import { type EventCursor, type EventFilter, hears } from '#cloud/store/event-reader.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { Feed } from './feed.ts';
import { Signal } from './signal.ts';

/** What a reader may hear now; types are judged beside the filter's own list. */
export interface Hearing {
  readonly filter: EventFilter;
  mayHear(type: string): boolean;
}

export interface Batch {
  readonly items: readonly { readonly text: string; readonly cursor: EventCursor }[];
  /** Where to go on, behind what was left out as well. */
  readonly cursor: EventCursor;
}

export interface Following {
  /** Ends when the right is gone or `close` was called. A batch without items is a sign of life. */
  readonly batches: AsyncGenerator<Batch>;
  close(): void;
}

/** Follows from a cursor on; `hearing` gives undefined once the reader may hear nothing more. `silence` in ms. */
export function follow(
  { feed, clock }: { readonly feed: Feed; readonly clock: Clock },
  from: EventCursor,
  hearing: () => Promise<Hearing | undefined>,
  silence: number,
): Following {
  const signal = new Signal();
  const leave = feed.onChange(() => signal.raise());
  let closed = false;

  async function* batches(): AsyncGenerator<Batch> {
    let cursor = from;
    try {
      while (!closed) {
        const now = await hearing();
        if (now === undefined) return;
        const page = await feed.read(cursor);
        const heard = page.items.filter(({ fact }) => hears(now.filter, fact) && now.mayHear(fact.type));
        const moved = page.items.length > 0;
        cursor = page.cursor;
        if (heard.length > 0)
          yield { items: heard.map((one) => ({ text: feed.text(one.fact), cursor: one.cursor })), cursor };
        if (moved || page.more) continue;
        if (!(await signal.wait(clock, silence)) && !closed) yield { items: [], cursor };
      }
    } finally {
      leave();
    }
  }

  return {
    batches: batches(),
    close() {
      closed = true;
      leave();
      signal.raise();
    },
  };
}
