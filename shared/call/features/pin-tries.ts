/** A brake on guessing the PIN of a bar from a phone: after a few wrong ones no code with a PIN of that line is taken for a while, the right one neither. Pure. */
import type { Meant } from './dialling.ts';
import { readStarCode } from './star-codes.ts';

/** Wrong PINs within a while, ms, after which none is taken; for so long at first, twice as long each further time, up to the last. */
export const PIN_TRIES = 5;
export const PIN_WINDOW = 600_000;
export const FIRST_LOCK = 600_000;
export const LAST_LOCK = 86_400_000;
/** Lines with wrong PINs that are remembered; the oldest gives way. */
export const LINES_REMEMBERED = 10_000;

interface Tries {
  since: number;
  wrong: number;
  until: number;
  lock: number;
}

export class PinTries {
  readonly #lines = new Map<string, Tries>();

  /** What was dialled, as it is to be taken: without its PIN, or the change that this would allow, where the line has guessed too often. `now`: monotonic ms. */
  taken(line: string, own: string | undefined, dialled: string, meant: Meant, now: number): Meant {
    const pin = pinIn(dialled);
    if (pin === undefined || own === undefined || this.#mayTry(line, pin === own, now)) return meant;
    if (meant.do === 'call') return { do: 'call', to: meant.to, hidden: meant.hidden };
    return { do: 'refuse' };
  }

  #mayTry(line: string, isRight: boolean, now: number): boolean {
    const tries = this.#lines.get(line);
    if (tries !== undefined && tries.until > now) return false;
    if (isRight) this.#lines.delete(line);
    else this.#wrong(line, tries ?? { since: now, wrong: 0, until: 0, lock: FIRST_LOCK }, now);
    return true;
  }

  #wrong(line: string, tries: Tries, now: number): void {
    if (now - tries.since > PIN_WINDOW) Object.assign(tries, { since: now, wrong: 0 });
    if (++tries.wrong >= PIN_TRIES)
      Object.assign(tries, { wrong: 0, until: now + tries.lock, lock: Math.min(tries.lock * 2, LAST_LOCK) });
    this.#lines.delete(line);
    this.#lines.set(line, tries);
    const oldest = this.#lines.size > LINES_REMEMBERED ? this.#lines.keys().next().value : undefined;
    if (oldest !== undefined) this.#lines.delete(oldest);
  }
}

/** The PIN in a code. */
function pinIn(dialled: string): string | undefined {
  const code = readStarCode(dialled);
  if (code?.do === 'call') return code.pin;
  return code?.do === 'edit' && 'pin' in code.edit ? code.edit.pin : undefined;
}
