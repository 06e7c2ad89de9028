/**
 * SIP over WebSockets as a server (RFC 7118): the frames of RFC 6455 with one SIP message in each data message. Nothing is asked for
 * that would cost memory per connection: no compression, no extension.
 */
import { latin1 } from '../kernel/bytes.ts';
import type { Framed, Framing } from './framing.ts';
import { MESSAGE_LIMIT } from './parse.ts';

/** Opcodes (RFC 6455 section 5.2). */
const OP = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
/** The most octets of a control frame's content (section 5.5). */
const CONTROL_LIMIT = 125;
/** The most frames of one message: each may be empty, and costs its place all the same. */
export const FRAME_LIMIT = 1_024;
/** Status codes of a close (section 7.4.1). */
const CLOSE = { going: 1001, wrong: 1002, notText: 1007, tooLarge: 1009 } as const;

interface Head {
  readonly last: boolean;
  readonly op: number;
  readonly length: number;
  /** Where the mask begins, from the frame's start. */
  readonly mask: number;
}

/** One per connection, after the handshake. */
export class WebSocketFraming implements Framing {
  readonly farewell = closing(CLOSE.going);
  #held = new Uint8Array(0);
  /** What of `#held` counts: `[#from, #to)`. */
  #from = 0;
  #to = 0;
  /** Parts of a message in several frames, and whether it is text. */
  #parts: string[] | undefined;
  #size = 0;
  #isText = false;
  #bad: Framed | undefined;

  get unfinished(): boolean {
    return this.#to > this.#from || this.#parts !== undefined;
  }

  push(data: Uint8Array): void {
    if (this.#to + data.length > this.#held.length) {
      const waiting = this.#to - this.#from;
      const room = Math.max(2 * waiting, waiting + data.length);
      const grown = new Uint8Array(room);
      grown.set(this.#held.subarray(this.#from, this.#to));
      this.#held = grown;
      this.#from = 0;
      this.#to = waiting;
    }
    this.#held.set(data, this.#to);
    this.#to += data.length;
  }

  next(): Framed | undefined {
    for (;;) {
      if (this.#bad !== undefined) return this.#bad;
      const head = this.#head();
      if (head === undefined) return undefined;
      if ('bad' in head) return this.#fail(head.bad, head.code);
      const end = head.mask + 4 + head.length;
      if (this.#to - this.#from < end) return undefined;
      const content = this.#content(head);
      this.#from += end;
      if (this.#from === this.#to) this.#empty();
      const framed = this.#take(head, content);
      if (framed !== undefined) return framed;
    }
  }

  ask(): Uint8Array {
    return frame(OP.ping, new Uint8Array(0));
  }

  pack(message: Uint8Array): Uint8Array {
    return frame(isUtf8(latin1(message)) ? OP.text : OP.binary, message);
  }

  /** The head of the next frame, judged before anything of its content is awaited. */
  #head(): Head | { readonly bad: string; readonly code: number } | undefined {
    const view = this.#held.subarray(this.#from, this.#to);
    const [first, second] = view;
    if (first === undefined || second === undefined) return undefined;
    const [last, op, short] = [(first & 0x80) !== 0, first & 15, second & 0x7f];
    const wrong = (bad: string, code: number = CLOSE.wrong) => ({ bad, code });
    if ((first & 0x70) !== 0) return wrong('Reserved Bits');
    if ((second & 0x80) === 0) return wrong('Frame Without Mask');
    if (op >= OP.close) {
      if (op > OP.pong) return wrong('Unknown Opcode');
      if (!last || short > CONTROL_LIMIT) return wrong('Bad Control Frame');
    } else if (op > OP.binary) return wrong('Unknown Opcode');
    else if ((op === OP.more) !== (this.#parts !== undefined)) return wrong('Continuation Out Of Place');
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (view.length < 2 + extra) return undefined;
    let length = extra === 0 ? short : 0;
    for (let i = 0; i < extra; i++) length = length * 256 + (view[2 + i] ?? 0);
    if (op < OP.close && this.#size + length > MESSAGE_LIMIT) return wrong('Message Too Large', CLOSE.tooLarge);
    return { last, op, length, mask: 2 + extra };
  }

  #content({ mask, length }: Head): Uint8Array {
    const start = this.#from + mask;
    const key = this.#held.subarray(start, start + 4);
    const content = this.#held.slice(start + 4, start + 4 + length);
    for (let i = 0; i < length; i++) content[i] = (content[i] ?? 0) ^ (key[i & 3] ?? 0);
    return content;
  }

  #take({ op, last }: Head, content: Uint8Array): Framed | undefined {
    if (op === OP.ping) return { answer: frame(OP.pong, content) };
    if (op === OP.pong) return undefined;
    if (op === OP.close) return this.#closed(content);
    if (op !== OP.more) {
      this.#parts = [];
      this.#size = 0;
      this.#isText = op === OP.text;
    }
    if (this.#parts?.length === FRAME_LIMIT) return this.#fail('Too Many Frames', CLOSE.tooLarge);
    this.#parts?.push(latin1(content));
    this.#size += content.length;
    if (!last) return undefined;
    const text = this.#parts?.join('') ?? '';
    this.#parts = undefined;
    this.#size = 0;
    if (this.#isText && !isUtf8(text)) return this.#fail('Text That Is No UTF-8', CLOSE.notText);
    // A keep-alive as on a stream (RFC 5626 section 3.5.1), which some send here too.
    if (text.length <= 4 && /^[\r\n]*$/.test(text)) {
      return text.length === 4 ? { answer: frame(OP.text, Uint8Array.of(13, 10)) } : undefined;
    }
    return { message: text };
  }

  /** The peer closes: its code is sent back (section 5.5.1). */
  #closed(content: Uint8Array): Framed {
    const [high, low] = content;
    const code = high === undefined || low === undefined ? undefined : high * 256 + low;
    this.#bad = { bad: 'closed by the peer', answer: closing(code) };
    return this.#bad;
  }

  #fail(bad: string, code: number): Framed {
    this.#bad = { bad, answer: closing(code) };
    this.#empty();
    this.#parts = undefined;
    return this.#bad;
  }

  #empty(): void {
    this.#held = new Uint8Array(0);
    this.#from = 0;
    this.#to = 0;
  }
}

function frame(op: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const extra = length <= CONTROL_LIMIT ? 0 : length < 65_536 ? 2 : 8;
  const whole = new Uint8Array(2 + extra + length);
  whole[0] = 0x80 | op;
  whole[1] = extra === 0 ? length : extra === 2 ? 126 : 127;
  for (let i = 0, rest = length; i < extra; i++, rest = Math.floor(rest / 256)) whole[1 + extra - i] = rest % 256;
  whole.set(content, 2 + extra);
  return whole;
}

function closing(code: number | undefined): Uint8Array {
  return frame(OP.close, code === undefined ? new Uint8Array(0) : Uint8Array.of(code >> 8, code & 255));
}

/** RFC 3629 section 4, over octets that stand in a text, one character each. */
function isUtf8(text: string): boolean {
  for (let i = 0; i < text.length; ) {
    const length = sequence(text.charCodeAt(i), text.charCodeAt(i + 1));
    if (length === 0 || i + length > text.length) return false;
    for (let k = 1; k < length; k++) if ((text.charCodeAt(i + k) & 0xc0) !== 0x80) return false;
    i += length;
  }
  return true;
}

/** Octets of the sequence that begins so; 0 where none may: overlong forms, surrogates and what lies above U+10FFFF. */
function sequence(first: number, second: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return (first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f) ? 0 : 3;
  return (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f) ? 0 : 4;
}
