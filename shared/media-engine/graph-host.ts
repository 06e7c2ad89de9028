/** What the graph needs from the outside, so that one graph runs in a worker and on the virtual world. */
import type { EngineEvent } from './engine.ts';

/** A datagram socket of one endpoint: RTP or RTCP. */
export interface GraphSocket {
  readonly port: number;
  /** Sends the first `length` octets of `data`, which are overwritten no sooner than 8 sends (`BUFFERS`) of this socket later. */
  send(data: Uint8Array, length: number, host: string, port: number): void;
  close(): void;
}

/** A file being written; one write at a time. */
export interface GraphFile {
  /** Writes at an offset, octets. */
  write(at: number, data: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

export type GraphReceiver = (data: Uint8Array, host: string, port: number) => void;

export interface GraphHost {
  /** Monotonic ms. */
  mono(): number;
  /** Wall clock, ms. */
  wall(): number;
  /** 32 random bits. */
  random32(): number;
  /** Binds a UDP socket; rejects with an error that carries `code`, EADDRINUSE when the port is taken. */
  bind(host: string, port: number, receive: GraphReceiver): Promise<GraphSocket>;
  /** A whole file of at most `limit` octets; undefined when there is none or it is larger. */
  file(path: string, limit: number): Promise<Uint8Array | undefined>;
  /** Resolves once whatever else waits here has had its turn. */
  pause(): Promise<void>;
  /** Opens a file for writing from its beginning; folders are made as needed. */
  create(path: string): Promise<GraphFile>;
  event(event: EngineEvent): void;
  /** Called when `due()` of the graph may have become earlier. */
  wake(): void;
}

/** Range and limits of one graph (`docs/limits.md`). */
export interface GraphOptions {
  /** First and last port of the range; RTP takes the even ones, RTCP the next. */
  readonly low: number;
  readonly high: number;
  readonly nodesPerGroup?: number;
  readonly nodes?: number;
}

export const NODES_PER_GROUP = 600;
export const NODES = 4000;
