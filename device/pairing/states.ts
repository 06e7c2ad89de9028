/** The states of pairing, what comes in and what goes out; the rules are in `machine.ts`. */
import { NEVER } from '#shared/kernel/machine.ts';

/** A paired gateway's own certificate (90 days, its key changes with it) and who it is by it. PEM throughout. */
export interface Identity {
  readonly gateway: string;
  readonly home: string;
  readonly certificate: string;
  readonly key: string;
  /** The operator's authority. */
  readonly authority: string;
}

/** What lasts. `since` is the wall clock (ms) at which the claim was heard of. */
export type Saved =
  | { readonly at: 'unpaired'; readonly cause?: string }
  | { readonly at: 'claimed'; readonly since: number }
  | { readonly at: 'reconnecting' | 'configuring'; readonly since: number; readonly identity: Identity }
  | { readonly at: 'paired'; readonly identity: Identity };

export type Question = 'announce' | 'claim' | 'standing' | 'certificate';

export interface PairingState {
  saved: Saved;
  /** The cloud knows the code that is shown. */
  announced: boolean;
  /** The open question's number; answers to older ones are ignored. 0: none is open. */
  open: number;
  lastTicket: number;
  /** What to ask next, and when (monotonic ms). */
  next: Question;
  askAt: number;
  /** The shown code's end and the pairing's fail-safe, monotonic ms. */
  codeUntil: number;
  deadline: number;
  /** A claim from the boot partition waits to be shown to the cloud. */
  claim: boolean;
  /** The applicant's link is wanted; the gateway's own connection is up. */
  applying: boolean;
  connected: boolean;
}

export type Standing = 'unknown' | 'waiting' | 'pairing' | 'paired' | 'failed';

export type PairingInput =
  /** `wall` is the wall clock now. */
  | { readonly on: 'start'; readonly wall: number }
  /** The cloud's word about a claim. */
  | { readonly on: 'claimed'; readonly claimed: boolean; readonly cause?: string; readonly wall: number }
  | { readonly on: 'announced'; readonly ticket: number }
  /** The cloud has taken the claim: as if a person had typed the code. */
  | { readonly on: 'claim-taken'; readonly ticket: number; readonly wall: number }
  | {
      readonly on: 'standing';
      readonly ticket: number;
      readonly state: Standing;
      readonly cause?: string;
      readonly wall: number;
    }
  | { readonly on: 'certified'; readonly ticket: number; readonly identity: Identity }
  /** A question got a fault. `final`: asking again would not help. */
  | { readonly on: 'refused'; readonly ticket: number; readonly code: string; readonly final: boolean }
  /** The gateway's own connection came up (hello answered) or went; `fraction` in [0, 1) spreads what follows from it. */
  | { readonly on: 'connected' }
  | { readonly on: 'disconnected'; readonly fraction: number }
  /** The cloud says that this gateway is one no longer: to be asked at its own door. */
  | { readonly on: 'released' }
  /** The first document was handed over; it may be reported as applied once `save` is done. */
  | { readonly on: 'configured' }
  /** A renewed certificate has proved itself. */
  | { readonly on: 'renewed'; readonly identity: Identity };

export type PairingOutput =
  | { readonly do: 'save'; readonly saved: Saved }
  | { readonly do: 'new-code' }
  /** The claim is of no use any more: it has paired this gateway, or never will. */
  | { readonly do: 'drop-claim' }
  | { readonly do: 'open-link' }
  | { readonly do: 'close-link' }
  /** `over` says which connection carries the question. */
  | { readonly do: 'ask'; readonly what: Question; readonly ticket: number; readonly over: 'link' | 'agent' }
  | { readonly do: 'start-agent'; readonly identity: Identity }
  | { readonly do: 'stop-agent' }
  /** Remove what the cloud has told this gateway: documents, messages to be sent. */
  | { readonly do: 'forget' };

/** Milliseconds between tries of a question that got no answer. */
export const ASK_AGAIN = 5_000;
/** Milliseconds between looks at the cloud's verdict while the first documents are being reported. */
export const LOOK_AGAIN = 100;
/** A paired gateway that has been without its connection for so long (ms) asks whether it still is paired, and so often. */
export const DOUBT_AFTER = 60_000;
export const DOUBT_AGAIN = 300_000;

export function newPairing(saved: Saved, claim = false): PairingState {
  return {
    saved,
    announced: false,
    open: 0,
    lastTicket: 0,
    next: 'standing',
    askAt: NEVER,
    codeUntil: NEVER,
    deadline: NEVER,
    claim,
    applying: false,
    connected: false,
  };
}

/** What a question was answered. */
export type Answer = Extract<PairingInput, { ticket: number }>;
