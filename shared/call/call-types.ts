/** What goes into a call's machine and what comes out; see `call.ts`. */
import type { Direction } from './direction.ts';

/** Name of a leg, as the session manager or the edge gives it. */
export type LegId = string;
/** `CALLER`, or the name of a branch. */
export type Party = string;
/** Why a leg ended: a fault code or one of the words of `outcome.ts`. */
export type EndReason = string;

/**
 * A callee, or with `callee` several that share a leg: the contacts ring in parallel. `to` is the user's own (flow, contact …) and comes back
 * in `invite`.
 */
export interface Target<T> {
  readonly leg: LegId;
  readonly branches: readonly {
    readonly branch: string;
    readonly to: T;
    readonly others?: readonly T[] | undefined;
    readonly callee?: string | undefined;
    /** The same with no location in what it is sent, for when it refuses that (424, RFC 6442 section 4.3). */
    readonly bare?: T | undefined;
  }[];
  /** Without branches: the response that stands for the callee; default 480. */
  readonly otherwise?: number;
  /** Why there are none; default: what `otherwise` says. */
  readonly because?: EndReason;
  /**
   * The contacts are other ways to one callee: the next is invited where one fails in a way that another may not (`isWayOut` of
   * `outcome.ts`; with `always` in any way), or says nothing at all for `tryFor` ms; the last of them for `lastFor` ms, where that is given.
   */
  readonly oneByOne?: OneByOne;
}

export interface OneByOne {
  readonly tryFor: number;
  readonly lastFor?: number;
  readonly always?: boolean;
}

export interface Routed<T> {
  readonly callerLeg: LegId;
  readonly targets: readonly Target<T>[];
  /** Milliseconds until unanswered legs are given up. */
  readonly ringFor: number;
  readonly relay: boolean;
  /** A call that nobody takes is asked about again (`reroute`) before it ends. */
  readonly again?: boolean;
}

/** How a call is refused; `moved`: with the URI to which it has moved (RFC 3261 section 21.3). */
export interface Refused {
  readonly status: number;
  readonly reason: EndReason;
  readonly moved?: string | undefined;
  /** This is why, whatever became of who was rung before. */
  readonly final?: boolean;
}

export type CallInput<T> =
  /** The caller's INVITE; `sdp` is its offer, if it made one, `breadth` its Max-Breadth (RFC 5393). */
  | { readonly on: 'invite'; readonly sdp?: string | undefined; readonly breadth?: number | undefined }
  /** Instead of an INVITE: ring these targets for an endpoint that somebody else owns. */
  | { readonly on: 'open'; readonly target: Target<T>; readonly ringFor: number }
  /** Answers of `route`: ring, hold the caller (who hears ringing with `ring`) until `admit`, or refuse. */
  | ({ readonly on: 'routed' } & Routed<T>)
  | { readonly on: 'held'; readonly callerLeg: LegId; readonly limit: number; readonly ring?: boolean }
  /** Answer of `reroute`: ring this one; `refused` ends the call as it was left, or as one that has moved. */
  | { readonly on: 'rerouted'; readonly target: Target<T>; readonly ringFor: number; readonly again: boolean }
  | ({ readonly on: 'refused' } & Refused)
  /** The held caller is to be answered with the media endpoint of its leg. */
  | { readonly on: 'admit' }
  | { readonly on: 'progress'; readonly branch: string; readonly status: number; readonly sdp?: string | undefined }
  | { readonly on: 'answered'; readonly branch: string; readonly sdp?: string | undefined }
  /** `silent`: no response came at all; `moved`: a redirection to this URI (RFC 3261 section 21.3). */
  | {
      readonly on: 'failed';
      readonly branch: string;
      readonly status: number;
      readonly silent?: boolean;
      readonly moved?: string | undefined;
    }
  /** Somebody who calls in with this offer takes the call while it rings; `branch` is its name from now on. */
  | { readonly on: 'taken'; readonly branch: string; readonly leg: LegId; readonly to: T; readonly sdp: string }
  /** The other side ended: BYE, CANCEL (caller only), missing ACK, broken flow. */
  | { readonly on: 'ended'; readonly party: Party; readonly why: string }
  /** A new offer inside the dialog; without SDP the side asks for one of ours. `music`: whom it holds with that hears music. */
  | {
      readonly on: 'offer';
      readonly party: Party;
      readonly sdp?: string | undefined;
      readonly music?: boolean | undefined;
    }
  | {
      readonly on: 'reoffered';
      readonly party: Party;
      readonly ok: boolean;
      readonly status: number;
      readonly sdp?: string | undefined;
    }
  /** ACK of our 2xx, or PRACK of our provisional response; `sdp` answers an offer that stood in it. */
  | {
      readonly on: 'confirmed';
      readonly party: Party;
      readonly sdp?: string | undefined;
      readonly music?: boolean | undefined;
    }
  /** Answer of `media`. */
  | { readonly on: 'media'; readonly op: number; readonly sdp?: string; readonly failed?: number }
  /** Answer of `report answered`: it is durable, or given up. */
  | { readonly on: 'recorded' }
  /** From now on each side talks to a media endpoint of its own leg, or again straight to the other; `renew` tells the sides. */
  | { readonly on: 'relay'; readonly relay: boolean }
  /**
   * The side gets a new offer of its leg's endpoint; `leg` gives the leg another name first, `same` leaves every hold as it is. `renewed`
   * says what came of it.
   */
  | { readonly on: 'renew'; readonly party: Party; readonly leg?: LegId; readonly same?: true }
  /** The side gets this description again, as it was before `renew`. */
  | { readonly on: 'restore'; readonly party: Party; readonly sdp: string }
  /** The called side is taken out: it goes on as a call of its own, and both as channels that somebody else instructs. */
  | { readonly on: 'part' }
  /** Ends the call, or with `leg` that leg alone while others still ring. */
  | { readonly on: 'close'; readonly reason: EndReason; readonly leg?: LegId; readonly status?: number };

export type CallOutput<T> =
  | { readonly do: 'route' }
  /** This leg was not taken, for this reason: is there another way? `moved`: where a phone of the leg sends the call. */
  | { readonly do: 'reroute'; readonly leg: LegId; readonly reason: EndReason; readonly moved?: string | undefined }
  /** `breadth`: how many branches it may have in its turn, where the call says so. */
  | {
      readonly do: 'invite';
      readonly branch: string;
      readonly leg: LegId;
      readonly to: T;
      readonly sdp: string;
      readonly breadth?: number | undefined;
    }
  /** 101..199 to the caller. */
  | { readonly do: 'progress'; readonly status: number; readonly sdp?: string | undefined }
  /** 200 to the caller, or to who took the call. */
  | { readonly do: 'answer'; readonly party: Party; readonly sdp: string }
  /** 4xx..6xx to the caller, or to who wanted to take the call. */
  | ({ readonly do: 'reject'; readonly party: Party } & Refused)
  | { readonly do: 'hangup'; readonly party: Party; readonly reason: EndReason }
  /** Without SDP the side is asked for an offer; `early`: it has no answer yet, or has not answered yet. */
  | { readonly do: 'reoffer'; readonly party: Party; readonly sdp?: string; readonly early?: true }
  /** `direction`: what `sdp` says of it is to be this instead. */
  | { readonly do: 'accept-offer'; readonly party: Party; readonly sdp: string; readonly direction?: Direction }
  | { readonly do: 'refuse-offer'; readonly party: Party; readonly status: number }
  /**
   * Media of a leg. `offer`: give an SDP offer (with that direction); `answer`: give the answer to `sdp`; `accept`: take
   * `sdp` as the answer to what was offered. `like`: what the other side says, where the kind of media is for the two to agree on
   * (fax). Reply by `media` with the same `op`.
   */
  | {
      readonly do: 'media';
      readonly op: number;
      readonly want: 'offer' | 'answer' | 'accept';
      readonly leg: LegId;
      readonly party: Party;
      readonly sdp?: string;
      readonly direction?: Direction;
      readonly like?: string;
    }
  /** Let sound flow both ways between the caller's leg and this one. */
  | { readonly do: 'connect'; readonly caller: LegId; readonly leg: LegId }
  | { readonly do: 'release'; readonly leg: LegId }
  /** The side's leg hears music in the place of the sound of `from`, or that again. */
  | { readonly do: 'music'; readonly party: Party; readonly leg: LegId; readonly from: LegId; readonly on: boolean }
  /** `answered` wants `recorded` back; the others want nothing. */
  | {
      readonly do: 'report';
      readonly leg: LegId;
      readonly event: 'ringing' | 'answered' | 'ended';
      readonly branch?: string | undefined;
      readonly reason?: EndReason | undefined;
    }
  /** A side took the new offer of its endpoint, or refused it and talks as before. */
  | { readonly do: 'renewed'; readonly party: Party; readonly ok: boolean }
  /** Both sides are joined and the caller has its 2xx: the moment for a snapshot. `branch` is the winner. */
  | { readonly do: 'up'; readonly branch?: string | undefined }
  /** All is done; forget the state. */
  | { readonly do: 'over'; readonly answered: boolean; readonly reason: EndReason };
