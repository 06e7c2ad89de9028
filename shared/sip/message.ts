/**
 * One SIP message: start line, header fields in their order, body. A parsed message keeps offsets into the received text and
 * reads values when they are asked for; a changed field becomes a text of its own, the others stay slices of the original.
 */
import { FieldList } from './field-list.ts';
import { asField, type Field, type Header, knownField, makeField, oneLine } from './fields.ts';
import { CALL_ID, CONTACT, CSEQ, EXPIRES, FROM, MAX_FORWARDS, RECORD_ROUTE, ROUTE, TO, VIA } from './headers.ts';
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
export class SipMessage extends FieldList {
  readonly kind: 'request' | 'response';
  /** Request-URI; empty for a response. */
  uri: string;
  /** 0 for a request. */
  status: number;
  reason: string;
  /** One character per octet. */
  body: string;
  #method: string;
  #vias: Via[] | undefined;
  #viasWhole = true;
  /** null: there is none. */
  #topVia: Via | null | undefined;
  /** How many Via values there are, where that is known. */
  #viaCount: number | undefined;
  #from: NameAddr | undefined;
  #to: NameAddr | undefined;
  #contacts: NameAddr[] | undefined;
  #cseq: { readonly n: number; readonly method: string } | undefined;
  #callId: string | undefined;
  /** Tags; null: there is none. */
  #fromTag: string | null | undefined;
  #toTag: string | null | undefined;
  /** Where they are null there is no parameter of that name at all. */
  #tagsWhole = false;

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
    super(fields);
    this.kind = kind;
    this.#method = method;
    this.uri = uri;
    this.status = status;
    this.reason = reason;
    this.body = body;
  }

  /** The request's method; of a response that of its CSeq (empty where that is malformed). */
  get method(): string {
    return this.kind === 'request' ? this.#method : this.cseq.method;
  }

  /** Puts a Via of ours before all others. */
  pushVia(value: string): void {
    this.fields.unshift(knownField(VIA, value));
    this.changed(VIA);
  }

  /** Replaces the first Via value. */
  setTopVia(value: string): void {
    const at = this.fields.findIndex((field) => field.id === VIA);
    const field = this.fields[at];
    if (field === undefined || field.text.slice(field.start, field.end).includes(',')) this.setFirst('Via', value);
    else {
      this.fields[at] = knownField(VIA, value);
      this.changed(VIA);
    }
  }

  /** What the judge of usual messages has read on its way. */
  took(via: Via, vias: number, callId: string, cseq: { readonly n: number; readonly method: string }): void {
    this.#topVia = via;
    this.#viaCount = vias;
    this.#callId = callId;
    this.#cseq = cseq;
  }

  /** The same of the tags; undefined where there is none. */
  tookTags(from: string | undefined, to: string | undefined): void {
    this.#fromTag = from ?? null;
    this.#toTag = to ?? null;
    this.#tagsWhole = true;
  }

  /** To has a tag, if perhaps an empty one. */
  get hasToTag(): boolean {
    return this.toTag !== undefined || (!this.#tagsWhole && this.to.params.has('tag'));
  }

  /** Every Via value, topmost first; malformed ones are left out (`validate` refuses such a message). */
  get vias(): Via[] {
    if (this.#vias === undefined) {
      const values = this.list(VIA);
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
      const [value = ''] = splitList(this.first(VIA) ?? '');
      this.#topVia = parseVia(value) ?? parseVia(value.slice(0, Math.max(value.indexOf(';'), 0))) ?? null;
    }
    return this.#topVia ?? undefined;
  }

  /** There is more than one Via. */
  get hasFurtherVia(): boolean {
    this.#viaCount ??= this.list(VIA).length;
    return this.#viaCount > 1;
  }

  /** Empty address where absent or malformed (`validate` refuses such a message). */
  get from(): NameAddr {
    this.#from ??= parseNameAddr(this.first(FROM) ?? '') ?? nobody();
    return this.#from;
  }

  get to(): NameAddr {
    this.#to ??= parseNameAddr(this.first(TO) ?? '') ?? nobody();
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
    return this.first(CONTACT) === '*';
  }

  get routes(): NameAddr[] {
    return this.#addresses(ROUTE);
  }

  get recordRoutes(): NameAddr[] {
    return this.#addresses(RECORD_ROUTE);
  }

  /** Sequence number and method; 0 and empty where absent or malformed. */
  get cseq(): { readonly n: number; readonly method: string } {
    this.#cseq ??= parseCSeq(this.first(CSEQ) ?? '') ?? { n: 0, method: '' };
    return this.#cseq;
  }

  get callId(): string {
    this.#callId ??= this.first(CALL_ID) ?? '';
    return this.#callId;
  }

  /** Seconds of the Expires header; undefined where absent or not digits; a huge number counts as 2^32 - 1. */
  get expires(): number | undefined {
    return deltaSeconds(this.first(EXPIRES));
  }

  get maxForwards(): number | undefined {
    return decimal(this.first(MAX_FORWARDS) ?? '', 255);
  }

  /** A copy that can be changed without the original. */
  clone(): SipMessage {
    return new SipMessage(this.kind, this.#method, this.uri, this.status, this.reason, this.fields.slice(), this.body);
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

  #addresses(id: number): NameAddr[] {
    const addresses: NameAddr[] = [];
    for (const value of this.list(id)) {
      const address = value === '*' ? undefined : parseNameAddr(value);
      if (address !== undefined) addresses.push(address);
    }
    return addresses;
  }

  /** What was read of a field that changes. */
  protected override changed(id: number): void {
    switch (id) {
      case VIA:
        this.#vias = undefined;
        this.#topVia = undefined;
        this.#viaCount = undefined;
        return;
      case FROM:
        this.#from = undefined;
        this.#fromTag = undefined;
        return;
      case TO:
        this.#to = undefined;
        this.#toTag = undefined;
        this.#tagsWhole = false;
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
 * A response to `request` (RFC 3261 section 8.2.6.2): Via, From, To, Call-ID, CSeq as they came, of repeated ones the first. `tag` is put
 * on the To; without it the tag is the caller's to add.
 */
export function newResponse(
  request: SipMessage,
  status: number,
  reason: string = reasonPhrase(status),
  headers: readonly Header[] = [],
  tag?: string,
): SipMessage {
  const routed = status > 100 && status < 300 && DIALOG_FORMING.has(request.method);
  const fields: Field[] = [];
  let seen = 0;
  let vias = 0;
  for (const field of request.fields) {
    const { id } = field;
    if (id === FROM || id === TO || id === CALL_ID || id === CSEQ) {
      if ((seen & (1 << id)) === 0) fields.push(id === TO && tag !== undefined ? withTag(field, tag) : field);
      seen |= 1 << id;
    } else if (id === VIA) {
      if (vias++ < VIA_LINES) fields.push(field);
    } else if (id === RECORD_ROUTE && routed) fields.push(field);
    else if (status === 100 && field.name === 'Timestamp') fields.push(field);
  }
  for (const header of headers) fields.push(asField(header));
  return new SipMessage('response', '', '', status, oneLine(reason), fields, '');
}

const withTag = ({ text, start, end }: Field, tag: string): Field =>
  knownField(TO, `${text.slice(start, end)};tag=${tag}`);
