/** What cuts the octets of a connection into SIP messages, and packs messages for it: a plain stream, or WebSocket frames. */
import { latin1 } from '../kernel/bytes.ts';
import { Framer } from './framer.ts';

/**
 * `message` is one whole message; `answer` are octets to be sent back at once (to a keep-alive); `bad` says why the connection
 * cannot be read any further: it is to be closed, after `answer` where there is one.
 */
export type Framed =
  | { readonly message: string }
  | { readonly answer: Uint8Array }
  | { readonly bad: string; readonly answer?: Uint8Array };

export interface Framing {
  /** A message has begun and is not complete. */
  readonly unfinished: boolean;
  push(data: Uint8Array): void;
  /** The next frame of what was pushed; undefined where there is none. */
  next(): Framed | undefined;
  /** A message as it goes out. */
  pack(message: Uint8Array): Uint8Array;
  /** A question that every living peer answers, as it goes out now. */
  ask(): Uint8Array;
  /** What is sent before we close of our own will. */
  readonly farewell: Uint8Array | undefined;
}

const PING = Uint8Array.of(13, 10, 13, 10);
const PONG = Uint8Array.of(13, 10);

/** SIP over TCP and TLS: Content-Length, and CRLF CRLF answered by CRLF (RFC 5626 section 3.5.1). */
export class StreamFraming implements Framing {
  readonly farewell = undefined;
  readonly #framer = new Framer();
  readonly #text: (data: Uint8Array) => string;
  /** Our question has no answer yet. */
  #asked = false;

  /** `text` gives one character per octet; the platform may have a faster one than ours. */
  constructor(text: (data: Uint8Array) => string = latin1) {
    this.#text = text;
  }

  get unfinished(): boolean {
    // The answer to a keep-alive is one CRLF, which the framer holds as the possible half of a question.
    return this.#framer.held > 2;
  }

  push(data: Uint8Array): void {
    const text = this.#text(data);
    const answers = this.#asked && this.#framer.held === 0 && text.startsWith('\r\n') && !text.startsWith('\r\n\r\n');
    if (answers) this.#asked = false;
    // Two answers in a row are no question.
    this.#framer.push(answers ? text.slice(2) : text);
  }

  ask(): Uint8Array {
    this.#asked = true;
    return PING;
  }

  next(): Framed | undefined {
    const frame = this.#framer.next();
    return frame !== undefined && 'ping' in frame ? { answer: PONG } : frame;
  }

  pack(message: Uint8Array): Uint8Array {
    return message;
  }
}
