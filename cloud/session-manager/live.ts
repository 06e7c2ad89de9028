/** What the session machine is made of: a living session, what it is told, and what it wants done. */
import { NEVER } from '#shared/kernel/machine.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { CommandPlan, CommandResult } from './command-state.ts';
import type { Carried, Command, JournalRow, LegPlan, Reserved, ReserveStep } from './events.ts';
import type { SessionState } from './session.ts';

/** A living session: the folded state and what only this process knows of it. */
export interface Live {
  readonly state: SessionState;
  /** Wall clock minus monotonic clock, ms, as the driver found it when it took the session on. */
  offset: number;
  readonly ring: Map<string, number>;
  /** When a missing leg counts as lost. */
  readonly lease: Map<string, number>;
  /** When a leg was last known to exist at its server. */
  readonly seen: Map<string, number>;
  /** When a prepaid leg has to ask for more, and when its money is used up. */
  readonly credit: Map<string, { ask: number; end: number }>;
  /** What no row says yet. */
  carried: Carried | undefined;
  alone: number;
  /** When an ending session ends, whatever is still unreleased. */
  closing: number;
}

export type Reservations = Readonly<Record<string, Reserved>>;

export type Input =
  /** All reservations of the session are made. */
  | { readonly on: 'reserved'; readonly legs: Reservations; readonly room?: string }
  /** The same, and nothing of it is metered or durable: it rides on the next row. */
  | { readonly on: 'admitted'; readonly legs: Reservations }
  /** The session was refused; `started` are the steps to undo. */
  | { readonly on: 'refused'; readonly fault: Fault; readonly started: readonly Started[] }
  | {
      readonly on: 'added';
      readonly plan: LegPlan;
      readonly homes: readonly string[];
      readonly roomSize?: number;
    }
  | { readonly on: 'leg-refused'; readonly leg: string; readonly fault: Fault }
  | { readonly on: 'opened'; readonly leg: string; readonly callId: string }
  | { readonly on: 'failed'; readonly leg: string; readonly fault: Fault }
  | { readonly on: 'noted'; readonly leg: string; readonly dscp: string }
  | { readonly on: 'credit'; readonly leg: string; readonly until: number }
  | Report
  /** A live command; `stop-command` ends one, `sound` says that what it plays or records has ended. */
  | { readonly on: 'command'; readonly plan: CommandPlan }
  | { readonly on: 'stop-command'; readonly command: string; readonly result: CommandResult }
  | { readonly on: 'sound'; readonly sound: string; readonly failed: boolean }
  | { readonly on: 'digit'; readonly leg: string; readonly digit: string; readonly duration: number }
  | {
      readonly on: 'flag';
      readonly leg: string;
      readonly held?: boolean;
      readonly muted?: boolean;
      readonly item?: string;
    }
  /** The softswitch gave a call of phones into our hands. */
  | { readonly on: 'taken'; readonly legs: Readonly<Record<string, { readonly endpoint: string }>> }
  | { readonly on: 'end'; readonly reason: string }
  | { readonly on: 'remove'; readonly leg: string; readonly reason: string }
  /** Reconciliation: a server has the leg, or has it no longer. */
  | { readonly on: 'seen'; readonly leg: string; readonly up?: boolean; readonly callId?: string }
  | { readonly on: 'missing'; readonly leg: string }
  /** The process has started again; what was only planned cannot be known to have happened. */
  | { readonly on: 'recovered' }
  /** Nothing of this session waits in the outbox any more. */
  | { readonly on: 'released' };

export interface Report {
  readonly on: 'report';
  readonly leg: string;
  readonly event: 'ringing' | 'answered' | 'ended' | 'item-ended';
  readonly at: number;
  readonly callId?: string | undefined;
  readonly reason?: string | undefined;
  /** The response with which it was refused. */
  readonly status?: number | undefined;
}

export interface Started {
  readonly leg: string;
  readonly step: ReserveStep | 'room';
}

/** What a command's outcome means: `open` and `join` may fail the leg, `mark` is noted, `credit` renews, `sound` may fail a live command; others are told nobody. */
export type Purpose = 'open' | 'join' | 'mark' | 'credit' | 'sound' | 'release' | 'other';

export type Output =
  | { readonly do: 'append'; readonly row: JournalRow }
  | { readonly do: 'send'; readonly leg?: string; readonly purpose: Purpose; readonly command: Command };

export function newLive(state: SessionState): Live {
  const none = () => new Map<string, never>();
  return {
    state,
    offset: 0,
    ring: none(),
    lease: none(),
    seen: none(),
    credit: none(),
    carried: undefined,
    alone: NEVER,
    closing: NEVER,
  };
}
