import type { LegRecord } from './leg-record.ts';

/** Events on the cloud's bus: hints about facts that stand in the store. A subscriber that missed one reads the store. */
export interface BusEvents {
  /**
   * The journal of a session grew to `seq`. `ended`: what its new rows, of which the last has this position, say of legs that ended; no
   * row between `after` and them says so of any session.
   */
  'session.changed': {
    readonly session: string;
    readonly seq: number;
    readonly ended?: {
      readonly after: number;
      readonly position: number;
      readonly records: readonly LegRecord[];
    };
  };
  /** A gateway's presence lease began or ended. */
  'gateway.presence': {
    readonly gateway: string;
    readonly home: string;
    readonly online: boolean;
    readonly epoch: number;
  };
  /** A home's lines or their credentials changed. */
  'lines.changed': { readonly home: string };
  /** The features of a home's lines changed, and with them its desired document. */
  'features.changed': { readonly home: string };
  /** The phones of a line that can be reached: somebody registered, perhaps anew. */
  'line.registered': { readonly line: string; readonly devices: readonly string[] };
  /** A line has got a message, or what became of one changed. */
  'messages.changed': { readonly line: string };
  /** An application was installed in a home, updated or removed. */
  'install.changed': { readonly home: string; readonly install: string };
  /** An applet said something to its cloud half. */
  'applet.said': { readonly install: string };
  /** Pairing of a gateway moved on. */
  'pairing.progress': { readonly gateway: string; readonly home: string; readonly state: string };
  /** Somebody pressed a digit (RFC 4733) on the phone of a leg; `duration` in ms. */
  'leg.digit': { readonly session: string; readonly leg: string; readonly digit: string; readonly duration: number };
  /** Somebody muted a leg in its room, or let it be heard again, past the session manager. */
  'leg.muted': { readonly session: string; readonly leg: string; readonly muted: boolean };
  /** The platform’s event log (`cloud/store/event-log.ts`) grew. */
  'event.appended': { readonly home?: string; readonly session?: string };
  /** The operator's trunks, or the way of emergency calls, changed. */
  'trunks.changed': Readonly<Record<string, never>>;
  /** The cloud's own certificate was made anew: it stands in the data folder. */
  'certificate.renewed': Readonly<Record<string, never>>;
  /** A server of the farm started, stopped or changed its health. */
  'farm.changed': { readonly server: string; readonly state: string };
}
export type BusEventName = keyof BusEvents;
