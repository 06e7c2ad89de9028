/**
 * Extended regular expressions (POSIX.2, as RFC 3402 section 3.2 has them) over short texts, for patterns that strangers wrote: all places
 * of a pattern are followed at once, so that its work grows with the lengths of pattern and text and with nothing else. Pure.
 */
import { type EreNode, parseEre } from './ere-parse.ts';

/** Characters of a pattern and of a text, and states that a pattern may come to once its counted repetitions are written out. */
export const PATTERN_LIMIT = 255;
export const TEXT_LIMIT = 64;
export const STATES = 500;

type Step =
  | { readonly do: 'set'; readonly has: (code: number) => boolean }
  | { readonly do: 'start' | 'end' | 'match' }
  | { do: 'fork'; to: number; or: number }
  | { readonly do: 'mark'; readonly n: number };

/** Where the groups of a match begin and end: 2n and 2n + 1; group 0 is all of it. */
type Marks = readonly (number | undefined)[];

export class Ere {
  readonly #steps: readonly Step[];

  private constructor(steps: readonly Step[]) {
    this.#steps = steps;
  }

  /** Undefined for a pattern that is malformed, uses what POSIX leaves undefined, or is too long. */
  static read(pattern: string, anyCase: boolean): Ere | undefined {
    const node = pattern.length > PATTERN_LIMIT ? undefined : parseEre(pattern, anyCase);
    if (node === undefined) return undefined;
    const steps: Step[] = [];
    write({ is: 'group', of: node, n: 0 }, steps);
    return steps.length > STATES ? undefined : new Ere([...steps, { do: 'match' }]);
  }

  /** The match that begins first, and of those the longest: it and its groups as texts (undefined: a group that took no part). */
  match(text: string): (string | undefined)[] | undefined {
    if (text.length > TEXT_LIMIT) return undefined;
    for (let from = 0; from <= text.length; from++) {
      const marks = this.#from(text, from);
      if (marks === undefined) continue;
      return Array.from({ length: 10 }, (_, n) => {
        const [begin, end] = [marks[2 * n], marks[2 * n + 1]];
        return begin === undefined || end === undefined ? undefined : text.slice(begin, end);
      });
    }
    return undefined;
  }

  #from(text: string, from: number): Marks | undefined {
    let best: Marks | undefined;
    let places = new Map<number, Marks>();
    this.#reach(0, [], text, from, places);
    for (let at = from; places.size > 0; at++) {
      const next = new Map<number, Marks>();
      let ended = false;
      for (const [place, marks] of places) {
        const step = this.#steps[place];
        // The first way to an end is the preferred one; a later end is a longer match.
        if (step?.do === 'match' && !ended) {
          best = marks;
          ended = true;
        } else if (step?.do === 'set' && at < text.length && step.has(text.charCodeAt(at))) {
          this.#reach(place + 1, marks, text, at + 1, next);
        }
      }
      places = next;
    }
    return best;
  }

  /** Every place that is reached from `place` without a character, the preferred first. */
  #reach(place: number, marks: Marks, text: string, at: number, places: Map<number, Marks>): void {
    const waiting: [number, Marks][] = [[place, marks]];
    const seen = new Set(places.keys());
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const [here, held] = one;
      const step = this.#steps[here];
      if (step === undefined || seen.has(here)) continue;
      seen.add(here);
      if (step.do === 'fork') waiting.push([step.or, held], [step.to, held]);
      else if (step.do === 'mark') waiting.push([here + 1, marked(held, step.n, at)]);
      else if (step.do === 'start' ? at === 0 : step.do === 'end' && at === text.length) waiting.push([here + 1, held]);
      else if (step.do === 'set' || step.do === 'match') places.set(here, held);
    }
  }
}

function marked(marks: Marks, n: number, at: number): Marks {
  const next = [...marks];
  next[n] = at;
  return next;
}

/** Writes the steps of a node behind those that are there; stops once there are too many. */
function write(node: EreNode, steps: Step[]): void {
  if (steps.length > STATES) return;
  if (node.is === 'set') steps.push({ do: 'set', has: node.has });
  else if (node.is === 'start' || node.is === 'end') steps.push({ do: node.is });
  else if (node.is === 'all') for (const one of node.of) write(one, steps);
  else if (node.is === 'any') writeAny(node.of, steps);
  else if (node.is === 'times') writeTimes(node, steps);
  else {
    steps.push({ do: 'mark', n: 2 * node.n });
    write(node.of, steps);
    steps.push({ do: 'mark', n: 2 * node.n + 1 });
  }
}

function writeAny(choices: readonly EreNode[], steps: Step[]): void {
  const leave: Extract<Step, { do: 'fork' }>[] = [];
  choices.forEach((one, i) => {
    const last = i === choices.length - 1;
    const fork = { do: 'fork' as const, to: steps.length + 1, or: 0 };
    if (!last) steps.push(fork);
    write(one, steps);
    if (last) return;
    const exit = { do: 'fork' as const, to: 0, or: 0 };
    steps.push(exit);
    leave.push(exit);
    fork.or = steps.length;
  });
  for (const exit of leave) {
    exit.to = steps.length;
    exit.or = steps.length;
  }
}

function writeTimes({ of, least, most }: Extract<EreNode, { is: 'times' }>, steps: Step[]): void {
  for (let i = 0; i < least && steps.length <= STATES; i++) write(of, steps);
  if (most === Number.POSITIVE_INFINITY) {
    const back = steps.length;
    const fork = { do: 'fork' as const, to: back + 1, or: 0 };
    steps.push(fork);
    write(of, steps);
    steps.push({ do: 'fork', to: back, or: back });
    fork.or = steps.length;
    return;
  }
  const forks: Extract<Step, { do: 'fork' }>[] = [];
  for (let i = least; i < most && steps.length <= STATES; i++) {
    const fork = { do: 'fork' as const, to: steps.length + 1, or: 0 };
    steps.push(fork);
    forks.push(fork);
    write(of, steps);
  }
  for (const fork of forks) fork.or = steps.length;
}
