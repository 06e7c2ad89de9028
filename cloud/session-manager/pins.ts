/** PINs that phones dial: the brake on guessing them, kept over a restart; the home's people and the operator hear of a line that is locked. */
import type { PartContext } from '#cloud/bus/part.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import type { Meant } from '#shared/call/features/dialling.ts';
import {
  FORGET_AFTER,
  type KeptTries,
  LINES_REMEMBERED,
  lockedText,
  PIN_ALARM,
  PinTries,
} from '#shared/call/features/pin-tries.ts';
import { SELF } from './outbox.ts';

/** Whose PIN is dialled. */
interface PinLine {
  readonly id: string;
  readonly home: string;
  readonly number: string;
}

export class Pins {
  readonly #context: PartContext;
  readonly #tries = new PinTries();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(context: PartContext) {
    this.#context = context;
  }

  /** Reads what an earlier process knew. */
  async load(): Promise<void> {
    const { store, world } = this.#context;
    const now = world.clock.wall();
    await store.commit([
      sql('DELETE FROM pin_tries WHERE since < ? AND until < ?', ...[now - FORGET_AFTER, now - FORGET_AFTER]),
    ]);
    const select = 'SELECT line, since, wrong, until, lock FROM pin_tries ORDER BY since DESC LIMIT ?';
    const rows = await store.all<KeptTries>(select, [LINES_REMEMBERED]);
    this.#tries.restore(rows.toReversed(), now);
  }

  /** What was dialled, as it is to be taken. */
  taken({ id, home, number }: PinLine, own: string | undefined, dialled: string, meant: Meant): Meant {
    const judged = this.#tries.taken(id, own, dialled, meant, this.#context.world.clock.wall());
    const { changed } = judged;
    if (changed === undefined) return judged.meant;
    const write = changed.kept === undefined ? sql('DELETE FROM pin_tries WHERE line = ?', id) : row(changed.kept);
    const work = async () => {
      await this.#context.store.commit([write]);
      if (changed.locked) await this.#tell(home, number);
    };
    // One after the other, so that the last word stands.
    this.#writing = this.#writing.then(work).catch((error: unknown) => {
      this.#context.world.log.error('pins.not-kept', { line: id, error: String(error) });
    });
    return judged.meant;
  }

  /** It stays until somebody has seen to it: who guessed right in the end is not to take it away. */
  async #tell(home: string, number: string): Promise<void> {
    const { bus, world } = this.#context;
    const alarm = { severity: 'minor' as const, cause: PIN_ALARM, home, text: lockedText(number) };
    const told = await bus.request('alarm.raise', alarm, SELF);
    if (!told.ok) world.log.warn('pins.not-told', { home, fault: told.fault.code });
  }
}

function row({ line, since, wrong, until, lock }: KeptTries): Statement {
  return sql(
    'INSERT INTO pin_tries (line, since, wrong, until, lock) VALUES (?, ?, ?, ?, ?) ON CONFLICT (line) DO UPDATE SET since = excluded.since, wrong = excluded.wrong, until = excluded.until, lock = excluded.lock',
    ...[line, since, wrong, until, lock],
  );
}
