/** A brake on guessing the PIN of a bar from a phone: after a few wrong ones no code with a PIN of that line is taken for a while, the right one neither. Pure. */
import type { Meant } from './dialling.ts';
import { readStarCode } from './star-codes.ts';

/** Wrong PINs within a while, ms, after which none is taken; for so long at first, twice as long each further time, up to the last. */
export const PIN_TRIES = 5;
export const PIN_WINDOW = 600_000;
export const FIRST_LOCK = 600_000;
export const LAST_LOCK = 86_400_000;
/** Milliseconds after the last wrong one, and the end of the last lock, for which the next lock is longer; then all begins anew. */
export const FORGET_AFTER = 30 * LAST_LOCK;
/** Lines with wrong PINs that are remembered; the oldest gives way. */
export const LINES_REMEMBERED = 10_000;

/** What is known of a line that was wrong, to be kept over a restart. Moments of the wall clock, ms. */
export interface KeptTries {
  readonly line: string;
  /** When the first of the wrong ones came that count, and how many they are. */
  readonly since: number;
  readonly wrong: number;
  /** Until when no PIN is taken, and for how long the next time. */
  readonly until: number;
  readonly lock: number;
}

/** What was dialled, as it is to be taken. */
interface Judged {
  readonly meant: Meant;
  /** The line's tries are others now: none where its PIN was right. `locked`: that was one wrong one too many. */
  readonly changed?: { readonly kept: KeptTries | undefined; readonly locked: boolean };
}

type Tries = { -readonly [K in keyof KeptTries]: KeptTries[K] };

export class PinTries {
  readonly #lines = new Map<string, Tries>();

  /** What an earlier process knew. A clock that went back makes no lock longer than it may be. */
  restore(all: Iterable<KeptTries>, now: number): void {
    for (const one of all) {
      const { since, until, lock } = one;
      this.#put({ ...one, since: Math.min(since, now), until: Math.min(until, now + lock) });
    }
  }

  kept(): KeptTries[] {
    return [...this.#lines.values()];
  }

  /** Without its PIN, or the change that this would allow, where the line has guessed too often. `now`: wall clock, ms. */
  taken(line: string, own: string | undefined, dialled: string, meant: Meant, now: number): Judged {
    const pin = pinIn(dialled);
    if (pin === undefined || own === undefined) return { meant };
    const tries = this.#lines.get(line);
    if (tries !== undefined && tries.until > now) {
      if (meant.do === 'call') return { meant: { do: 'call', to: meant.to, hidden: meant.hidden } };
      return { meant: { do: 'refuse' } };
    }
    if (pin !== own) {
      const known = tries !== undefined && Math.max(tries.since, tries.until) + FORGET_AFTER >= now;
      return { meant, changed: this.#wrong(known ? tries : fresh(line, now), now) };
    }
    return this.#lines.delete(line) ? { meant, changed: { kept: undefined, locked: false } } : { meant };
  }

  #wrong(tries: Tries, now: number): NonNullable<Judged['changed']> {
    if (now - tries.since > PIN_WINDOW) Object.assign(tries, { since: now, wrong: 0 });
    const locked = ++tries.wrong >= PIN_TRIES;
    if (locked) Object.assign(tries, { wrong: 0, until: now + tries.lock, lock: Math.min(tries.lock * 2, LAST_LOCK) });
    this.#put(tries);
    return { kept: { ...tries }, locked };
  }

  #put(tries: Tries): void {
    this.#lines.delete(tries.line);
    this.#lines.set(tries.line, tries);
    const oldest = this.#lines.size > LINES_REMEMBERED ? this.#lines.keys().next().value : undefined;
    if (oldest !== undefined) this.#lines.delete(oldest);
  }
}

const fresh = (line: string, now: number): Tries => ({ line, since: now, wrong: 0, until: 0, lock: FIRST_LOCK });

/** What its people are told of a line that is locked. */
export const lockedText = (number: string): string =>
  `Somebody dialled a wrong PIN from ${number} ${PIN_TRIES} times: for a while no code with a PIN is taken from that line, the right one neither.`;

/** The alarm of it. */
export const PIN_ALARM = 'pin-guessed';

/** The PIN in a code. */
function pinIn(dialled: string): string | undefined {
  const code = readStarCode(dialled);
  if (code?.do === 'call') return code.pin;
  return code?.do === 'edit' && 'pin' in code.edit ? code.edit.pin : undefined;
}
