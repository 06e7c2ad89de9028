/**
 * INVITE client transaction: RFC 3261 section 17.1.1 with the Accepted state of RFC 6026 section 8.4.
 * It knows only status codes; the transaction layer holds the messages.
 */
import type { Machine } from '../kernel/machine.ts';
import { NEVER } from '../kernel/machine.ts';
import { T1, TIMER_D, TRY_TIME } from './timers.ts';

export interface InviteClientState {
  at: 'idle' | 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated';
  readonly reliable: boolean;
  /** Timer A: next retransmission. */
  resendAt: number;
  gap: number;
  /** Timers B, D or M, or the wait for a final response after CANCEL (section 9.1), as the state says. */
  endAt: number;
}

export type InviteClientInput =
  | { readonly on: 'start' }
  | { readonly on: 'response'; readonly status: number }
  /** CANCEL went out: without a final response the transaction ends after 64*T1 (section 9.1). */
  | { readonly on: 'cancel' }
  | { readonly on: 'transport-error' };

export type InviteClientOutput =
  /** Send the INVITE. */
  | { readonly do: 'send' }
  /** Send the ACK for the response at hand, or again the one that was sent before. */
  | { readonly do: 'ack' }
  /** Pass the response at hand to the transaction's user. */
  | { readonly do: 'deliver' }
  | { readonly do: 'fail'; readonly why: 'timeout' | 'transport' }
  /** Terminated: forget the transaction. */
  | { readonly do: 'end' };

const SEND = { do: 'send' } as const;
const ACK = { do: 'ack' } as const;
const DELIVER = { do: 'deliver' } as const;
const TIMEOUT = { do: 'fail', why: 'timeout' } as const;
const TRANSPORT = { do: 'fail', why: 'transport' } as const;
const END = { do: 'end' } as const;

export function newInviteClient(reliable: boolean): InviteClientState {
  return { at: 'idle', reliable, resendAt: NEVER, gap: T1, endAt: NEVER };
}

export const inviteClient: Machine<InviteClientState, InviteClientInput, InviteClientOutput> = {
  name: 'sip.invite-client',
  step(state, input, now, out) {
    switch (input.on) {
      case 'start':
        if (state.at === 'idle') start(state, now, out);
        return;
      case 'response':
        return respond(state, input.status, now, out);
      case 'cancel':
        if (state.at === 'proceeding') state.endAt = Math.min(state.endAt, now + TRY_TIME);
        return;
      case 'transport-error':
        return broken(state, out);
      case 'tick':
        return tick(state, now, out);
    }
  },
  due: (state) => Math.min(state.resendAt, state.endAt),
};

function start(state: InviteClientState, now: number, out: InviteClientOutput[]): void {
  state.at = 'calling';
  state.endAt = now + TRY_TIME;
  if (!state.reliable) state.resendAt = now + T1;
  out.push(SEND);
}

function respond(state: InviteClientState, status: number, now: number, out: InviteClientOutput[]): void {
  if (state.at === 'accepted') {
    if (status >= 200 && status < 300) out.push(DELIVER);
    return;
  }
  if (state.at === 'completed') {
    if (status >= 300) out.push(ACK);
    return;
  }
  if (state.at !== 'calling' && state.at !== 'proceeding') return;
  state.resendAt = NEVER;
  if (status < 200) {
    if (state.at === 'calling') state.endAt = NEVER;
    state.at = 'proceeding';
    out.push(DELIVER);
  } else if (status < 300) {
    state.at = 'accepted';
    state.endAt = now + TRY_TIME;
    out.push(DELIVER);
  } else {
    out.push(ACK, DELIVER);
    if (state.reliable) {
      end(state, out);
      return;
    }
    state.at = 'completed';
    state.endAt = now + TIMER_D;
  }
}

function broken(state: InviteClientState, out: InviteClientOutput[]): void {
  if (state.at === 'terminated' || state.at === 'idle') return;
  if (state.at === 'calling' || state.at === 'proceeding') out.push(TRANSPORT);
  end(state, out);
}

function tick(state: InviteClientState, now: number, out: InviteClientOutput[]): void {
  if (now >= state.endAt) {
    if (state.at === 'calling' || state.at === 'proceeding') out.push(TIMEOUT);
    end(state, out);
  } else if (now >= state.resendAt) {
    state.gap *= 2;
    state.resendAt = now + state.gap;
    out.push(SEND);
  }
}

function end(state: InviteClientState, out: InviteClientOutput[]): void {
  state.at = 'terminated';
  state.resendAt = NEVER;
  state.endAt = NEVER;
  out.push(END);
}
