/**
 * One SIP message: start line, header fields in their order, body. A parsed message keeps offsets into the received text and
 * reads values when they are asked for; a changed field becomes a text of its own, the others stay slices of the original.
 */
import { type Field, isNamed, makeField, oneLine, sameName } from './fields.ts';
import {
  CALL_ID,
  CONTACT,
  CSEQ,
  EXPIRES,
  FROM,
  headerKind,
  MAX_FORWARDS,
  RECORD_ROUTE,
  ROUTE,
  TO,
  VIA,
} from './headers.ts';
import { decimal, splitList } from './params.ts';
import { deltaSeconds, parseCSeq } from './scalars.ts';
import { reasonPhrase } from './status.ts';
import { type NameAddr, parseNameAddr } from './uri.ts';
import { NO_TAG, NOT_USUAL, usualAddress } from './usual.ts';
import { parseVia, type Via } from './via.ts';

export { reasonPhrase } from './status.ts';
export type { NameAddr } from './uri.ts';
export { type Via, writeVia } from './via.ts';

const nobody = (): NameAddr => ({ display: '', uri: '', params: new Map() });
export class SipMessage {
  readonly kind: 'request' | 'response';
  /** Request-URI; empty for a response. */
  uri: string;
  /** 0 for a request. */
  status: number;
  reason: string;
  /** One character per octet. */
  body: string;
  /** For writer and parser; others use the methods. */
  readonly fields: Field[];
  #method: string;
  #vias: Via[] | undefined;
  #viasWhole = true;
  /** null: there is none. */
  #topVia: Via | null | undefined;
  #from: NameAddr | undefined;
  #to: NameAddr | undefined;
  #contacts: NameAddr[] | undefined;
  #cseq: { readonly n: number; readonly method: string } | undefined;
  #callId: string | undefined;
  /** Tags; null: there is none. */
  #fromTag: string | null | undefined;
  #toTag: string | null | undefined;

  /** `method` is empty for a response; there it is read from CSeq. */
  constructor(
    kind: 'request' | 'response',
    method: string,
    uri: string,
    status: number,
    reason: string,
    fields: Field[],
    body: string,
  ) {
    this.kind = kind;
    this.#method = method;
    this.uri = uri;
    this.status = status;
    this.reason = reason;
    this.fields = fields;
    this.body = body;
  }

  /** The request's method; of a response that of its CSeq (empty where that is malformed). */
  get method(): string {
    return this.kind === 'request' ? this.#method : this.cseq.method;
  }

  /** The first value of that name (any case, long or compact): raw and trimmed; of a comma list the whole first line. */
  header(name: string): string | undefined {
    const kind = headerKind(name);
    return kind === undefined ? this.#unknown(name) : this.#first(kind.id);
  }

  /** Every value of that name in order; lines of list headers are split at their top-level commas. */
  headerAll(name: string): string[] {
    const kind = headerKind(name);
    if (kind?.list) return this.#list(kind.id);
    const lower = name.toLowerCase();
    const values: string[] = [];
    for (const field of this.fields) {
      if (isNamed(field, kind, lower)) values.push(field.text.slice(field.start, field.end));
    }
    return values;
  }

  /** Replaces all values of that name by one line, in the place of the first; appends where there is none. */
  set(name: string, value: string): void {
    const field = makeField(name, value);
    const at = this.#place(field);
    if (at < 0) this.fields.push(field);
    else {
      this.fields[at] = field;
      this.#keep((one, i) => i <= at || !sameName(one, field));
    }
    this.#forget(field.id);
  }

  /** Appends a line. */
  add(name: string, value: string): void {
    const field = makeField(name, value);
    this.fields.push(field);
    this.#forget(field.id);
  }

  /** Puts a line before the first of that name; before all others where there is none. */
  prepend(name: string, value: string): void {
    const field = makeField(name, value);
    this.fields.splice(Math.max(this.#place(field), 0), 0, field);
    this.#forget(field.id);
  }

  /** Removes every line of that name. */
  remove(name: string): void {
    const kind = headerKind(name);
    const lower = name.toLowerCase();
    this.#keep((field) => !isNamed(field, kind, lower));
    this.#forget(kind?.id ?? 0);
  }

  /** Where the first line of that name stands; -1 where there is none. */
  #place(field: Field): number {
    for (let i = 0; i < this.fields.length; i++) {
      const one = this.fields[i];
      if (one !== undefined && sameName(one, field)) return i;
    }
    return -1;
  }

  #keep(stays: (field: Field, at: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.fields.length; i++) {
      const field = this.fields[i];
      if (field !== undefined && stays(field, i)) this.fields[kept++] = field;
    }
    this.fields.length = kept;
  }

  /** Replaces the first value (not line) of that name and keeps the others; undefined removes it. */
  setFirst(name: string, value: string | undefined): void {
    const rest = this.headerAll(name).slice(1);
    const values = value === undefined ? rest : [value, ...rest];
    if (values.length === 0) {
      this.remove(name);
      return;
    }
    const kind = headerKind(name);
    if (kind?.list) this.set(name, values.join(', '));
    else {
      this.set(name, values[0] ?? '');
      for (const other of rest) this.add(name, other);
    }
  }

  /** Every Via value, topmost first; malformed ones are left out (`validate` refuses such a message). */
  get vias(): Via[] {
    if (this.#vias === undefined) {
      const values = this.#list(VIA);
      const vias: Via[] = [];
      for (const value of values) {
        const via = parseVia(value);
        if (via !== undefined) vias.push(via);
      }
      this.#vias = vias;
      this.#viasWhole = vias.length === values.length;
    }
    return this.#vias;
  }

  /** There is a Via, and every one can be read. */
  get viasWhole(): boolean {
    return this.vias.length > 0 && this.#viasWhole;
  }

  /**
   * The first Via value. Where its parameters are malformed, what stands before them, so that the refusal finds its way; undefined
   * where there is none or it names no host.
   */
  get topVia(): Via | undefined {
    if (this.#topVia === undefined && this.#vias !== undefined && this.#viasWhole) this.#topVia = this.#vias[0] ?? null;
    if (this.#topVia === undefined) {
      const [value = ''] = splitList(this.#first(VIA) ?? '');
      this.#topVia = parseVia(value) ?? parseVia(value.slice(0, Math.max(value.indexOf(';'), 0))) ?? null;
    }
    return this.#topVia ?? undefined;
  }

  /** Empty address where absent or malformed (`validate` refuses such a message). */
  get from(): NameAddr {
    this.#from ??= parseNameAddr(this.#first(FROM) ?? '') ?? nobody();
    return this.#from;
  }

  get to(): NameAddr {
    this.#to ??= parseNameAddr(this.#first(TO) ?? '') ?? nobody();
    return this.#to;
  }

  /** The tag of From; undefined where it has none. */
  get fromTag(): string | undefined {
    if (this.#fromTag === undefined) this.#fromTag = this.#tagOf(FROM, () => this.from);
    return this.#fromTag ?? undefined;
  }

  get toTag(): string | undefined {
    if (this.#toTag === undefined) this.#toTag = this.#tagOf(TO, () => this.to);
    return this.#toTag ?? undefined;
  }

  /** Contact addresses in order, without `*` and malformed ones. */
  get contacts(): NameAddr[] {
    this.#contacts ??= this.#addresses(CONTACT);
    return this.#contacts;
  }

  /** Contact is `*` (RFC 3261 section 10.2.2). */
  get contactStar(): boolean {
    return this.#first(CONTACT) === '*';
  }

  get routes(): NameAddr[] {
    return this.#addresses(ROUTE);
  }

  get recordRoutes(): NameAddr[] {
    return this.#addresses(RECORD_ROUTE);
  }

  /** Sequence number and method; 0 and empty where absent or malformed. */
  get cseq(): { readonly n: number; readonly method: string } {
    this.#cseq ??= parseCSeq(this.#first(CSEQ) ?? '') ?? { n: 0, method: '' };
    return this.#cseq;
  }

  get callId(): string {
    this.#callId ??= this.#first(CALL_ID) ?? '';
    return this.#callId;
  }

  /** Seconds of the Expires header; undefined where absent or not digits; a huge number counts as 2^32 - 1. */
  get expires(): number | undefined {
    return deltaSeconds(this.#first(EXPIRES));
  }

  get maxForwards(): number | undefined {
    return decimal(this.#first(MAX_FORWARDS) ?? '', 255);
  }

  /** A copy that can be changed without the original. */
  clone(): SipMessage {
    return new SipMessage(this.kind, this.#method, this.uri, this.status, this.reason, this.fields.slice(), this.body);
  }

  #first(id: number): string | undefined {
    for (const field of this.fields) if (field.id === id) return field.text.slice(field.start, field.end);
    return undefined;
  }

  /** Of an address of the usual form the tag is read where it stands; any other is read as a whole. */
  #tagOf(id: number, read: () => NameAddr): string | null {
    for (const { id: one, text, start, end } of this.fields) {
      if (one !== id) continue;
      const at = usualAddress(text, start, end);
      if (at === NOT_USUAL) break;
      return at === NO_TAG ? null : text.slice(at, end);
    }
    return read().params.get('tag') ?? null;
  }

  #unknown(name: string): string | undefined {
    const lower = name.toLowerCase();
    for (const field of this.fields) {
      if (field.id === 0 && field.name.toLowerCase() === lower) return field.text.slice(field.start, field.end);
    }
    return undefined;
  }

  #addresses(id: number): NameAddr[] {
    const addresses: NameAddr[] = [];
    for (const value of this.#list(id)) {
      const address = value === '*' ? undefined : parseNameAddr(value);
      if (address !== undefined) addresses.push(address);
    }
    return addresses;
  }

  /** Values of a list header over all its lines. */
  #list(id: number): string[] {
    let values: string[] | undefined;
    for (const field of this.fields) {
      if (field.id !== id) continue;
      const line = splitList(field.text.slice(field.start, field.end));
      if (values === undefined) values = line;
      else for (const value of line) values.push(value);
    }
    return values ?? [];
  }

  /** What was read of a field that changes. */
  #forget(id: number): void {
    switch (id) {
      case VIA:
        this.#vias = undefined;
        this.#topVia = undefined;
        return;
      case FROM:
        this.#from = undefined;
        this.#fromTag = undefined;
        return;
      case TO:
        this.#to = undefined;
        this.#toTag = undefined;
        return;
      case CONTACT:
        this.#contacts = undefined;
        return;
      case CSEQ:
        this.#cseq = undefined;
        return;
      case CALL_ID:
        this.#callId = undefined;
    }
  }
}

/** A request with those header lines, in that order. Content-Length is the writer's. */
export function newRequest(
  method: string,
  uri: string,
  headers: readonly (readonly [string, string])[],
  body = '',
): SipMessage {
  const fields = headers.map(([name, value]) => makeField(name, value));
  return new SipMessage('request', oneLine(method), oneLine(uri), 0, '', fields, body);
}

/** Methods whose 101..299 responses may make a dialog and therefore carry Record-Route (RFC 3261 section 12.1.1, 6665, 3515). */
const DIALOG_FORMING = new Set(['INVITE', 'SUBSCRIBE', 'REFER']);
/** Lines of Via that a response repeats: a request with more values is refused, and its refusal has to be readable. */
const VIA_LINES = 128;

/**
 * A response to `request` (RFC 3261 section 8.2.6.2): Via, From, To, Call-ID, CSeq as they came, of repeated ones the first; the To tag
 * is the caller's to add.
 */
export function newResponse(
  request: SipMessage,
  status: number,
  reason: string = reasonPhrase(status),
  headers: readonly (readonly [string, string])[] = [],
): SipMessage {
  const routed = status > 100 && status < 300 && DIALOG_FORMING.has(request.method);
  const fields: Field[] = [];
  let seen = 0;
  let vias = 0;
  for (const field of request.fields) {
    const { id } = field;
    if (id === FROM || id === TO || id === CALL_ID || id === CSEQ) {
      if ((seen & (1 << id)) === 0) fields.push(field);
      seen |= 1 << id;
    } else if (id === VIA) {
      if (vias++ < VIA_LINES) fields.push(field);
    } else if (id === RECORD_ROUTE && routed) fields.push(field);
    else if (status === 100 && field.name === 'Timestamp') fields.push(field);
  }
  for (const [name, value] of headers) fields.push(makeField(name, value));
  return new SipMessage('response', '', '', status, oneLine(reason), fields, '');
}
