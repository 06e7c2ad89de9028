/**
 * How much of what comes is turned away, decided by how long it waits (queue delay), not by a rate that somebody has guessed: pure. The
 * share grows while even the shortest wait of a moment is too long, and shrinks while it is not, so that it settles where the waits are
 * just bearable; what is taken on is then served in time.
 */

/** Milliseconds of waiting that are borne, in the queue and for finding a call's way. */
export const QUEUE_TARGET = 80;
export const ROUTE_TARGET = 400;
/** Milliseconds between two looks at the waits. */
export const LOOK_EVERY = 100;
/** The largest share that is turned away: some are always let through, or nobody would notice that the load has gone. */
export const MOST = 0.95;
/** The share from which credentials are turned away too: before, only calls that nothing was spent on yet. */
const SIGNED_FROM = 0.7;
/** How much the share follows the wait itself, and its change; the most that it grows and shrinks by in one look (as PIE, RFC 8033, does). */
const BY_WAIT = 0.01;
const BY_CHANGE = 0.05;
const UP_AT_MOST = 0.2;
const DOWN_AT_MOST = 0.1;
/** Waits beyond so many times what is borne all mean the same. */
const WORST = 10;
/** Seconds of Retry-After at the least and the most. */
const RETRY = { least: 2, most: 20 } as const;

export interface Overload {
  /** Share of new calls that are turned away, 0 to `MOST`. */
  share: number;
  /** The shortest waits since the last look, ms; undefined: none was seen. */
  queue: number | undefined;
  route: number | undefined;
  /** The wait of the last look, in what is borne. */
  before: number;
}

export function newOverload(): Overload {
  return { share: 0, queue: undefined, route: undefined, before: 0 };
}

/** A wait was seen: in the queue, or for a call's way. */
export function waited(state: Overload, where: 'queue' | 'route', ms: number): void {
  state[where] = Math.min(state[where] ?? Number.POSITIVE_INFINITY, Math.max(0, ms));
}

/** Every `LOOK_EVERY` ms. */
export function look(state: Overload): void {
  const wait = Math.max((state.queue ?? 0) / QUEUE_TARGET, (state.route ?? 0) / ROUTE_TARGET);
  const wanted = BY_WAIT * (Math.min(wait, WORST) - 1) + BY_CHANGE * (wait - state.before);
  const change = wait > 1 ? wanted : Math.min(wanted, 0);
  state.share = Math.min(MOST, Math.max(0, state.share + Math.max(-DOWN_AT_MOST, Math.min(UP_AT_MOST, change))));
  state.before = wait;
  state.queue = undefined;
  state.route = undefined;
}

/**
 * Seconds after which a new call should try again, where it is turned away; undefined: it is served. `signed`: it brings a credential,
 * so that its challenge has been paid for. `draw` and `spread` in [0, 1).
 */
export function turnsAway(state: Overload, signed: boolean, draw: number, spread: number): number | undefined {
  const share = signed ? Math.max(0, (state.share - SIGNED_FROM) / (1 - SIGNED_FROM)) : state.share;
  return draw < share ? retryAfter(state, spread) : undefined;
}

/** Seconds after which somebody who is turned away should try again; `spread` in [0, 1). */
export function retryAfter({ share }: Overload, spread: number): number {
  const span = RETRY.most - RETRY.least;
  // Spread, so that they do not come back all at once.
  return Math.round(RETRY.least + span * share * (0.5 + spread / 2));
}
