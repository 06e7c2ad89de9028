/** Bodies of several parts (RFC 2046 section 5.1 as RFC 5621 has SIP use it): a session description with a location beside it, say. */
import { endOfQuoted, unquote } from './params.ts';

export interface BodyPart {
  readonly type: string;
  /** Without brackets (RFC 2392). */
  readonly id?: string;
  /** One character per octet. */
  readonly body: string;
}

/** The media type of a location object (RFC 4119). */
export const PIDF = 'application/pidf+xml';

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

/** The parts of a body, without those that cannot be read; undefined where the type is no multipart or the body is malformed. */
export function readMultipart(type: string, body: string): BodyPart[] | undefined {
  if (!type.trimStart().toLowerCase().startsWith('multipart/')) return undefined;
  const boundary = boundaryOf(type);
  if (boundary === undefined) return undefined;
  const parts: BodyPart[] = [];
  // The first boundary may open the body.
  const text = `\r\n${body}`;
  let mark = markAt(text, boundary, 0);
  for (let n = 0; mark !== undefined; n++) {
    if (mark.last) return parts;
    const next = markAt(text, boundary, mark.end);
    if (next === undefined || n === PART_LIMIT) return undefined;
    const part = readPart(text.slice(mark.end, next.at));
    if (part !== undefined) parts.push(part);
    mark = next;
  }
  return undefined;
}

interface Mark {
  readonly at: number;
  /** Where its line ends, before the line break. */
  readonly end: number;
  /** It closes the body. */
  readonly last: boolean;
}

/** The next line that is this boundary and nothing else: that of a part inside may begin alike. */
function markAt(text: string, boundary: string, from: number): Mark | undefined {
  const line = `\r\n--${boundary}`;
  for (let at = text.indexOf(line, from); at >= 0; at = text.indexOf(line, at + 2)) {
    const after = at + line.length;
    const stop = text.indexOf('\r\n', after);
    const end = stop < 0 ? text.length : stop;
    const rest = text.slice(after, end).trimEnd();
    if (rest === '--' || (rest === '' && stop >= 0)) return { at, end, last: rest === '--' };
  }
  return undefined;
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

/** Header lines, each behind a line break, an empty line, the body. */
function readPart(rest: string): BodyPart | undefined {
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
