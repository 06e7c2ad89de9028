/** Non-INVITE server transaction: RFC 3261 section 17.2.2, with the 100 and the end of RFC 4320 section 4. */
import type { Machine } from '../kernel/machine.ts';
import { NEVER } from '../kernel/machine.ts';
import { TRY_TIME, TRYING_AFTER } from './timers.ts';

export interface RequestServerState {
  at: 'trying' | 'proceeding' | 'completed' | 'terminated';
  readonly reliable: boolean;
  /** Without any response by then, its sender is told that it came. */
  tryingAt: number;
  /** Timer J once completed; before, the moment after which the client has given up (its timer F). */
  endAt: number;
}

export type RequestServerInput =
  /** The request came again. */
  { readonly on: 'request' } | { readonly on: 'reply'; readonly status: number } | { readonly on: 'transport-error' };

export type RequestServerOutput =
  /** Send the response at hand and keep it for retransmission. */
  | { readonly do: 'reply' }
  | { readonly do: 'resend' }
  /** Send 100 and keep it for retransmission. */
  | { readonly do: 'trying' }
  | { readonly do: 'fail'; readonly why: 'timeout' | 'transport' }
  | { readonly do: 'end' };

const REPLY = { do: 'reply' } as const;
const RESEND = { do: 'resend' } as const;
const TRYING = { do: 'trying' } as const;
const TIMEOUT = { do: 'fail', why: 'timeout' } as const;
const TRANSPORT = { do: 'fail', why: 'transport' } as const;
const END = { do: 'end' } as const;

/** `now` is when the request came, monotonic ms. */
export function newRequestServer(reliable: boolean, now: number): RequestServerState {
  return { at: 'trying', reliable, tryingAt: now + TRYING_AFTER, endAt: now + TRY_TIME };
}

export const requestServer: Machine<RequestServerState, RequestServerInput, RequestServerOutput> = {
  name: 'sip.request-server',
  step(state, input, now, out) {
    switch (input.on) {
      case 'request':
        if (state.at === 'proceeding' || state.at === 'completed') out.push(RESEND);
        return;
      case 'reply':
        return reply(state, input.status, now, out);
      case 'transport-error':
        if (state.at === 'terminated') return;
        if (state.at !== 'completed') out.push(TRANSPORT);
        return end(state, out);
      case 'tick':
        return tick(state, now, out);
    }
  },
  due: (state) => Math.min(state.tryingAt, state.endAt),
};

function tick(state: RequestServerState, now: number, out: RequestServerOutput[]): void {
  if (now >= state.endAt) {
    if (state.at !== 'completed') out.push(TIMEOUT);
    end(state, out);
  } else if (now >= state.tryingAt) {
    state.at = 'proceeding';
    state.tryingAt = NEVER;
    out.push(TRYING);
  }
}

function reply(state: RequestServerState, status: number, now: number, out: RequestServerOutput[]): void {
  if (state.at !== 'trying' && state.at !== 'proceeding') return;
  out.push(REPLY);
  state.tryingAt = NEVER;
  if (status < 200) {
    state.at = 'proceeding';
    return;
  }
  if (state.reliable) {
    end(state, out);
    return;
  }
  state.at = 'completed';
  state.endAt = now + TRY_TIME;
}

function end(state: RequestServerState, out: RequestServerOutput[]): void {
  state.at = 'terminated';
  state.tryingAt = NEVER;
  state.endAt = NEVER;
  out.push(END);
}
