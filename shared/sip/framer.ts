/**
 * Cuts an octet stream into SIP messages (RFC 3261 section 18.3) and finds the keep-alives between them (RFC 5626 section
 * 3.5.1). Work is linear in the octets received however they are cut up, and what is held is bounded.
 */
import { CONTENT_LENGTH, headerKind } from './headers.ts';
import { decimal, trimmed } from './params.ts';
import { MESSAGE_LIMIT } from './parse.ts';

const END = '\r\n\r\n';

/**
 * `message` is one whole message; `ping` a double CRLF that is to be answered with one CRLF; `bad` says why the stream cannot
 * be read any further: it is to be closed, and every later call says so again.
 */
export type Frame = { readonly message: string } | { readonly ping: true } | { readonly bad: string };

/** One per stream: `push` what came, then call `next` until it gives undefined. */
export class Framer {
  #text = '';
  /** Where the current message begins in `#text`. */
  #at = 0;
  /** Received and not yet joined to `#text`. */
  #more: string[] = [];
  #held = 0;
  /** The last three characters received. */
  #tail = '';
  /** An end of headers (or a keep-alive) may lie in what is held. */
  #fresh = false;
  /** Length of the current message once its headers are known. */
  #need = 0;
  #bad: string | undefined;

  /** Octets received that are not yet part of a frame given out. */
  get held(): number {
    return this.#held;
  }

  push(text: string): void {
    if (text.length === 0) return;
    this.#more.push(text);
    this.#held += text.length;
    if (text.includes(END) || (this.#tail + text.slice(0, 3)).includes(END)) this.#fresh = true;
    this.#tail = (this.#tail + text.slice(-3)).slice(-3);
  }

  next(): Frame | undefined {
    if (this.#bad !== undefined) return { bad: this.#bad };
    if (this.#need === 0) {
      const frame = this.#head();
      if (frame !== undefined) return frame;
      if (this.#need === 0) return undefined;
    }
    if (this.#held < this.#need) return undefined;
    this.#join();
    const message = this.#text.slice(this.#at, this.#at + this.#need);
    this.#take(this.#need);
    this.#need = 0;
    return { message };
  }

  /** Looks for the end of the headers and sets `#need`; gives what must be told first. */
  #head(): Frame | undefined {
    if (!this.#fresh) return this.#held > MESSAGE_LIMIT ? this.#fail('Message Too Large') : undefined;
    this.#join();
    while (this.#text.startsWith('\r\n', this.#at)) {
      if (this.#text.startsWith(END, this.#at)) {
        this.#take(4);
        return { ping: true };
      }
      if (this.#held < 4) break;
      this.#take(2);
    }
    const end = this.#text.indexOf(END, this.#at);
    if (end < 0) {
      this.#fresh = false;
      return this.#held > MESSAGE_LIMIT ? this.#fail('Message Too Large') : undefined;
    }
    const length = contentLength(this.#text, this.#at, end);
    if (typeof length === 'string') return this.#fail(length);
    this.#need = end + END.length - this.#at + length;
    return this.#need > MESSAGE_LIMIT ? this.#fail('Message Too Large') : undefined;
  }

  #join(): void {
    if (this.#more.length === 0) return;
    this.#text = this.#text.slice(this.#at) + this.#more.join('');
    this.#at = 0;
    this.#more = [];
  }

  #take(length: number): void {
    this.#at += length;
    this.#held -= length;
    this.#fresh = this.#held > 0;
  }

  #fail(why: string): Frame {
    this.#bad = why;
    this.#text = '';
    this.#more = [];
    return { bad: why };
  }
}

/** Content-Length of the headers in `text[at, end)`, or why they cannot be trusted to frame the stream. */
function contentLength(text: string, at: number, end: number): number | string {
  let found: number | undefined;
  for (let line = at; line < end; ) {
    const stop = text.indexOf('\r\n', line);
    const next = stop + 2;
    const header = text.slice(line, stop);
    const colon = header.indexOf(':');
    if (colon >= 0 && headerKind(trimmed(header, 0, colon))?.id === CONTENT_LENGTH) {
      if (found !== undefined) return 'Repeated Content-Length';
      const folded = text.charCodeAt(next) === 32 || text.charCodeAt(next) === 9;
      found = folded ? undefined : decimal(trimmed(header, colon + 1, header.length), Number.MAX_SAFE_INTEGER);
      if (found === undefined) return 'Bad Content-Length';
    }
    line = next;
  }
  return found ?? 'Missing Content-Length';
}
