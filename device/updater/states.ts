/** States, inputs and outputs of the updater's machine. */
import type { FaultCode } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { BoardFacts, BundleFacts, Refusal, Slot, Wreck } from './board.ts';

export type Report = VerbReply<'gateway.updates'>['items'][number];

/** One update. What is not given is taken from the bundle, whose signature vouches for it. */
export interface Job {
  readonly id: string;
  readonly source:
    | { readonly kind: 'release'; readonly release: string }
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'file'; readonly file: string };
  readonly version?: string;
  readonly board?: string;
  readonly sha256?: string;
  readonly size?: number;
}

/** Where the board stood before it was started anew. */
export interface Before {
  readonly slot: Slot;
  readonly version: string;
  readonly boot: string;
}

/** `until` is monotonic ms, and set anew after a restart; the rest is on the disk as it stands here. */
export type Step =
  | { readonly at: 'idle' }
  | { readonly at: 'checking'; readonly job: Job; readonly until: number }
  | {
      readonly at: 'downloading';
      readonly job: Job;
      readonly from: string;
      /** Failed tries in a row; when the next one is due, or infinity while one is under way. */
      readonly tries: number;
      readonly next: number;
      /** The bundle was damaged once and is fetched anew. */
      readonly again: boolean;
      readonly until: number;
    }
  | {
      readonly at: 'verifying';
      readonly job: Job;
      readonly from: string;
      readonly again: boolean;
      readonly until: number;
    }
  | {
      readonly at: 'installing';
      readonly job: Job;
      readonly from: string;
      readonly bundle: BundleFacts;
      readonly until: number;
    }
  | {
      readonly at: 'rebooting';
      readonly job: Job;
      readonly version: string;
      readonly before: Before;
      readonly asked: number;
      readonly until: number;
    }
  /** Without a job: a slot that nobody has marked good yet, such as that of a freshly flashed card. */
  | {
      readonly at: 'proving';
      readonly job?: Job;
      readonly version: string;
      readonly before?: Before;
      /** Starts of the agent within this proof. */
      readonly starts: number;
      readonly next: number;
      readonly until: number;
    };

export interface UpdaterState {
  step: Step;
  /** The newest version that ever proved itself here: nothing older is taken. */
  floor: string | undefined;
  /** Outcomes, newest first. */
  history: readonly Report[];
  /** Those that the cloud has yet to hear of, oldest first. */
  untold: readonly Report[];
}

/** How the gateway does, as its own test sees it. */
export interface Health {
  readonly ok: boolean;
  /** What is wrong. */
  readonly why?: string;
  /** The cloud's address answers, so that a missing session is our own fault. */
  readonly wan: boolean;
  /** There is a home, so that a session can be expected. */
  readonly paired: boolean;
}

export type Input =
  | {
      readonly on: 'booted';
      readonly facts: BoardFacts | undefined;
      /** There is a home, so that a session can be expected. */
      readonly paired: boolean;
      readonly wreck?: Wreck;
    }
  | { readonly on: 'start'; readonly job: Job }
  | { readonly on: 'stop'; readonly job: string }
  /** `here` octets of the bundle are on the disk, `free` are left. */
  | {
      readonly on: 'checked';
      readonly facts: BoardFacts | undefined;
      readonly free: number | undefined;
      readonly here: number;
    }
  | { readonly on: 'fetched' }
  | { readonly on: 'fetch-failed'; readonly why: string; readonly code?: FaultCode }
  | { readonly on: 'inspected'; readonly bundle: BundleFacts }
  | { readonly on: 'installed'; readonly before: Before }
  | { readonly on: 'refused'; readonly why: Refusal }
  | { readonly on: 'session' }
  | { readonly on: 'tested'; readonly health: Health }
  | { readonly on: 'marked' };

export type Output =
  /** The state is to be on the disk before anything after this is done. */
  | { readonly do: 'save' }
  | { readonly do: 'check'; readonly job: Job }
  | { readonly do: 'fetch'; readonly job: Job }
  | { readonly do: 'inspect'; readonly job: Job }
  | { readonly do: 'install'; readonly job: Job; readonly bundle: BundleFacts }
  | { readonly do: 'reboot' }
  | { readonly do: 'test' }
  | { readonly do: 'mark-good' }
  /** Marks the running slot bad and starts the other. */
  | { readonly do: 'give-up' }
  /** Removes the bundle of a job. */
  | { readonly do: 'clean'; readonly job: Job }
  | { readonly do: 'tell'; readonly report: Omit<Report, 'at'> };
