/** The Distinguished Encoding Rules (ITU-T X.690) as far as certificates and requests need them. */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export type TagName = keyof typeof TAG;

/** The tag of an element `[n]` that holds others (context-specific, constructed). */
export const contextTag = (n: number): number => 0xa0 | n;

/** One element: identifier, length, content. */
export function element(tag: TagName | number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const head = [typeof tag === 'number' ? tag : TAG[tag]];
  if (length < 0x80) head.push(length);
  else if (length < 0x100) head.push(0x81, length);
  else if (length < 0x10000) head.push(0x82, length >> 8, length & 255);
  else throw new RangeError('no element of ours is that long');
  const octets = new Uint8Array(head.length + length);
  octets.set(head);
  let at = head.length;
  for (const part of content) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

/** Context-specific tag `[n]`, constructed unless `primitive`. */
export function context(n: number, primitive: boolean, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return element((primitive ? 0x80 : 0xa0) | n, ...content);
}

/** A non-negative integer from its octets, high octet first. */
export function integer(...octets: readonly number[]): Uint8Array<ArrayBuffer> {
  const [first = 0] = octets;
  return element('integer', Uint8Array.from(first >= 0x80 ? [0, ...octets] : octets));
}

export function oid(dotted: string): Uint8Array<ArrayBuffer> {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const octets = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 127];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) digits.unshift((high & 127) | 128);
    octets.push(...digits);
  }
  return element('oid', Uint8Array.from(octets));
}

export function bitString(octets: Uint8Array, unusedBits = 0): Uint8Array<ArrayBuffer> {
  return element('bitString', Uint8Array.of(unusedBits), octets);
}

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5); `wall` in ms, cut to the second. */
export function time(wall: number): Uint8Array<ArrayBuffer> {
  const digits = `${new Date(wall).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
  const text = new TextEncoder();
  return digits < '2050'
    ? element('utcTime', text.encode(digits.slice(2)))
    : element('generalizedTime', text.encode(digits));
}

/** Reads elements one after the other; every deviation from DER throws a RangeError, so callers treat a throw as "malformed". */
export class DerReader {
  readonly #octets: Uint8Array;
  #at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** The next element, whose tag must be this one. */
  next(tag: TagName | number): { readonly content: Uint8Array; readonly whole: Uint8Array } {
    const start = this.#at;
    if (this.#octet() !== (typeof tag === 'number' ? tag : TAG[tag])) throw new RangeError('another tag was due');
    const length = this.#length();
    const end = this.#at + length;
    if (end > this.#octets.length) throw new RangeError('the element ends after its container');
    const content = this.#octets.subarray(this.#at, end);
    this.#at = end;
    return { content, whole: this.#octets.subarray(start, end) };
  }

  /** A reader of the next element's content. */
  inside(tag: TagName | number): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** Throws unless all was read. */
  end(): void {
    if (this.#at !== this.#octets.length) throw new RangeError('something follows the last element');
  }

  peek(): number | undefined {
    return this.#octets[this.#at];
  }

  #octet(): number {
    const octet = this.#octets[this.#at++];
    if (octet === undefined) throw new RangeError('the element is cut off');
    return octet;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    if (first !== 0x81 && first !== 0x82) throw new RangeError('a length of this form is not taken');
    const length = first === 0x81 ? this.#octet() : this.#octet() * 256 + this.#octet();
    if (length < (first === 0x81 ? 0x80 : 0x100)) throw new RangeError('the length is not in its shortest form');
    return length;
  }
}
