/** Ends of legs as the bus told of them: what was heard need not be read from the journal again. Pure. */

import type { BusEvents } from '#shared/protocol/events.ts';
import type { LegRecord } from '#shared/protocol/leg-record.ts';

/** Rows that are kept; more than these are read from the journal instead. */
export const HEARD_LIMIT = 4096;

type Told = NonNullable<BusEvents['session.changed']['ended']>;

/** What rows of the journal say of legs that ended; `position` is the last of these rows. */
export interface Ends {
  readonly position: number;
  readonly session: string;
  readonly records: readonly LegRecord[];
}

interface Row extends Ends {
  readonly after: number;
}

export class Heard {
  #rows: Row[] = [];

  get some(): boolean {
    return this.#rows.length > 0;
  }

  add(session: string, { after, position, records }: Told): void {
    if (this.#rows.length >= HEARD_LIMIT) this.#rows = [];
    this.#rows.push({ after, position, session, records });
  }

  /** What comes right behind a place of the journal, so many at the most; none where something between was not heard. */
  behind(place: number, limit: number): readonly Ends[] {
    const known = this.#rows.findIndex(({ position }) => position > place);
    this.#rows.splice(0, known < 0 ? this.#rows.length : known);
    let at = place;
    let count = 0;
    for (const { after, position } of this.#rows) {
      if (after > at || count === limit) break;
      at = Math.max(at, position);
      count++;
    }
    return this.#rows.slice(0, count);
  }
}
