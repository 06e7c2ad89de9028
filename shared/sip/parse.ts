/**
 * From octets (one character each) to a message, in a single pass: it finds lines and names and keeps offsets; values are read
 * when somebody asks. What it judges is the frame: start line, header syntax, caps, Content-Length. The meaning is judged by
 * `validate`. Time is linear in the length whatever the content.
 */

import type { Field } from './fields.ts';
import { CONTENT_LENGTH, HEADERS, type HeaderKind, headerKind } from './headers.ts';
import { SipMessage } from './message.ts';
import { methodAt } from './methods.ts';
import { decimal, isDigits, isToken, trimmed } from './params.ts';

/** The longest message, octets. */
export const MESSAGE_LIMIT = 65_536;
/** The most header lines of one message. */
export const HEADER_LIMIT = 256;

/**
 * `message` of a refusal is what could be read: of a request enough to answer it, of a response enough for `plainFinal`; absent where
 * there is nothing to be known by.
 */
export type Parsed =
  | { readonly ok: true; readonly message: SipMessage }
  | { readonly ok: false; readonly status: number; readonly reason: string; readonly message?: SipMessage };

interface Fault {
  readonly status: number;
  readonly reason: string;
}

const refuse = (status: number, reason: string): Fault => ({ status, reason });

/** Reads one whole message, as a datagram or a framed piece of a stream carries it. */
export function parse(text: string): Parsed {
  if (text.length > MESSAGE_LIMIT) return { ok: false, status: 513, reason: 'Message Too Large' };
  let at = 0;
  while (text.charCodeAt(at) === 13 && text.charCodeAt(at + 1) === 10) at += 2;
  const lineEnd = text.indexOf('\r\n', at);
  if (lineEnd < 0) return { ok: false, status: 400, reason: 'No Start Line' };
  const start = startLine(text.slice(at, lineEnd));
  if (start === undefined) return { ok: false, status: 400, reason: 'Malformed Start Line' };
  const { message } = start;
  const reader = new HeaderReader(text, lineEnd + 2, message.fields);
  const headerFault = reader.read();
  const bodyFault = reader.complete ? takeBody(message, text, reader.at) : undefined;
  const fault = start.fault ?? headerFault ?? bodyFault;
  if (fault === undefined) return { ok: true, message };
  dropNul(message.fields);
  return { ok: false, ...fault, message };
}

/** Neither a refusal nor what is passed on of a response may send a NUL. */
function dropNul(fields: Field[]): void {
  const clean = fields.filter(({ text, start, end }) => !text.slice(start, end).includes('\0'));
  fields.splice(0, fields.length, ...clean);
}

interface StartLine {
  /** Without headers yet. */
  readonly message: SipMessage;
  readonly fault: Fault | undefined;
}

/** A start line; undefined: not SIP at all, nothing to answer. */
function startLine(line: string): StartLine | undefined {
  // No method has a slash there.
  return line.charCodeAt(3) === 47 ? statusLine(line) : requestLine(line);
}

function statusLine(line: string): StartLine | undefined {
  const digits = line.slice(8, 11);
  // In any case (section 7.1).
  if (!line.startsWith('SIP/2.0 ') && line.slice(0, 8).toUpperCase() !== 'SIP/2.0 ') return undefined;
  if (!isDigits(digits) || digits.length !== 3) return undefined;
  if (line.length > 11 && line.charCodeAt(11) !== 32) return undefined;
  const status = Number(digits);
  if (status < 100 || status > 699) return undefined;
  return { message: new SipMessage('response', '', '', status, line.slice(12), [], ''), fault: undefined };
}

function requestLine(line: string): StartLine | undefined {
  const first = line.indexOf(' ');
  const last = line.lastIndexOf(' ');
  if (first <= 0 || last === first) return damagedRequestLine(line);
  const method = methodAt(line, 0, first);
  const version = line.slice(last + 1).toUpperCase();
  if (!isToken(method)) return undefined;
  const uri = line.slice(first + 1, last);
  const message = new SipMessage('request', method, uri, 0, '', [], '');
  if (version === 'SIP/2.0') {
    const clean = uri.length > 0 && !uri.includes(' ') && !uri.includes('\t');
    return { message, fault: clean ? undefined : refuse(400, 'Malformed Request Line') };
  }
  if (!version.startsWith('SIP/')) return damagedRequestLine(line);
  return { message, fault: refuse(505, 'Version Not Supported') };
}

/** A line that begins with a method and holds `SIP/` further on is a request that can be answered 400; others are no SIP. */
function damagedRequestLine(line: string): StartLine | undefined {
  const whole = trimmed(line, 0, line.length);
  const space = whole.indexOf(' ');
  if (!line.includes(' SIP/') || space <= 0 || !isToken(whole.slice(0, space))) return undefined;
  const message = new SipMessage('request', whole.slice(0, space), '', 0, '', [], '');
  return { message, fault: refuse(400, 'Malformed Request Line') };
}

/** Usual spellings by a hash that the search for the colon yields on the way. */
const SLOTS = 1024;
const usual: (HeaderKind | undefined)[] = new Array(SLOTS).fill(undefined);
for (const kind of HEADERS) {
  let hash = 0;
  for (let i = 0; i < kind.name.length; i++) hash = (hash * 31 + kind.name.charCodeAt(i)) & (SLOTS - 1);
  usual[hash] ??= kind;
}

/** Reads header lines until the empty one. */
class HeaderReader {
  /** Behind the empty line once `complete`. */
  at: number;
  complete = false;
  readonly #text: string;
  readonly #fields: Field[];

  /** Fields that are read are appended to `fields`. */
  constructor(text: string, at: number, fields: Field[]) {
    this.#text = text;
    this.at = at;
    this.#fields = fields;
  }

  /** The first fault met, if any; it reads on behind a fault, so that the request can be answered. */
  read(): Fault | undefined {
    const text = this.#text;
    let fault: Fault | undefined;
    for (let lines = 0; ; lines++) {
      const end = text.indexOf('\r', this.at);
      if (end < 0) return fault ?? refuse(400, 'Missing End Of Headers');
      if (text.charCodeAt(end + 1) !== 10 || text.indexOf('\n', this.at) !== end + 1) {
        return fault ?? refuse(400, 'Bare Line Break');
      }
      if (end === this.at) {
        this.at = end + 2;
        this.complete = true;
        return fault ?? (hasBareNul(text, end) ? refuse(400, 'NUL In Header') : undefined);
      }
      if (lines >= HEADER_LIMIT) return fault ?? refuse(400, 'Too Many Headers');
      const found = this.#line(end);
      fault ??= found;
    }
  }

  /** Takes the line that ends at `end`, with the folded ones behind it. */
  #line(end: number): Fault | undefined {
    const text = this.#text;
    const start = this.at;
    this.at = end + 2;
    let colon = start;
    let hash = 0;
    for (let code = 0; colon < end; colon++) {
      code = text.charCodeAt(colon);
      if (code === 58) break;
      hash = (hash * 31 + code) & (SLOTS - 1);
    }
    const next = text.charCodeAt(this.at);
    const folded = next === 32 || next === 9 ? this.#unfold(start, end) : undefined;
    if (colon === end) return refuse(400, 'Malformed Header');
    let kind = usual[hash];
    let spelled = '';
    if (kind === undefined || kind.name.length !== colon - start || !text.startsWith(kind.name, start)) {
      spelled = withoutTrail(text.slice(start, colon));
      kind = headerKind(spelled);
      if (kind === undefined && !isToken(spelled)) return refuse(400, 'Malformed Header');
    }
    const source = folded ?? text;
    let from = folded === undefined ? colon + 1 : colon + 1 - start;
    let to = folded === undefined ? end : folded.length;
    while (from < to && isBlank(source.charCodeAt(from))) from++;
    while (to > from && isBlank(source.charCodeAt(to - 1))) to--;
    // Written again, it is the same where it is spelled so and nothing but one space stands around the value.
    const steady = spelled === '' && folded === undefined && from === colon + 2 && to === end;
    const line = steady && text.charCodeAt(colon + 1) === 32 ? start : -1;
    this.#fields.push({ id: kind?.id ?? 0, name: kind?.name ?? spelled, text: source, start: from, end: to, line });
    return undefined;
  }

  /** Joins folded lines by one space each (RFC 3261 section 7.3.1) and moves `at` behind them. */
  #unfold(start: number, end: number): string {
    const text = this.#text;
    const pieces = [text.slice(start, end)];
    for (;;) {
      const code = text.charCodeAt(this.at);
      const stop = text.indexOf('\r', this.at);
      const whole = stop >= 0 && text.charCodeAt(stop + 1) === 10 && text.indexOf('\n', this.at) === stop + 1;
      if ((code !== 32 && code !== 9) || !whole) return pieces.join(' ');
      pieces.push(trimmed(text, this.at, stop));
      this.at = stop + 2;
    }
  }
}

/** A NUL before `end` that no backslash quotes (RFC 3261 section 25.1 allows it in a quoted-pair only). */
function hasBareNul(text: string, end: number): boolean {
  for (let at = text.indexOf('\0'); at >= 0 && at < end; at = text.indexOf('\0', at + 1)) {
    if (text.charCodeAt(at - 1) !== 92) return true;
  }
  return false;
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

/** A header name may be followed by white space, not preceded by it (RFC 3261 section 25.1, HCOLON). */
function withoutTrail(name: string): string {
  let end = name.length;
  while (end > 0 && isBlank(name.charCodeAt(end - 1))) end--;
  return name.slice(0, end);
}

/** Cuts the body by Content-Length (RFC 3261 section 18.3): octets beyond it are none of the message's. */
function takeBody(message: SipMessage, text: string, at: number): Fault | undefined {
  const available = text.length - at;
  for (const field of message.fields) {
    if (field.id !== CONTENT_LENGTH) continue;
    const length = decimal(field.text.slice(field.start, field.end), Number.MAX_SAFE_INTEGER);
    if (length === undefined) return refuse(400, 'Bad Content-Length');
    if (length > available) return refuse(400, 'Body Shorter Than Content-Length');
    message.body = text.slice(at, at + length);
    return undefined;
  }
  message.body = text.slice(at);
  return undefined;
}
