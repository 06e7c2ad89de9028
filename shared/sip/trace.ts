/**
 * A bounded memory of SIP messages, for people who look for a fault: what came and went, in order, with secrets masked when it is
 * read. Pure. Header fields are shown by a list of those that are known to be harmless, never hidden by a list of those that
 * are known to be secret: a field that nobody thought of stays hidden.
 */
import { fromLatin1, latin1 } from '../kernel/bytes.ts';
import { headerKind } from './headers.ts';

export interface TraceEntry {
  /** Wall clock, ms. */
  readonly at: number;
  /** `in` and `out` as seen from here; `note` is an event that is no message. */
  readonly kind: 'in' | 'out' | 'note';
  /** `protocol address:port` of the other end. */
  readonly peer: string;
  readonly callId: string;
  readonly text: string;
}

/** Messages and octets that are kept at the most; the oldest give way. */
export const TRACE_LIMIT = { messages: 2_000, octets: 2 * 1024 * 1024 } as const;

const KINDS = ['in', 'out', 'note'] as const;

/** Octets with which the memory begins; it grows with what is kept. */
const FIRST_OCTETS = 16_384;

/**
 * Messages are kept as octets in one ring: as texts, thousands of them would outlive two collections each and be moved about every time.
 */
export class SipTrace {
  readonly #limit: { readonly messages: number; readonly octets: number };
  #ring = new Uint8Array(0);
  /** Where the next message goes. */
  #end = 0;
  /** Of each message, in slots that are used again and again: when it was, of what kind, and where its octets lie. */
  readonly #at: Float64Array;
  readonly #kind: Uint8Array;
  readonly #from: Int32Array;
  readonly #length: Int32Array;
  readonly #peers: string[] = [];
  /** By slot. */
  readonly #notes = new Map<number, { readonly callId: string; readonly text: string }>();
  /** The oldest slot, and how many are taken from there on. */
  #first = 0;
  #size = 0;

  constructor(limit: { readonly messages: number; readonly octets: number } = TRACE_LIMIT) {
    this.#limit = limit;
    this.#at = new Float64Array(limit.messages);
    this.#kind = new Uint8Array(limit.messages);
    this.#from = new Int32Array(limit.messages);
    this.#length = new Int32Array(limit.messages);
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps a message as it went over the wire: its octets, or one character for each. */
  message(kind: 'in' | 'out', peer: string, said: string | Uint8Array, at: number): void {
    const from = this.#room(said.length);
    if (from === undefined) return;
    this.#ring.set(typeof said === 'string' ? fromLatin1(said) : said, from);
    this.#keep(at, kind, peer, from, said.length);
  }

  /** Keeps an event of a call. */
  note(callId: string, text: string, at: number): void {
    const from = this.#room(text.length);
    if (from !== undefined) this.#notes.set(this.#keep(at, 'note', '', from, text.length), { callId, text });
  }

  /** What was kept of these calls, oldest first; the texts as they went over the wire. */
  of(callIds: ReadonlySet<string>): TraceEntry[] {
    return this.all().filter((entry) => callIds.has(entry.callId));
  }

  all(): TraceEntry[] {
    const entries: TraceEntry[] = [];
    for (let i = 0; i < this.#size; i++) {
      const slot = (this.#first + i) % this.#limit.messages;
      const [at = 0, from = 0, length = 0] = [this.#at[slot], this.#from[slot], this.#length[slot]];
      const [kind = 'note', peer = ''] = [KINDS[this.#kind[slot] ?? 0], this.#peers[slot]];
      const note = this.#notes.get(slot);
      const text = note?.text ?? latin1(this.#ring.subarray(from, from + length));
      entries.push({ at, kind, peer, text, callId: note?.callId ?? callIdOf(text) });
    }
    return entries;
  }

  #keep(at: number, kind: TraceEntry['kind'], peer: string, from: number, length: number): number {
    if (this.#size === this.#limit.messages) this.#drop();
    const slot = (this.#first + this.#size++) % this.#limit.messages;
    this.#at[slot] = at;
    this.#kind[slot] = KINDS.indexOf(kind);
    this.#from[slot] = from;
    this.#length[slot] = length;
    this.#peers[slot] = peer;
    return slot;
  }

  #drop(): void {
    if (this.#notes.size > 0) this.#notes.delete(this.#first);
    this.#first = (this.#first + 1) % this.#limit.messages;
    this.#size--;
  }

  /** Where the oldest message that is kept begins; -1 where there is none. */
  get #oldest(): number {
    return this.#size === 0 ? -1 : (this.#from[this.#first] ?? -1);
  }

  /** A place for so many octets; the oldest messages give way. Undefined where there can be none: then nothing is kept. */
  #room(length: number): number | undefined {
    // What has no octets takes one, so that no two begin at the same place.
    const wanted = Math.max(length, 1);
    if (wanted > this.#limit.octets) {
      while (this.#size > 0) this.#drop();
      return undefined;
    }
    if (this.#end + wanted > this.#ring.length) this.#grow(wanted);
    if (this.#end + wanted > this.#ring.length) {
      // What lies behind the end is older than what lies at the beginning.
      while (this.#oldest >= this.#end) this.#drop();
      this.#end = 0;
    }
    const from = this.#end;
    this.#end += wanted;
    while (this.#oldest >= from && this.#oldest < this.#end) this.#drop();
    return from;
  }

  #grow(wanted: number): void {
    const size = Math.min(this.#limit.octets, Math.max(2 * this.#ring.length, this.#end + wanted, FIRST_OCTETS));
    if (size === this.#ring.length) return;
    const larger = new Uint8Array(size);
    larger.set(this.#ring);
    this.#ring = larger;
  }
}

/** One line of a time line as people see it. */
export interface TraceLine {
  readonly at: number;
  readonly kind: TraceEntry['kind'];
  readonly peer: string;
  readonly summary: string;
  /** Masked; empty for a note. */
  readonly text: string;
}

/** Octets of one header field, of one message, and of a whole time line, that are shown. */
export const SHOWN_TEXT = 1_024;
const SHOWN_MESSAGE = 4_096;
const SHOWN_LINES = 40 * 1024;

/** Entries as people may read them, in the room of one packet: of a very long time line the middle is left out. */
export function timeLine(entries: readonly TraceEntry[]): TraceLine[] {
  const lines = entries.map(({ at, kind, peer, text }) => ({
    at: Math.max(0, Math.floor(at)),
    kind,
    peer,
    summary: withoutPasswords(kind === 'note' ? text : summaryOf(text)),
    text: kind === 'note' ? '' : masked(text).slice(0, SHOWN_MESSAGE),
  }));
  const octets = (list: readonly TraceLine[]) =>
    list.reduce((sum, { text, summary }) => sum + text.length + summary.length + 100, 0);
  /** Texts go first, from the middle outwards; then lines, so that beginning and end are always there. */
  for (let keep = lines.length; keep > 0; keep = Math.floor(keep / 2)) {
    const half = Math.ceil(keep / 2);
    const list = lines.map((line, i) => (i < half || i >= lines.length - half ? line : { ...line, text: '' }));
    if (octets(list) <= SHOWN_LINES) return list;
  }
  const bare = lines.map((line) => ({ ...line, text: '' }));
  for (let keep = bare.length; keep > 2; keep = Math.floor(keep / 2)) {
    const half = Math.ceil(keep / 2);
    const cut = [...bare.slice(0, half), ...bare.slice(Math.max(half, bare.length - half))];
    if (octets(cut) <= SHOWN_LINES) return cut;
  }
  return bare.slice(0, 2);
}

/** The Call-ID of a message as text; empty where it has none. */
export function callIdOf(text: string): string {
  return /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(head(text))?.[1] ?? '';
}

/** A message in a few words: `INVITE sip:700@…`, `200 OK (INVITE)`, with SDP named. */
export function summaryOf(text: string): string {
  const first = text.slice(0, text.indexOf('\r\n') < 0 ? 200 : text.indexOf('\r\n')).slice(0, 200);
  const sdp = /^(?:content-type|c)[ \t]*:[ \t]*application\/sdp/im.test(head(text)) ? ' +SDP' : '';
  const status = /^SIP\/2\.0 ([0-9]{3}) (.*)$/.exec(first);
  if (status === null) return `${first.replace(/ SIP\/2\.0$/, '')}${sdp}`;
  const method = /^cseq[ \t]*:[ \t]*[0-9]+[ \t]+(\S+)/im.exec(head(text))?.[1];
  return `${status[1]} ${status[2]}${method === undefined ? '' : ` (${method})`}${sdp}`;
}

const head = (text: string): string => {
  const end = text.indexOf('\r\n\r\n');
  return end < 0 ? text : text.slice(0, end);
};

/** Fields whose values tell no secret and no content, lower case, long form. */
const SHOWN = new Set(
  (
    'via from to contact call-id cseq max-forwards route record-route path service-route expires min-expires content-type ' +
    'content-length allow supported require proxy-require unsupported accept user-agent server reason join replaces retry-after warning ' +
    'session-expires min-se rseq rack event subscription-state p-asserted-identity privacy date refer-to referred-by diversion'
  ).split(' '),
);
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'www-authenticate', 'proxy-authenticate']);
/** SDP lines whose values are shown; of the attributes those below. */
const SDP_LINES = 'voctmbrz';
const SDP_ATTRIBUTES =
  /^a=(?:rtpmap|fmtp|ptime|maxptime|sendrecv|sendonly|recvonly|inactive|rtcp|rtcp-mux|mid|setup|group)\b/;

/** The message as people may read it: keys, digests, passwords and message contents are replaced by words in brackets. */
export function masked(text: string): string {
  const end = text.indexOf('\r\n\r\n');
  const [start = '', ...fields] = (end < 0 ? text : text.slice(0, end)).replace(/\r\n[ \t]+/g, ' ').split('\r\n');
  const type = /^(?:content-type|c)[ \t]*:[ \t]*([^;\s]+)/im.exec(fields.join('\r\n'))?.[1]?.toLowerCase();
  const body = end < 0 ? '' : text.slice(end + 4);
  const lines = [withoutPasswords(start)];
  let octets = 0;
  for (const field of fields) {
    // Nobody is shown more.
    if (octets > SHOWN_MESSAGE) break;
    const line = maskField(field);
    octets += line.length;
    lines.push(line);
  }
  const shown = lines.join('\r\n');
  if (body === '') return `${shown}\r\n\r\n`;
  return `${shown}\r\n\r\n${type === 'application/sdp' ? maskSdp(body) : `(${body.length} octets of ${type ?? 'unknown content'})`}`;
}

function maskField(line: string): string {
  const colon = line.indexOf(':');
  if (colon < 0) return '(hidden)';
  const name = line.slice(0, colon).trim();
  const long = (headerKind(name)?.name ?? name).toLowerCase();
  const value = line.slice(colon + 1).trim();
  if (CREDENTIALS.has(long)) {
    const scheme = /^[A-Za-z]+/.exec(value)?.[0] ?? '';
    const told = [...value.matchAll(/\b(?:username|realm|stale|algorithm)="?[^",]*"?/g)].map((match) => match[0]);
    return `${name}: ${scheme} ${told.join(', ')} (rest hidden)`;
  }
  return SHOWN.has(long) ? `${name}: ${withoutPasswords(value)}` : `${name}: (hidden)`;
}

/**
 * The PIN that a phone dialled in a code (`*33*PIN*number`, `*34*PIN*classes#`, `#34*PIN#`, `*35*PIN*new*new#`, see `docs/features.md`) is
 * its owner's: whoever sees what was dialled, on a lamp, in a list or a trace, sees it so.
 */
export function withoutPin(text: string): string {
  return text
    .replace(/((?:[*#]|%2[a3])3[34](?:\*|%2a))[^*#%@;\s<>"]+/gi, '$1(hidden)')
    .replace(/((?:\*|%2a)35(?:\*|%2a))[^@;\s<>"]+/gi, '$1(hidden)');
}

/** `sip:user:password@host` loses the password; embedded headers and unknown URI parameters go whole, and so does a text longer than people read. */
function withoutPasswords(text: string): string {
  // What is looked for here takes a time that grows with the square of the length.
  if (text.length > SHOWN_TEXT) return `(${text.length} octets hidden)`;
  return withoutPin(text)
    .replace(/\b(sips?:[^:@\s<>;]*):[^@\s<>;]*@/gi, '$1:(hidden)@')
    .replace(/\b((?:sips?|https?|tel):[^\s<>?]*)\?[^\s<>]*/gi, '$1?(hidden)')
    .replace(/\b(https?:\/\/)[^@/\s<>]*@/gi, '$1(hidden)@')
    .replace(/;([A-Za-z-]*(?:token|key|secret|password|pass|auth)[A-Za-z-]*)=[^;>\s,]*/gi, ';$1=(hidden)');
}

function maskSdp(body: string): string {
  return body
    .split(/\r?\n/)
    .map((line) => {
      if (line === '') return line;
      if (line.startsWith('a=')) return SDP_ATTRIBUTES.test(line) ? line : `${line.split(':')[0]}:(hidden)`;
      return SDP_LINES.includes(line[0] ?? '') ? line : `${line.slice(0, 2)}(hidden)`;
    })
    .join('\r\n');
}
