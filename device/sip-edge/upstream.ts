/**
 * The gateway's way to the softswitch as a pure machine: one kept flow (RFC 5626 section 4), and one registration per line with a
 * phone. Losing the flow starts the search for a new one with full jitter; a new flow registers every line again.
 *
 * Flow: `down` -(due)-> `opening` -> `up` -> `down` … Registration of a line: `wanted` -> `asking` -> `held` (refreshed at half of
 * its time) or, refused, wanted again after a while.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';

/** Milliseconds: first and longest wait before the flow is opened again, wait after a refused REGISTER. */
export const FIRST_WAIT = 1_000;
export const LAST_WAIT = 60_000;
export const REFUSED_WAIT = 30_000;
/** Milliseconds: no Retry-After keeps a line away for longer. */
export const LONGEST_REFUSED = 600_000;
/** Seconds asked for. */
export const EXPIRES = 600;

interface Registration {
  at: 'asking' | 'held' | 'refused';
  /** When to register (again). */
  due: number;
}

export interface UpstreamState {
  flow: 'stopped' | 'down' | 'opening' | 'up';
  tries: number;
  flowDue: number;
  /** Lines that have a phone here. */
  readonly wanted: Set<string>;
  readonly lines: Map<string, Registration>;
}

export type UpstreamInput =
  | { readonly on: 'start' }
  | { readonly on: 'stop' }
  | { readonly on: 'opened' }
  /** The flow broke or could not be opened; `jitter` in [0, 1). */
  | { readonly on: 'closed'; readonly jitter: number }
  /** A line has a phone now, or has none any more. */
  | { readonly on: 'line'; readonly line: string; readonly wanted: boolean }
  /** What is registered for a line has changed. */
  | { readonly on: 'renew'; readonly line: string }
  /** The answer to a REGISTER; `seconds` is what the registrar granted. */
  | { readonly on: 'registered'; readonly line: string; readonly seconds: number }
  /** `after`: seconds that the registrar wants to be left alone (RFC 3261 section 20.33); `jitter` in [0, 1). */
  | { readonly on: 'refused'; readonly line: string; readonly after?: number; readonly jitter: number };

export type UpstreamOutput =
  | { readonly do: 'open' }
  | { readonly do: 'close' }
  | { readonly do: 'register'; readonly line: string; readonly expires: number };

export function newUpstream(): UpstreamState {
  return {
    flow: 'stopped',
    tries: 0,
    flowDue: NEVER,
    wanted: new Set(),
    lines: new Map(),
  };
}

function step(state: UpstreamState, input: UpstreamInput | Tick, now: number, out: UpstreamOutput[]): void {
  switch (input.on) {
    case 'start':
      if (state.flow !== 'stopped') return;
      open(state, out);
      return;
    case 'stop':
      if (state.flow === 'up') for (const line of state.wanted) out.push({ do: 'register', line, expires: 0 });
      out.push({ do: 'close' });
      lost(state, 'stopped');
      return;
    case 'opened':
      if (state.flow !== 'opening') return;
      state.flow = 'up';
      state.tries = 0;
      state.flowDue = NEVER;
      for (const line of state.wanted) register(state, line, out);
      return;
    case 'closed':
      if (state.flow === 'stopped') return;
      lost(state, 'down');
      state.flowDue = now + input.jitter * Math.min(LAST_WAIT, FIRST_WAIT * 2 ** Math.min(state.tries++, 10));
      return;
    case 'line':
      want(state, input.line, input.wanted, out);
      return;
    case 'renew':
      if (state.flow === 'up' && state.wanted.has(input.line)) register(state, input.line, out);
      return;
    case 'registered': {
      const held = state.lines.get(input.line);
      if (held !== undefined) {
        held.at = 'held';
        held.due = now + Math.max(1, input.seconds) * 500;
      }
      return;
    }
    case 'refused': {
      const refused = state.lines.get(input.line);
      if (refused !== undefined) {
        refused.at = 'refused';
        const wait = input.after === undefined ? REFUSED_WAIT : Math.min(input.after * 1000, LONGEST_REFUSED);
        // Never sooner than asked, and not all lines of all gateways at once.
        refused.due = now + Math.max(FIRST_WAIT, wait) * (1 + input.jitter / 2);
      }
      return;
    }
    case 'tick':
      tick(state, now, out);
  }
}

function open(state: UpstreamState, out: UpstreamOutput[]): void {
  state.flow = 'opening';
  state.flowDue = NEVER;
  out.push({ do: 'open' });
}

function lost(state: UpstreamState, flow: 'stopped' | 'down'): void {
  state.flow = flow;
  state.flowDue = NEVER;
  state.lines.clear();
}

function want(state: UpstreamState, line: string, wanted: boolean, out: UpstreamOutput[]): void {
  if (wanted === state.wanted.has(line)) return;
  if (wanted) {
    state.wanted.add(line);
    if (state.flow === 'up') register(state, line, out);
    return;
  }
  state.wanted.delete(line);
  state.lines.delete(line);
  if (state.flow === 'up') out.push({ do: 'register', line, expires: 0 });
}

function register(state: UpstreamState, line: string, out: UpstreamOutput[]): void {
  state.lines.set(line, { at: 'asking', due: NEVER });
  out.push({ do: 'register', line, expires: EXPIRES });
}

function tick(state: UpstreamState, now: number, out: UpstreamOutput[]): void {
  if (state.flow === 'down' && now >= state.flowDue) open(state, out);
  if (state.flow !== 'up') return;
  for (const [line, registration] of state.lines) if (now >= registration.due) register(state, line, out);
}

function due(state: UpstreamState): number {
  let first = state.flowDue;
  if (state.flow === 'up') for (const registration of state.lines.values()) first = Math.min(first, registration.due);
  return first;
}

export const upstream: Machine<UpstreamState, UpstreamInput, UpstreamOutput> = { name: 'edge.upstream', step, due };
