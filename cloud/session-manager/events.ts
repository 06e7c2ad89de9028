/**
 * What the journal of a session can say. A row is one event; the session's state is the fold of its rows and nothing else,
 * so every fact that a later decision needs stands in some event's data.
 */
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';

import type { CommandEvents } from './command-state.ts';

export type SessionView = VerbReply<'session.get'>;
export type LegView = SessionView['legs'][number];
export type SessionKind = SessionView['kind'];

/** A request to a server of the farm, as the outbox keeps it. */
export type Command = { readonly [V in VerbName]: { readonly verb: V; readonly request: VerbRequest<V> } }[VerbName];

/** What is reserved for a leg before its channel opens, in this order; undone in reverse. */
export type ReserveStep = 'billing' | 'qos' | 'endpoint' | 'player';

/**
 * Who makes a leg's channel: the softswitch by itself (a phone's own call), the softswitch by our instruction, nobody (music
 * into the room: the leg is a player), or nobody because the leg carries no sound (a device).
 */
export type ChannelKind = 'switched' | 'instructed' | 'room' | 'none';

export interface LegPlan {
  readonly id: string;
  readonly kind: LegView['kind'];
  readonly orientation: LegView['orientation'];
  readonly server: string;
  /** Why this server, which others could have, and what was left out with its reason. */
  readonly why: string;
  readonly role: string;
  readonly channel: ChannelKind;
  /** The number or URI of the other end, as people know it. */
  readonly party?: string;
  readonly home?: string;
  readonly line?: string;
  /** The gateway that can mark this leg's packets. */
  readonly gateway?: string;
  readonly item?: string;
  /** Calling and called side in the call detail record. */
  readonly from: string;
  readonly to: string;
  /** The home that pays for this leg; absent: nobody does. */
  readonly payer?: string;
  readonly emergency?: boolean;
  /** What the number of a caller from outside proved to be. */
  readonly verstat?: LegRecord['verstat'];
  readonly reserve: readonly ReserveStep[];
  /** The leg that must be up before this one's channel opens. */
  readonly after?: string;
  /** The leg at the same home with whose channel the gateway mixes this one (RFC 3911). */
  readonly join?: string;
  /** The waiting call that the channel answers instead of ringing a line. */
  readonly waiting?: string;
  /** A number outside that the channel rings by a trunk, and the line that answers for it. */
  readonly outward?: { readonly number: string; readonly owner: string; readonly hidden?: boolean };
  /** The leg whose party this one takes the place of, once it answers. */
  readonly replaces?: string;
  /** The leg together with which this one rings: the end of one while another rings is not the call's. */
  readonly with?: string;
  /** The line whose features say where the call goes next. */
  readonly governedBy?: string;
  /** The channel of another session that becomes this leg's. */
  readonly moves?: { readonly session: string; readonly leg: string };
  /** The phone of the replaced leg asked for it and wants to hear what comes of it. */
  readonly referred?: boolean;
  /** The number of the line that transfers, where who is called may know it (RFC 3892). */
  readonly referredBy?: string;
  /** What the phone shows as the caller. */
  readonly caller?: { readonly number: string; readonly name?: string; readonly hidden?: boolean };
  /** Why the leg is not marked, when that is known already. */
  readonly dscp?: string;
}

/** What the reservations of a leg gave. */
export interface Reserved {
  readonly endpoint?: string;
  readonly player?: string;
  readonly dscp?: { readonly value: number; readonly name: string };
  readonly metered?: boolean;
  /** Milliseconds of talk that the prepaid reservation covers. */
  readonly until?: number;
}

/** Facts of a phone's own call that are worth no row of their own (nothing of them is metered): they ride on the next one. */
export interface Carried {
  readonly legs?: Readonly<Record<string, Reserved>>;
  /** What became of marking, by leg. */
  readonly notes?: Readonly<Record<string, string>>;
}

interface EventData extends CommandEvents {
  /** A call that phones made is ours to steer: its legs have endpoints now. */
  readonly taken: { readonly legs: Readonly<Record<string, { readonly endpoint: string }>> };
  readonly flagged: { readonly held?: boolean; readonly muted?: boolean };
  readonly created: {
    readonly kind: SessionKind;
    readonly request: unknown;
    readonly homes: readonly string[];
    readonly legs: readonly LegPlan[];
    /** Parties that the room is made for; absent: the session has no room. */
    readonly roomSize?: number;
  };
  /** `roomSize`: the session gets a room by this leg. */
  readonly added: { readonly plan: LegPlan; readonly homes: readonly string[]; readonly roomSize?: number };
  readonly reserved: { readonly legs: Readonly<Record<string, Reserved>>; readonly room?: string };
  readonly instructed: { readonly verb: string; readonly server: string };
  readonly opened: { readonly callId: string };
  readonly ringing: { readonly callId?: string; readonly carried?: Carried };
  /** `also`: legs that are up by the same fact (the caller's, once the callee answered). */
  readonly answered: {
    readonly callId?: string;
    readonly at: number;
    readonly also?: readonly string[];
    readonly carried?: Carried;
  };
  readonly noted: { readonly dscp: string };
  readonly 'leg-ended': { readonly records: readonly LegRecord[]; readonly carried?: Carried };
  readonly ending: { readonly records: readonly LegRecord[]; readonly carried?: Carried };
  readonly ended: { readonly records: readonly LegRecord[]; readonly carried?: Carried };
}

export type EventType = keyof EventData;

/** An event before it has a place in the journal. `cause` is a fault code, `hangup`, `item-ended`, `api` or another reason. */
export type SessionEvent = {
  readonly [T in EventType]: {
    readonly type: T;
    readonly at: number;
    readonly leg?: string;
    readonly cause?: string;
    readonly data: EventData[T];
  };
}[EventType];

/** A row of the journal: the event at its place. `seq` counts from 1 within the session. */
export type JournalRow = SessionEvent & { readonly session: string; readonly seq: number };
