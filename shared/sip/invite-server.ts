/**
 * INVITE server transaction: RFC 3261 section 17.2.1 with the Accepted state of RFC 6026 section 8.7.
 * The endpoint sends 100 Trying at once, or once the sender is known, so there is no 200 ms timer here.
 */
import type { Machine } from '../kernel/machine.ts';
import { NEVER } from '../kernel/machine.ts';
import { nextGap, T1, T4, TRY_TIME } from './timers.ts';

export interface InviteServerState {
  at: 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';
  readonly reliable: boolean;
  /** Nobody has proved yet to be where responses go: a refusal is sent once, and again only for another copy (RFC 3261 section 26.3.2.4). */
  quiet: boolean;
  /** Timer G: next retransmission of the final response. */
  resendAt: number;
  gap: number;
  /** Timers H, I or L, as the state says. */
  endAt: number;
}

export type InviteServerInput =
  /** The INVITE came again. */
  | { readonly on: 'request' }
  | { readonly on: 'ack' }
  /** The user responds. */
  | { readonly on: 'reply'; readonly status: number }
  | { readonly on: 'transport-error' };

export type InviteServerOutput =
  /** Send the response at hand and keep it for retransmission. */
  | { readonly do: 'reply' }
  /** Send the kept response again, if there is one. */
  | { readonly do: 'resend' }
  /** An ACK that belongs to a 2xx: pass it to the user. */
  | { readonly do: 'deliver-ack' }
  | { readonly do: 'fail'; readonly why: 'timeout' | 'transport' }
  | { readonly do: 'end' };

const REPLY = { do: 'reply' } as const;
const RESEND = { do: 'resend' } as const;
const DELIVER_ACK = { do: 'deliver-ack' } as const;
const TIMEOUT = { do: 'fail', why: 'timeout' } as const;
const TRANSPORT = { do: 'fail', why: 'transport' } as const;
const END = { do: 'end' } as const;

export function newInviteServer(reliable: boolean): InviteServerState {
  return { at: 'proceeding', reliable, quiet: false, resendAt: NEVER, gap: T1, endAt: NEVER };
}

export const inviteServer: Machine<InviteServerState, InviteServerInput, InviteServerOutput> = {
  name: 'sip.invite-server',
  step(state, input, now, out) {
    switch (input.on) {
      case 'request':
        if (state.at === 'proceeding' || state.at === 'completed') out.push(RESEND);
        return;
      case 'ack':
        return acknowledge(state, now, out);
      case 'reply':
        return reply(state, input.status, now, out);
      case 'transport-error':
        return broken(state, out);
      case 'tick':
        return tick(state, now, out);
    }
  },
  due: (state) => Math.min(state.resendAt, state.endAt),
};

function acknowledge(state: InviteServerState, now: number, out: InviteServerOutput[]): void {
  if (state.at === 'accepted') out.push(DELIVER_ACK);
  if (state.at !== 'completed') return;
  if (state.reliable) {
    end(state, out);
    return;
  }
  state.at = 'confirmed';
  state.resendAt = NEVER;
  state.endAt = now + T4;
}

function reply(state: InviteServerState, status: number, now: number, out: InviteServerOutput[]): void {
  if (state.at === 'accepted') {
    // The user repeats its 2xx until ACK (section 13.3.1.4).
    if (status >= 200 && status < 300) out.push(REPLY);
    return;
  }
  if (state.at !== 'proceeding') return;
  out.push(REPLY);
  if (status < 200) return;
  state.endAt = now + TRY_TIME;
  if (status < 300) {
    state.at = 'accepted';
  } else {
    state.at = 'completed';
    if (!state.reliable && !state.quiet) state.resendAt = now + T1;
  }
}

function broken(state: InviteServerState, out: InviteServerOutput[]): void {
  if (state.at === 'terminated') return;
  if (state.at === 'proceeding' || state.at === 'accepted') out.push(TRANSPORT);
  end(state, out);
}

function tick(state: InviteServerState, now: number, out: InviteServerOutput[]): void {
  if (now >= state.endAt) {
    if (state.at === 'completed') out.push(TIMEOUT);
    end(state, out);
  } else if (now >= state.resendAt) {
    state.gap = nextGap(state.gap);
    state.resendAt = now + state.gap;
    out.push(RESEND);
  }
}

function end(state: InviteServerState, out: InviteServerOutput[]): void {
  state.at = 'terminated';
  state.resendAt = NEVER;
  state.endAt = NEVER;
  out.push(END);
}
