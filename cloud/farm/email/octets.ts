/** A mail as octets: what makes it fit to be taken in, and its header fields (RFC 5322). Pure. */
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';

/** Octets of a whole mail (RFC 1870 SIZE). */
export const MAIL_LIMIT = 10 * 1024 * 1024;
/** Octets of a line without its CRLF (RFC 5322 section 2.1.1). */
export const LINE_LIMIT = 998;
/** Octets of the header, and how many fields it has. */
export const HEADER_LIMIT = 65_536;
export const FIELD_LIMIT = 1_000;
/** Servers that a mail may have come through; more is a loop (RFC 5321 section 6.3). */
export const HOP_LIMIT = 50;

export interface Field {
  /** Lower case. */
  readonly name: string;
  /** The whole field as it stands, its CRLF included. */
  readonly text: string;
}

export interface Header {
  readonly fields: readonly Field[];
  /** Where the body begins. */
  readonly body: number;
}

/** An SMTP reply that refuses a mail: enhanced code first (RFC 3463). */
export interface Refusal {
  readonly code: number;
  readonly text: string;
}

const NUL = 0;
const LF = 10;
const CR = 13;

/**
 * Why octets are no mail that may be taken in; undefined for a good one. A bare CR or LF is refused, for servers that read
 * it as a line's end would find other mails in this one (SMTP smuggling).
 */
export function octetFault(raw: Uint8Array): Refusal | undefined {
  if (raw.length > MAIL_LIMIT) return { code: 552, text: `5.3.4 A mail may have ${MAIL_LIMIT} octets` };
  let start = 0;
  for (let i = 0; i < raw.length; i++) {
    const octet = raw[i];
    if (octet === NUL) return { code: 554, text: '5.6.0 A NUL octet stands in the mail' };
    if (octet === LF && raw[i - 1] !== CR) return { code: 554, text: '5.5.2 A bare LF stands in the mail' };
    if (octet === CR && raw[i + 1] !== LF) return { code: 554, text: '5.5.2 A bare CR stands in the mail' };
    if (octet !== LF) continue;
    if (i - 1 - start > LINE_LIMIT) return { code: 554, text: `5.6.0 A line has more than ${LINE_LIMIT} octets` };
    start = i + 1;
  }
  if (raw.length - start > LINE_LIMIT) return { code: 554, text: `5.6.0 A line has more than ${LINE_LIMIT} octets` };
  return undefined;
}

/** The header of a mail; a refusal where it is none. */
export function readHeader(raw: Uint8Array): Header | Refusal {
  const text = latin1(raw.subarray(0, HEADER_LIMIT + 4));
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  const whole = end < 2 && !text.startsWith('\r\n');
  if (whole && raw.length > HEADER_LIMIT) return { code: 554, text: `5.6.0 A header may have ${HEADER_LIMIT} octets` };
  const lines = (whole ? text : text.slice(0, end)).split('\r\n').filter((line) => line !== '');
  const fields: Field[] = [];
  for (const line of lines) {
    const last = fields.at(-1);
    if (/^[ \t]/.test(line) && last !== undefined) {
      fields[fields.length - 1] = { name: last.name, text: `${last.text}${line}\r\n` };
      continue;
    }
    const name = /^([!-9;-~]{1,76})[ \t]*:/.exec(line)?.[1];
    if (name === undefined) return { code: 554, text: '5.6.0 A line of the header is no field' };
    if (fields.length >= FIELD_LIMIT) return { code: 554, text: `5.6.0 A header may have ${FIELD_LIMIT} fields` };
    fields.push({ name: name.toLowerCase(), text: `${line}\r\n` });
  }
  if (fields.filter(({ name }) => name === 'received').length > HOP_LIMIT)
    return { code: 554, text: '5.4.6 The mail runs in a loop' };
  return { fields, body: whole ? raw.length : end + 2 };
}

export function isRefusal(value: Header | Refusal): value is Refusal {
  return 'code' in value;
}

/** The value of the first field of that name (lower case), unfolded; undefined when there is none. */
export function fieldValue({ fields }: Header, name: string): string | undefined {
  const field = fields.find((one) => one.name === name);
  return field?.text
    .slice(field.text.indexOf(':') + 1)
    .replace(/\r\n/g, '')
    .trim();
}

/** The mail with other header fields: those that `keep` holds, and before them what is to stand on top. */
export function withHeader(raw: Uint8Array, header: Header, keep: (field: Field) => boolean, top: string): Uint8Array {
  const kept = header.fields.filter(keep).map((field) => field.text);
  const head = fromLatin1(`${top}${kept.join('')}\r\n`);
  const body = raw.subarray(header.body);
  const made = new Uint8Array(head.length + body.length);
  made.set(head);
  made.set(body, head.length);
  return made;
}
