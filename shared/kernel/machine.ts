/**
 * A protocol or workflow as a pure function: `(state, input, now) -> outputs`.
 *
 * A machine owns its state and may change it in place; what it wants done goes, in order, to the list that
 * the caller hands in. It never reads a clock, never draws a random number and never performs I/O. Deadlines are
 * numbers in the state (monotonic milliseconds), so there is no timer to cancel and hence none to leak: the
 * driver (`shared/host/run.ts`) asks `due(state)` after every step and steps the machine with `{ on: 'tick' }`
 * once that moment has come.
 *
 * Tags: `at` names a state, `on` an input, `do` an output.
 */
export interface Machine<S, I extends { readonly on: string }, O extends { readonly do: string }> {
  /** Name in logs and metrics, for example `sip.invite-server`. */
  readonly name: string;
  /** Takes one input at monotonic time `now` (ms) and appends what is to be done to `out`. */
  step(state: S, input: I | Tick, now: number, out: O[]): void;
  /** The earliest moment (monotonic ms) at which the machine wants a tick; `NEVER` if none. */
  due(state: S): number;
}

/** The input with which a driver tells a machine that a deadline of its state has passed. */
export interface Tick {
  readonly on: 'tick';
}

export const TICK: Tick = { on: 'tick' };

/** A deadline that never comes. */
export const NEVER = Number.POSITIVE_INFINITY;
