/**
 * Things that are found by names of our own making: every name ends in the number of the place at which its thing lies. A table of
 * texts would cost each of them several times more, for there are many, and most of them long gone from the processor's memory.
 */
import { own } from './params.ts';

export class Places<T> {
  readonly #things: (T | undefined)[] = [];
  readonly #free: number[] = [];

  /** How many places are taken. */
  get size(): number {
    return this.#things.length - this.#free.length;
  }

  /** Takes a place, for `put`. */
  take(): number {
    return this.#free.pop() ?? this.#things.push(undefined) - 1;
  }

  put(place: number, thing: T): void {
    this.#things[place] = thing;
  }

  at(place: number): T | undefined {
    return this.#things[place];
  }

  /** What lies at the place that a name ends in. Whether the name is its name is the asker's to see to. */
  of(name: string): T | undefined {
    const place = placeOf(name);
    return place < 0 ? undefined : this.#things[place];
  }

  /** Empties a place that was taken. */
  free(place: number): void {
    this.#things[place] = undefined;
    this.#free.push(place);
  }
}

/** Hexadecimal digits of a place in a name. */
const DIGITS = 6;

/** A name of `token` for what lies at `place`. */
export const nameAt = (token: string, place: number): string => own(token + place.toString(16).padStart(DIGITS, '0'));

/** The place that a name ends in; -1 where it ends in none. */
export function placeOf(name: string): number {
  let place = 0;
  for (let i = name.length - DIGITS; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code >= 48 && code <= 57) place = place * 16 + code - 48;
    else if (code >= 97 && code <= 102) place = place * 16 + code - 87;
    else return -1;
  }
  return place;
}
