/** Non-INVITE client transaction: RFC 3261 section 17.1.2. */
import type { Machine } from '../kernel/machine.ts';
import { NEVER } from '../kernel/machine.ts';
import { nextGap, T1, T2, T4, TRY_TIME } from './timers.ts';

export interface RequestClientState {
  at: 'idle' | 'trying' | 'proceeding' | 'completed' | 'terminated';
  readonly reliable: boolean;
  /** Timer E: next retransmission. */
  resendAt: number;
  gap: number;
  /** Timer F, or K once completed. A provisional response never cancels F. */
  endAt: number;
}

export type RequestClientInput =
  | { readonly on: 'start' }
  | { readonly on: 'response'; readonly status: number }
  | { readonly on: 'transport-error' };

export type RequestClientOutput =
  | { readonly do: 'send' }
  /** Pass the response at hand to the transaction's user. */
  | { readonly do: 'deliver' }
  | { readonly do: 'fail'; readonly why: 'timeout' | 'transport' }
  | { readonly do: 'end' };

const SEND = { do: 'send' } as const;
const DELIVER = { do: 'deliver' } as const;
const TIMEOUT = { do: 'fail', why: 'timeout' } as const;
const TRANSPORT = { do: 'fail', why: 'transport' } as const;
const END = { do: 'end' } as const;

export function newRequestClient(reliable: boolean): RequestClientState {
  return { at: 'idle', reliable, resendAt: NEVER, gap: T1, endAt: NEVER };
}

export const requestClient: Machine<RequestClientState, RequestClientInput, RequestClientOutput> = {
  name: 'sip.request-client',
  step(state, input, now, out) {
    switch (input.on) {
      case 'start':
        if (state.at === 'idle') start(state, now, out);
        return;
      case 'response':
        return respond(state, input.status, now, out);
      case 'transport-error':
        if (state.at === 'terminated' || state.at === 'idle') return;
        if (state.at !== 'completed') out.push(TRANSPORT);
        return end(state, out);
      case 'tick':
        return tick(state, now, out);
    }
  },
  due: (state) => Math.min(state.resendAt, state.endAt),
};

function start(state: RequestClientState, now: number, out: RequestClientOutput[]): void {
  state.at = 'trying';
  state.endAt = now + TRY_TIME;
  if (!state.reliable) state.resendAt = now + T1;
  out.push(SEND);
}

function respond(state: RequestClientState, status: number, now: number, out: RequestClientOutput[]): void {
  if (state.at !== 'trying' && state.at !== 'proceeding') return;
  out.push(DELIVER);
  if (status < 200) {
    state.at = 'proceeding';
    return;
  }
  if (state.reliable) {
    end(state, out);
    return;
  }
  state.at = 'completed';
  state.resendAt = NEVER;
  state.endAt = now + T4;
}

function tick(state: RequestClientState, now: number, out: RequestClientOutput[]): void {
  if (now >= state.endAt) {
    if (state.at !== 'completed') out.push(TIMEOUT);
    end(state, out);
  } else if (now >= state.resendAt) {
    state.gap = state.at === 'proceeding' ? T2 : nextGap(state.gap);
    state.resendAt = now + state.gap;
    out.push(SEND);
  }
}

function end(state: RequestClientState, out: RequestClientOutput[]): void {
  state.at = 'terminated';
  state.resendAt = NEVER;
  state.endAt = NEVER;
  out.push(END);
}
