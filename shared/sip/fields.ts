/** Header field lines, the pieces of which a message is made. */
import { latin1, utf8 } from '../kernel/bytes.ts';
import { HEADERS, type HeaderKind, headerKind } from './headers.ts';
import { trimmed } from './params.ts';

/** One header field line. Never changed once made, so messages may share it. */
export interface Field {
  /** Id of a known header, 0 otherwise. */
  readonly id: number;
  /** Canonical for known headers, else as it came. */
  readonly name: string;
  /** The value is `text.slice(start, end)`. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
  /**
   * Where the whole line begins in `text`, where it stands there as it is written (name, colon, one space, value, line break); else -1.
   * Lines that stand so one behind the other are written as one piece.
   */
  readonly line: number;
}

/** Is this field of that kind, or, where there is none, of that name in lower case? */
export function isNamed(field: Field, kind: HeaderKind | undefined, lower: string): boolean {
  return kind === undefined ? field.id === 0 && field.name.toLowerCase() === lower : field.id === kind.id;
}

export function sameName(a: Field, b: Field): boolean {
  return a.id === b.id && (a.id !== 0 || a.name.toLowerCase() === b.name.toLowerCase());
}

/** A header field line of ours. What would end the line (CR, LF, NUL) becomes a space, so that no value can add a header. */
export function makeField(name: string, value: string): Field {
  const kind = headerKind(name);
  const text = oneLine(value);
  return { id: kind?.id ?? 0, name: kind?.name ?? oneLine(name), text, start: 0, end: text.length, line: -1 };
}

/** A header field line to be made, or one that is made already. */
export type Header = readonly [name: string, value: string] | Field;

export const asField = (header: Header): Field => ('text' in header ? header : makeField(header[0], header[1]));

/** A line of a known header whose value was read from a message, or made of what cannot end a line: nothing is looked at again. */
export const knownField = (id: number, value: string): Field => ({
  id,
  name: HEADERS[id - 1]?.name ?? '',
  text: value,
  start: 0,
  end: value.length,
  line: -1,
});

/** A header field line that many messages carry: made once, and written as one piece. */
export function steadyField(name: string, value: string): Field {
  const { id, name: spelled, text: said } = makeField(name, value);
  const text = `${spelled}: ${said}\r\n`;
  return { id, name: spelled, text, start: spelled.length + 2, end: text.length - 2, line: 0 };
}

/**
 * Trimmed text without CR, LF and NUL, one character per octet: text that holds a character above 255 is no octets yet and
 * becomes UTF-8 (RFC 3261 section 7.3.1).
 */
export function oneLine(value: string): string {
  let highest = 0;
  let plain = true;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    highest |= code;
    if (code <= 13 && (code === 13 || code === 10 || code === 0)) plain = false;
  }
  const wide = highest > 255;
  if (plain && !wide) return trimmed(value, 0, value.length);
  let text = '';
  for (const c of wide ? latin1(utf8(value)) : value) text += c === '\r' || c === '\n' || c === '\0' ? ' ' : c;
  return trimmed(text, 0, text.length);
}
