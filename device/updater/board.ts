/**
 * A board with two systems (slots A and B), of which one runs. Behind it stand RAUC and the bootloader on a real gateway, and a model of
 * both in the simulator; a gateway without two systems has none.
 */
import type { Result } from '#shared/kernel/result.ts';
import type { FaultCode } from '#shared/protocol/fault.ts';

export type Slot = 'A' | 'B';
export type Stage = 'none' | 'kernel' | 'init' | 'agent' | 'session';

export interface BoardFacts {
  /** RAUC's `compatible`. */
  readonly board: string;
  /** Version of the running system. */
  readonly version: string;
  readonly slot: Slot;
  /** The running slot has been marked good. */
  readonly good: boolean;
  /** Names this start of the kernel; another after every boot. */
  readonly boot: string;
  /** The newest version that the board itself knows to have proved itself: it installs nothing older, whatever the agent says. */
  readonly floor?: string;
}

/** What a bundle says of itself once its signature is believed. */
export interface BundleFacts {
  readonly version: string;
  readonly board: string;
  readonly sha256: string;
  readonly size: number;
}

/** What is left of the starts of a slot that was given up. */
export interface Wreck {
  /** How far its last start came. */
  readonly stage: Stage;
  readonly attempts: number;
  /** The last lines of it, oldest first. */
  readonly lines: readonly string[];
}

/** Why the board would not; `detail` for people. */
export interface Refusal {
  readonly code: FaultCode;
  readonly detail?: string;
}

export interface Board {
  facts(): Promise<Result<BoardFacts, Refusal>>;
  /** Checks a file's signature and says what it is; the file is read once. */
  inspect(file: string): Promise<Result<BundleFacts, Refusal>>;
  /** Installs the very octets that `inspect` saw into the other slot and makes it the next to start. */
  install(file: string, bundle: BundleFacts): Promise<Result<void, Refusal>>;
  markGood(): Promise<Result<void, Refusal>>;
  /** Gives the running slot up: the next start is of the other one. */
  markBad(): Promise<Result<void, Refusal>>;
  reboot(): Promise<Result<void, Refusal>>;
  /** What is left of the starts of `slot` after the start of the kernel that is named. */
  wreck(slot: Slot, after: string): Promise<Wreck | undefined>;
  /** Writes down that the running system came so far. */
  reached(stage: Stage): Promise<void>;
}

/** A gateway that cannot be updated by Hearthline: a PC, or a router with a system of its own. */
export const noBoard: Board = {
  facts: async () => ({ ok: false, fault: { code: 'update_not_possible' } }),
  inspect: impossible,
  install: impossible,
  markGood: impossible,
  markBad: impossible,
  reboot: impossible,
  wreck: async () => undefined,
  reached: async () => {},
};

async function impossible(): Promise<Result<never, Refusal>> {
  return { ok: false, fault: { code: 'update_not_possible' } };
}
