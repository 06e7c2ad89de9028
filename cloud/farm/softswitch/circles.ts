/**
 * Calls that came from outside and went out again, while nobody has taken them. A switch outside that sends them back as new calls (with
 * a Call-ID and a Max-Forwards of its own) can be told by nothing in its INVITE; but each round adds one here.
 */
import type { Live } from './live.ts';

/** Of one caller, for one line, at once: the next is a circle (482, RFC 3261 section 16.3). */
export const CIRCLE_LIMIT = 5;

type Turning = Pick<Live, 'id' | 'cameBy' | 'caller' | 'dialled'>;

const keyOf = (caller: string, dialled: string): string => `${caller} ${dialled}`;

export class Circles {
  readonly #turning = new Map<string, Set<string>>();

  /** The call goes out. */
  out({ id, cameBy, caller, dialled }: Turning): void {
    if (cameBy === undefined) return;
    const key = keyOf(caller.number, dialled);
    const ids = this.#turning.get(key) ?? new Set();
    this.#turning.set(key, ids.add(id));
  }

  /** Somebody took the call, or it is over. */
  settled({ id, cameBy, caller, dialled }: Turning): void {
    if (cameBy === undefined) return;
    const key = keyOf(caller.number, dialled);
    const ids = this.#turning.get(key);
    if (ids?.delete(id) && ids.size === 0) this.#turning.delete(key);
  }

  /** Whether one more call of that caller for that line goes round. */
  closed(caller: string, dialled: string): boolean {
    return (this.#turning.get(keyOf(caller, dialled))?.size ?? 0) >= CIRCLE_LIMIT;
  }
}
