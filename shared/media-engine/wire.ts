/**
 * How parent and engine process talk: one JSON object per line over a Unix socket. The first line of the parent is
 * `{ token }`; then it sends commands `{ n, do, args }` and gets `{ n, value }` or `{ n, error }`, and events `{ event }`.
 */
import { EngineError, type EngineEvent, type EngineFault, type MediaEngine } from './engine.ts';

/** Changes whenever parent and process of different versions would misunderstand each other. */
export const WIRE_VERSION = 2;

/** The value of the first answer (n = 0): what the process is. */
export interface Greeting {
  readonly version: number;
  readonly low: number;
  readonly high: number;
}

/** Longest line of a command, octets. */
export const COMMAND_LIMIT = 64 * 1024;
/** Longest line of a reply, octets: a list of 4000 nodes with long names. */
export const REPLY_LIMIT = 4 * 1024 * 1024;

/** The commands by their name in `MediaEngine`; `end` frees everything and ends the process. */
export type CommandName = Exclude<keyof MediaEngine, 'onEvent' | 'close'> | 'end';

export interface Command {
  readonly n: number;
  readonly do: CommandName;
  readonly args: readonly unknown[];
}

export interface WireError {
  readonly code: EngineFault;
  readonly message: string;
}

export type Answer =
  | { readonly n: number; readonly value: unknown }
  | { readonly n: number; readonly error: WireError }
  | { readonly event: EngineEvent };

/** The error that crosses the wire; anything unexpected counts as `gone`, with its text. */
export function wireError(error: unknown): WireError {
  if (error instanceof EngineError) return { code: error.code, message: error.message };
  return { code: 'gone', message: error instanceof Error ? error.message : String(error) };
}

/** Cuts a stream of octets into lines. */
export class Lines {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `data` completes; undefined once a line is longer than the limit: close the stream. */
  push(data: Uint8Array): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = data.indexOf(10); end >= 0; end = data.indexOf(10, start)) {
      if (this.#size + end - start > this.#limit) return undefined;
      this.#parts.push(data.subarray(start, end));
      lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#size = 0;
      start = end + 1;
    }
    if (this.#size + data.length - start > this.#limit) return undefined;
    if (start < data.length) {
      this.#parts.push(data.subarray(start));
      this.#size += data.length - start;
    }
    return lines;
  }
}
