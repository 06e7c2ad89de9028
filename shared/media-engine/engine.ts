/**
 * The media engine: a directed graph of nodes on a 20 ms clock. Endpoints send and receive RTP, rooms mix (each endpoint
 * connected both ways hears all but itself), players produce an item or a tone, recorders write what they hear. An endpoint with one source of the same
 * codec relays packets at once, without the clock; with several it mixes.
 *
 * Engines: `node` (a child process with a worker per core, `process.ts`), `local` (in this thread, for the virtual world).
 * `owner` names session and leg (`ses/leg`), so that a restarted parent can tell which nodes are whose; all nodes of a
 * `group` (the session) share one worker. Every command is idempotent by node id.
 */
import type { Address } from '#shared/kernel/world.ts';

export type AudioCodec = 'PCMU' | 'PCMA';

export interface EndpointSpec {
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  /** Local address to bind; the port comes from the engine's range. */
  readonly host: string;
  /** Differentiated-services code point for what it sends; the reply says whether the platform could set it. */
  readonly dscp?: number;
  /** One that exists at another address goes over to `host`, with another pair of ports; without it, it stays where it is. */
  readonly move?: true;
}

export interface RemoteSpec {
  /** Where to send; absent: nowhere until learned. */
  readonly address?: Address;
  readonly codec: AudioCodec;
  readonly payloadType: number;
  /** Payload type of RFC 4733 events, when negotiated. */
  readonly eventType?: number;
  readonly sends: boolean;
  readonly receives: boolean;
  /** No RTP: datagrams (fax by UDPTL) that go on as they are to the one endpoint that hears it, if that is of the same kind. */
  readonly opaque?: true;
  /**
   * From where RTP is taken: `exact` the address and port above; `address` that host, the port learned within the first 5
   * packets (RTP from elsewhere is dropped, always; nothing is sent to another host, even if `address` names one), and anew where
   * `way` is another one.
   */
  readonly accept: { readonly exact: true } | { readonly address: string; readonly way?: string };
}

/** `music`: the melody for who waits. */
export type ToneName = 'ringback' | 'busy' | 'dial' | 'music';

export interface PlayerSpec {
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  /** Path of a WAV file (8 kHz mono, 16 bit or G.711), or a tone. */
  readonly source: { readonly file: string } | { readonly tone: ToneName };
  readonly loop: boolean;
  /** Linear gain, 1 = unchanged. */
  readonly gain: number;
}

export interface RecorderSpec {
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  /** The WAV file (8 kHz mono, mu-law) that it writes; one that exists is replaced. */
  readonly file: string;
  /** It ends by itself after so many ms of sound. */
  readonly limit: number;
}

export interface NodeInfo {
  readonly id: string;
  readonly kind: 'endpoint' | 'room' | 'player' | 'recorder';
  readonly owner: string;
  readonly group: string;
  /** Endpoints: the local RTP address. */
  readonly local?: Address;
}

export interface EndpointStats {
  readonly sent: number;
  readonly received: number;
  readonly lost: number;
  /** Packets refused for their source. */
  readonly refused: number;
  /** RFC 3550 interarrival jitter, ms. */
  readonly jitter: number;
  /** How long no RTP has come, ms; 0 while the other side is not to send. */
  readonly silentFor: number;
  /** Share of our packets that the other side reported as lost (0 to 1) and the round trip (ms), once RTCP told. */
  readonly remoteLoss?: number;
  readonly roundTrip?: number;
  /** Where its RTP goes, once that is known. */
  readonly peer?: Address;
}

export type EngineEvent =
  | { readonly on: 'player-ended'; readonly id: string; readonly owner: string }
  /** A recorder has reached its limit, or its file cannot be written (`failed`). It waits to be released. */
  | { readonly on: 'recorder-ended'; readonly id: string; readonly owner: string; readonly failed: boolean }
  | {
      readonly on: 'dtmf';
      readonly id: string;
      readonly owner: string;
      readonly digit: string;
      readonly duration: number;
    }
  /** A node is lost since a part of the engine crashed; it does not come back. */
  | { readonly on: 'lost'; readonly id: string; readonly owner: string }
  /** No RTP for 30 s on an endpoint that should receive. */
  | { readonly on: 'silent'; readonly id: string; readonly owner: string }
  | { readonly on: 'first-packet'; readonly id: string; readonly owner: string; readonly from: Address };

export interface MediaEngine {
  /** Makes an endpoint (or finds it again) and answers with its local RTP address; RTCP is on the next port. */
  endpoint(spec: EndpointSpec): Promise<{ readonly local: Address; readonly marked: boolean }>;
  remote(id: string, spec: RemoteSpec): Promise<void>;
  room(id: string, owner: string, group: string): Promise<void>;
  player(spec: PlayerSpec): Promise<void>;
  /** Starts a player from its beginning. */
  start(id: string): Promise<void>;
  /** Writes what the nodes connected to it say, mixed, from now on until `release`, which resolves once the file is complete. */
  recorder(spec: RecorderSpec): Promise<void>;
  /** Sends telephone events (RFC 4733) from an endpoint, 100 ms each with a pause between; its other sound waits meanwhile. Rejects with `no_events`. */
  press(id: string, digits: string): Promise<void>;
  /** Sound flows (or no longer flows) from a node to an endpoint, room or recorder of the same group. */
  connect(from: string, to: string, connected: boolean): Promise<void>;
  /** Frees a node and its connections; harmless when it is gone. */
  release(id: string): Promise<void>;
  list(): Promise<NodeInfo[]>;
  stats(id: string): Promise<EndpointStats | undefined>;
  onEvent(handler: (event: EngineEvent) => void): void;
  /** Lets go of the engine. `end`: its nodes are freed and a child process ends; otherwise they live on for 60 s to be re-attached. */
  close(end: boolean): Promise<void>;
}

/** Why a command is rejected; `no_address`: the host to bind is none of this machine's; `gone`: the engine itself has ended, and its nodes with it. */
export type EngineFault =
  | 'ports_exhausted'
  | 'limit_reached'
  | 'no_address'
  | 'unknown_node'
  | 'other_group'
  | 'not_connectable'
  | 'bad_file'
  /** The other side takes no telephone events. */
  | 'no_events'
  | 'gone';

/** Rejected commands carry one of these codes. */
export class EngineError extends Error {
  readonly code: EngineFault;
  constructor(code: EngineError['code'], message: string) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
  }
}
