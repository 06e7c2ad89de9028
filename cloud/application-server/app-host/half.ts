/** The cloud half of one install: what it is, what it may, and the facts that wait for it. */

import { toCloudEvent } from '#cloud/store/cloud-event.ts';
import { type EventCursor, readEvents } from '#cloud/store/event-reader.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import { Courier, type Send } from './courier.ts';

export interface HalfFacts {
  readonly install: string;
  readonly home: string;
  readonly app: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly consent: readonly string[];
}

interface TimerRow {
  readonly name: string;
  readonly due_at: number;
  readonly every: number | null;
  readonly data: string | null;
}

interface InboxRow {
  readonly sequence: number;
  readonly gateway: string;
  readonly body: string;
  readonly at: number;
}

export class Half {
  readonly facts: HalfFacts;
  readonly courier: Courier;
  readonly #store: Store;
  readonly #world: Pick<World, 'clock' | 'log'>;
  /** Read up to here; `#done` is kept in the store and lies at or before it. */
  #read: EventCursor | undefined;
  readonly #line: { readonly cursor: EventCursor; done: boolean }[] = [];
  #looking = false;
  #again = false;
  #stopped = false;
  /** Grows with every start of the guest: what an earlier one was given is not this one's. */
  #generation = 0;

  constructor(facts: HalfFacts, store: Store, world: Pick<World, 'clock' | 'log'>, send: Send) {
    this.facts = facts;
    this.#store = store;
    this.#world = world;
    this.courier = new Courier(world.clock, send);
  }

  /** The guest runs: it hears of its start, then of everything that waits. */
  started(): void {
    this.#reset();
    void this.courier.give('start', { start: true });
    this.look();
  }

  /** `guilty`: by its own fault. */
  ended(guilty: boolean): void {
    this.#reset();
    this.courier.ended(guilty);
  }

  stop(): void {
    this.#stopped = true;
    this.ended(false);
  }

  #reset(): void {
    this.#generation++;
    this.#read = undefined;
    this.#line.length = 0;
  }

  /** Something may wait: events, messages of the applet, timers. One look at a time; a call meanwhile means another one. */
  look(): void {
    this.#again = true;
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    void this.#kept('what waits', this.#looks()).then(() => {
      this.#looking = false;
    });
  }

  /**
   * Waits for work on the store; false where that failed, which is logged. What was dealt with and could not be kept as such is handed
   * out again, under the same id, at the next look: a guest hears everything at least once.
   */
  async #kept(what: string, work: Promise<unknown>): Promise<boolean> {
    try {
      await work;
      return true;
    } catch (error) {
      this.#world.log.error('app-host.not-kept', { install: this.facts.install, what, error: String(error) });
      return false;
    }
  }

  async #looks(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      await this.#inbox();
      await this.#timers();
      await this.#events();
    }
  }

  async #inbox(): Promise<void> {
    const find = 'SELECT sequence, gateway, body, at FROM install_inbox WHERE install = ? ORDER BY sequence LIMIT 16';
    for (const row of await this.#store.all<InboxRow>(find, [this.facts.install])) {
      const { sequence, gateway, at } = row;
      const given = this.courier.give(`inbox ${sequence}`, {
        message: { from: 'applet', gateway, at, body: JSON.parse(row.body) as unknown },
      });
      void given?.then(async (how) => {
        if (how === 'ended') return;
        const taken = this.#store.commit([sql('DELETE FROM install_inbox WHERE sequence = ?', sequence)]);
        if (await this.#kept(`inbox ${sequence}`, taken)) this.look();
      });
    }
  }

  async #timers(): Promise<void> {
    const now = this.#world.clock.wall();
    const find =
      'SELECT name, due_at, every, data FROM install_timer WHERE install = ? AND due_at <= ? ORDER BY due_at LIMIT 16';
    for (const row of await this.#store.all<TimerRow>(find, [this.facts.install, now])) {
      const { name, due_at: at, every } = row;
      const data = row.data === null ? undefined : (JSON.parse(row.data) as unknown);
      const given = this.courier.give(`timer ${name} ${at}`, { timer: { name, at, late: now - at > 5000, data } });
      void given?.then(async (how) => {
        if (how === 'ended') return;
        const rung = this.#store.commit([next(this.facts.install, row, every, this.#world.clock.wall())]);
        await this.#kept(`timer ${name}`, rung);
      });
    }
  }

  async #events(): Promise<void> {
    const { install, home, manifest } = this.facts;
    if (manifest.events.length === 0) return;
    const generation = this.#generation;
    this.#read ??= await this.#cursor();
    while (!this.#stopped && generation === this.#generation && !this.courier.isFull) {
      const page = await readEvents(this.#store, this.#read, { homes: [home], types: manifest.events });
      if (generation !== this.#generation) return;
      this.#read = page.cursor;
      for (const { fact, cursor } of page.items) {
        const place = { cursor, done: false };
        this.#line.push(place);
        void this.courier.give(`event ${fact.id}`, { event: toCloudEvent(fact) })?.then((how) => {
          if (how === 'ended' || generation !== this.#generation) return;
          place.done = true;
          void this.#advance(install);
        });
      }
      if (page.items.length === 0 && !page.more) return;
    }
  }

  async #cursor(): Promise<EventCursor> {
    const find = 'SELECT journal, log FROM install_cursor WHERE install = ?';
    return (
      (await this.#store.one<{ journal: number; log: number }>(find, [this.facts.install])) ?? { journal: 0, log: 0 }
    );
  }

  /** The kept cursor moves behind everything that was dealt with without a gap. */
  async #advance(install: string): Promise<void> {
    let last: EventCursor | undefined;
    while (this.#line[0]?.done === true) last = this.#line.shift()?.cursor;
    if (last === undefined) return;
    const moved = this.#store.commit([
      sql('UPDATE install_cursor SET journal = ?, log = ? WHERE install = ?', last.journal, last.log, install),
    ]);
    if (await this.#kept('cursor', moved)) this.look();
  }
}

/** A timer that rang is gone, or set to the next time that lies ahead. A guest that has set it anew meanwhile keeps its own. */
function next(install: string, { name, due_at: at }: TimerRow, every: number | null, now: number) {
  if (every === null)
    return sql('DELETE FROM install_timer WHERE install = ? AND name = ? AND due_at = ?', install, name, at);
  const following = at + every * Math.max(1, Math.ceil((now - at + 1) / every));
  return sql(
    'UPDATE install_timer SET due_at = ? WHERE install = ? AND name = ? AND due_at = ?',
    following,
    install,
    name,
    at,
  );
}
