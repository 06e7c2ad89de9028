/** Bodies of several parts (RFC 2046 section 5.1 as RFC 5621 has SIP use it): a session description with a location beside it, say. */
import { endOfQuoted, unquote } from './params.ts';

export interface BodyPart {
  readonly type: string;
  /** Without brackets (RFC 2392). */
  readonly id?: string;
  /** One character per octet. */
  readonly body: string;
}

/** Parts of one body that are looked at. */
export const PART_LIMIT = 16;

/** The body and its Content-Type. `boundary` must occur in no part. */
export function writeMultipart(parts: readonly BodyPart[], boundary: string): { type: string; body: string } {
  let body = '';
  for (const { type, id, body: own } of parts) {
    body += `--${boundary}\r\nContent-Type: ${type}\r\n`;
    if (id !== undefined) body += `Content-ID: <${id}>\r\n`;
    body += `\r\n${own}\r\n`;
  }
  return { type: `multipart/mixed;boundary="${boundary}"`, body: `${body}--${boundary}--\r\n` };
}

/** The parts of a body; undefined where the type is no multipart or the body is malformed. */
export function readMultipart(type: string, body: string): BodyPart[] | undefined {
  if (!type.trimStart().toLowerCase().startsWith('multipart/')) return undefined;
  const boundary = boundaryOf(type);
  if (boundary === undefined) return undefined;
  const parts: BodyPart[] = [];
  const mark = `--${boundary}`;
  let at = body.startsWith(mark) ? 0 : body.indexOf(`\r\n${mark}`) + 2;
  if (at < 2 && !body.startsWith(mark)) return undefined;
  for (;;) {
    const start = at + mark.length;
    if (body.startsWith('--', start)) return parts;
    const end = body.indexOf(`\r\n${mark}`, start);
    if (end < 0 || parts.length === PART_LIMIT) return undefined;
    const part = readPart(body.slice(start, end));
    if (part === undefined) return undefined;
    parts.push(part);
    at = end + 2;
  }
}

/** The first part of that media type, without its parameters. */
export function partOf(parts: readonly BodyPart[] | undefined, type: string): BodyPart | undefined {
  return parts?.find((part) => part.type.split(';')[0]?.trim().toLowerCase() === type);
}

/** RFC 2046 section 5.1.1: 1 to 70 characters. */
function boundaryOf(type: string): string | undefined {
  const at = type.toLowerCase().indexOf('boundary=');
  if (at < 0) return undefined;
  const from = at + 'boundary='.length;
  const quoted = type.charCodeAt(from) === 34;
  const semicolon = type.indexOf(';', from);
  const end = quoted ? endOfQuoted(type, from) : semicolon < 0 ? type.length : semicolon;
  const text = end < 0 ? '' : unquote(type.slice(from, end).trim());
  return text.length >= 1 && text.length <= 70 ? text : undefined;
}

/** The rest of the boundary's line, header lines, an empty line, the body. */
function readPart(text: string): BodyPart | undefined {
  const first = text.indexOf('\r\n');
  if (first < 0 || text.slice(0, first).trim() !== '') return undefined;
  const rest = text.slice(first);
  const gap = rest.indexOf('\r\n\r\n');
  if (gap < 0) return undefined;
  let [type, id] = ['text/plain', undefined as string | undefined];
  for (const line of rest.slice(0, gap).split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === 'content-type') type = value;
    else if (name === 'content-id') id = value.replace(/^<|>$/g, '');
  }
  return { type, body: rest.slice(gap + 4), ...(id === undefined ? {} : { id }) };
}
