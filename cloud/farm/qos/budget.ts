/**
 * Admission to a home's uplink: every home has a budget of bit rate for legs, and a leg beyond it is refused before it
 * spoils the others. Emergency calls are always admitted. Pure.
 *
 * DSCP after RFC 4594: telephony EF (46), multimedia streaming AF31 (26).
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';

/** kbit/s of a home's uplink that legs may use together, unless the home has a figure of its own. */
export const DEFAULT_BUDGET = 2_000;

export interface Reservation {
  readonly session: string;
  readonly leg: string;
  readonly home: string;
  readonly kbits: number;
  readonly kind: 'voice' | 'media';
  readonly emergency: boolean;
}

export interface Admission {
  readonly dscp: number;
  readonly name: string;
  readonly usedKbits: number;
  readonly budgetKbits: number;
}

/** Expedited forwarding for talk, assured forwarding class 3 for streams. */
const MARKS = { voice: { dscp: 46, name: 'EF' }, media: { dscp: 26, name: 'AF31' } } as const;

/** The reservations of all homes. */
export class Budgets {
  readonly #byLeg = new Map<string, Reservation>();
  readonly #used = new Map<string, number>();

  /** Admits a leg, or answers `uplink_full`. The same leg again keeps its place. */
  reserve(wish: Reservation): Result<Admission, Fault> {
    const key = keyOf(wish);
    const budget = DEFAULT_BUDGET;
    const used = this.#used.get(wish.home) ?? 0;
    if (!this.#byLeg.has(key)) {
      if (used + wish.kbits > budget && !wish.emergency) {
        return err(
          fault('uplink_full', `${used} of ${budget} kbit/s are in use and this leg needs ${wish.kbits} kbit/s.`),
        );
      }
      this.#byLeg.set(key, wish);
      this.#used.set(wish.home, used + wish.kbits);
    }
    return ok({ ...MARKS[wish.kind], usedKbits: this.#used.get(wish.home) ?? 0, budgetKbits: budget });
  }

  /** Gives a leg's bit rate back; harmless when it has none. */
  release(owner: { readonly session: string; readonly leg: string }): Reservation | undefined {
    const known = this.#byLeg.get(keyOf(owner));
    if (known === undefined) return undefined;
    this.#byLeg.delete(keyOf(owner));
    const left = (this.#used.get(known.home) ?? 0) - known.kbits;
    if (left > 0) this.#used.set(known.home, left);
    else this.#used.delete(known.home);
    return known;
  }

  /** kbit/s of a home's line that nobody holds. */
  free(home: string): number {
    return Math.max(0, DEFAULT_BUDGET - (this.#used.get(home) ?? 0));
  }

  list(): Reservation[] {
    return [...this.#byLeg.values()];
  }

  /** Share of the fullest home's budget in use, 0 to 1. */
  load(): number {
    return Math.min(1, Math.max(0, ...this.#used.values()) / DEFAULT_BUDGET);
  }
}

function keyOf({ session, leg }: { readonly session: string; readonly leg: string }): string {
  return `${session} ${leg}`;
}
