/**
 * The gateway has another address, as a pure machine: sides of calls that were up get another end towards the softswitch, which is told of
 * it by a re-INVITE each over the new flow (RFC 3261 section 14.1, RFC 3264 section 8.3.1), one after the other.
 *
 * A side: waits -(due)-> is asked -> gone, or, refused, waits again.
 */
import type { Party } from '#shared/call/call.ts';
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';

/** So often a call is told to the softswitch anew, and milliseconds after the first refusal; then twice as long each time. */
export const READDRESS_TRIES = 6;
export const READDRESS_WAIT = 1_000;
/** Milliseconds from one side's first turn to the next one's, and up to which all have had theirs: then they follow faster. */
export const READDRESS_GAP = 40;
export const READDRESS_WITHIN = 2_000;

/** A side of a call that is told anew. */
export interface Side {
  readonly call: string;
  readonly party: Party;
  /** When the call began, ms by any clock. */
  readonly since: number;
  /** It is a call for help. */
  readonly help: boolean;
}

interface Waiting {
  readonly call: string;
  readonly party: Party;
  tried: number;
  /** Monotonic ms; `NEVER` while it is asked. */
  due: number;
}

export interface ReaddressState {
  /** Counts flows, so that what comes of an earlier one is told apart. */
  round: number;
  waiting: Waiting[];
}

export type ReaddressInput =
  /** There is a new flow; these sides had another one before. Whatever was under way begins anew with them. */
  | { readonly on: 'flow'; readonly sides: readonly Side[] }
  /** There is no flow any more: what was sent now would be lost, and end its call for silence. All begins anew with the next one. */
  | { readonly on: 'down' }
  /** What came of a `renew`. */
  | {
      readonly on: 'settled';
      readonly call: string;
      readonly party: Party;
      readonly round: number;
      readonly ok: boolean;
    }
  /** A call is over. */
  | { readonly on: 'over'; readonly call: string };

export type ReaddressOutput =
  /** Offer the side its end, as it is now; `first`: for the first time in this round. */
  | {
      readonly do: 'renew';
      readonly call: string;
      readonly party: Party;
      readonly round: number;
      readonly first: boolean;
    }
  /** It was asked so often in vain, and stays silent. */
  | { readonly do: 'not-moved'; readonly call: string; readonly tries: number };

export const newReaddress = (): ReaddressState => ({ round: 0, waiting: [] });

function step(state: ReaddressState, input: ReaddressInput | Tick, now: number, out: ReaddressOutput[]): void {
  switch (input.on) {
    case 'flow': {
      // Many at once would be a burst for a line that has only just come back. Help goes first, then who talks longest.
      const sides = [...input.sides].sort((a, b) => Number(b.help) - Number(a.help) || a.since - b.since);
      const gap = Math.min(READDRESS_GAP, READDRESS_WITHIN / sides.length);
      const waiting = sides.map(({ call, party }, i) => ({ call, party, tried: 0, due: now + i * gap }));
      const round = state.round + 1;
      state.round = round;
      state.waiting = waiting;
      turns(waiting, round, now, out);
      return;
    }
    case 'down':
      state.waiting = [];
      return;
    case 'over':
      state.waiting = state.waiting.filter(({ call }) => call !== input.call);
      return;
    case 'settled':
      settled(state, input, now, out);
      return;
    case 'tick':
      turns(state.waiting, state.round, now, out);
  }
}

function turns(waiting: readonly Waiting[], round: number, now: number, out: ReaddressOutput[]): void {
  for (const side of waiting) {
    if (side.due > now) continue;
    out.push({ do: 'renew', call: side.call, party: side.party, round, first: side.tried === 0 });
    side.due = NEVER;
    side.tried++;
  }
}

function settled(
  state: ReaddressState,
  { call, party, round, ok }: Extract<ReaddressInput, { on: 'settled' }>,
  now: number,
  out: ReaddressOutput[],
): void {
  const side = state.waiting.find((one) => one.call === call && one.party === party);
  if (side === undefined || round !== state.round) return;
  if (!ok && side.tried < READDRESS_TRIES) {
    side.due = now + READDRESS_WAIT * 2 ** (side.tried - 1);
    return;
  }
  state.waiting = state.waiting.filter((one) => one !== side);
  if (!ok) out.push({ do: 'not-moved', call, tries: side.tried });
}

const due = (state: ReaddressState): number => Math.min(NEVER, ...state.waiting.map((side) => side.due));

export const readdress: Machine<ReaddressState, ReaddressInput, ReaddressOutput> = {
  name: 'edge.readdress',
  step,
  due,
};
