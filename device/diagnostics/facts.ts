/** What the checks judge: everything that was gathered about this gateway at one moment. Pure data. */
import type { CertificateFacts, InterfaceAddress } from '#shared/kernel/world.ts';
import type { AgentInsight } from '../agent/agent.ts';
import type { ModemReport } from '../emergency-modem/report.ts';
import type { PairingStatus } from '../pairing/status.ts';
import type { EdgeInsight } from '../sip-edge/insight.ts';
import type { Board } from './board.ts';

/** The outcome of something that was tried; undefined where it was not. */
export type Probe =
  | { readonly ok: true; readonly ms: number }
  | { readonly ok: false; readonly code: string; readonly text: string };

/** Codes of a try that say that nobody is there to answer; with any other, somebody spoke. */
export const NOBODY: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EADDRNOTAVAIL',
]);

export interface StreamQuality {
  /** The engine's name of the endpoint. */
  readonly id: string;
  /** Address of the other side, once it is known. */
  readonly peer?: string;
  readonly received: number;
  /** Share of packets lost on the way to us, 0 to 1. */
  readonly loss: number;
  /** Milliseconds. */
  readonly jitter: number;
  /** Milliseconds without a packet; 0 where none is awaited. */
  readonly silentFor: number;
  /** Share of our packets that the other side reports as lost, 0 to 1; undefined where it reports nothing. */
  readonly remoteLoss?: number;
}

export interface Facts {
  /** Without the probes of the network. */
  readonly quick: boolean;
  /** Wall clock, ms. */
  readonly wall: number;
  /** Milliseconds since the user agent started. */
  readonly uptime: number;
  readonly profile: string;
  /** The largest jump of the wall clock in the last hour, ms. */
  readonly jump: number;
  /** Starts of the user agent in the last ten minutes that did not end as asked, and this one. */
  readonly starts: number;
  readonly board: Board;
  readonly storage: {
    readonly write: Probe;
    readonly room?: { readonly free: number; readonly size: number };
    /** Files of the state folder that cannot be read. */
    readonly damaged: readonly string[];
  };
  readonly addresses: readonly InterfaceAddress[];
  readonly names: {
    readonly servers: readonly string[];
    /** The name of the cloud's host; undefined where that is an address. */
    readonly asked?: string;
    readonly answer?: Probe;
    /** IPv4 addresses that a name server gave for it. */
    readonly addresses?: readonly string[];
  };
  readonly cloud: {
    readonly host: string;
    /** It runs on this very machine. */
    readonly here: boolean;
    readonly discovery?: Probe;
    /** Milliseconds by which its clock is ahead of ours, as its web server told, to a second. */
    readonly ahead?: number;
    /** Undefined where the cloud was never found. */
    readonly mqtt?: { readonly host: string; readonly port: number };
    readonly tcp?: Probe;
    readonly tls?: Probe;
    readonly own?: CertificateFacts;
    readonly authority?: CertificateFacts;
  };
  readonly pairing: PairingStatus;
  /** The bond with the cloud, while there is one, and how long it has been in its state, ms. */
  readonly agent?: AgentInsight & { readonly lasts: number; readonly greetings: number };
  readonly voice: EdgeInsight & {
    readonly listener?: Probe;
    readonly softswitch?: Probe;
    /** Messages dropped in the last ten minutes. */
    readonly dropped: number;
  };
  readonly media: { readonly engine: Probe; readonly port?: Probe; readonly streams: readonly StreamQuality[] };
  /** Undefined where there is no emergency modem. */
  readonly modem?: ModemReport;
  /** Undefined where the profile does not watch its LAN. */
  readonly lan?: { readonly lans: readonly { name: string; sockets: number }[]; readonly devices: number };
  /** The latest error in the log of the last ten minutes. */
  readonly error?: { readonly event: string; readonly count: number };
}
