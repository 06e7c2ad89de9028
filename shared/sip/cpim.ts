/**
 * Common Presence and Instant Messaging: message format (RFC 3862). Headers about the message, then MIME headers of the content, then
 * the content; all structure is ASCII, so texts may be octets or characters alike. Prefixed headers are found by the namespace that
 * their prefix stands for (section 4.7), such as `imdn.Message-ID` (RFC 5438 section 6).
 */

export const CPIM_TYPE = 'message/cpim';
/** Namespace of the headers of instant message disposition notifications (RFC 5438 section 6.2). */
export const IMDN_NAMESPACE = 'urn:ietf:params:imdn';
/** Header lines of both parts together; a message with more is none. */
export const CPIM_HEADERS = 64;

export interface CpimHeader {
  /** As it stands, with its prefix. */
  readonly name: string;
  readonly value: string;
}

export interface Cpim {
  readonly headers: readonly CpimHeader[];
  /** MIME headers of the content (RFC 2045), `Content-Type` among them. */
  readonly content: readonly CpimHeader[];
  readonly body: string;
}

/** Reads a `message/cpim` body; undefined where it is none. Never throws. Lines end by CRLF, or by LF alone, as some phones write. */
export function parseCpim(text: string): Cpim | undefined {
  const headers = readPart(text, 0);
  if (headers === undefined || headers.lines.length === 0) return undefined;
  const content = readPart(text, headers.end);
  if (content === undefined || headers.lines.length + content.lines.length > CPIM_HEADERS) return undefined;
  return { headers: headers.lines.map(unescaped), content: content.lines, body: text.slice(content.end) };
}

/** The text of a message; a header that cannot stand in a line of its own is escaped (section 2.3.1). */
export function writeCpim(message: Cpim): string {
  const headers = message.headers.map(({ name, value }) => `${name}: ${escaped(value)}\r\n`).join('');
  const content = message.content.map(({ name, value }) => `${name}: ${oneLine(value)}\r\n`).join('');
  return `${headers}\r\n${content}\r\n${message.body}`;
}

/** The first value of a header without prefix; names are compared as they are (section 2.3). */
export function cpimHeader(message: Cpim, name: string): string | undefined {
  return message.headers.find((one) => one.name === name)?.value;
}

/** The first value of a header of a namespace, whatever its prefix in this message. */
export function cpimHeaderOf(message: Cpim, namespace: string, name: string): string | undefined {
  const prefix = prefixOf(message, namespace);
  return prefix === undefined ? undefined : cpimHeader(message, prefix === '' ? name : `${prefix}.${name}`);
}

/** The content's media type in lower case, without parameters; text where none stands (RFC 2045 section 5.2). */
export function cpimContentType(message: Cpim): string {
  const value = message.content.find((one) => one.name.toLowerCase() === 'content-type')?.value ?? 'text/plain';
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

/** `NS: prefix <uri>`; without a prefix the namespace is the default one. */
function prefixOf(message: Cpim, namespace: string): string | undefined {
  for (const { name, value } of message.headers) {
    if (name !== 'NS' || !value.endsWith(`<${namespace}>`)) continue;
    return value.slice(0, value.indexOf('<')).trim();
  }
  return undefined;
}

/** Header lines from `at` up to and with the blank line; undefined where that is missing or a line is malformed. */
function readPart(text: string, at: number): { readonly lines: CpimHeader[]; readonly end: number } | undefined {
  const lines: CpimHeader[] = [];
  for (let start = at; ; ) {
    const newline = text.indexOf('\n', start);
    if (newline < 0 || lines.length > CPIM_HEADERS) return undefined;
    const line = text.slice(start, text[newline - 1] === '\r' ? newline - 1 : newline);
    start = newline + 1;
    if (line === '' || line === '\r') return { lines, end: start };
    const colon = line.indexOf(':');
    if (colon < 1 || !isName(line.slice(0, colon))) return undefined;
    lines.push({ name: line.slice(0, colon), value: line.slice(colon + 1).trim() });
  }
}

/** Letters, digits and the signs of a token, with one dot between prefix and name. */
function isName(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c <= 32 || c >= 127) return false;
  }
  return text.length <= 128;
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\t', '\\t'],
  ['\n', '\\n'],
  ['\r', '\\r'],
]);

function escaped(value: string): string {
  let text = '';
  for (const char of value) {
    const known = ESCAPES.get(char);
    if (known !== undefined) text += known;
    // Other control characters have a four-digit form.
    else text += char < ' ' || char === '\x7f' ? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}` : char;
  }
  return text;
}

function unescaped({ name, value }: CpimHeader): CpimHeader {
  if (!value.includes('\\')) return { name, value };
  let text = '';
  for (let i = 0; i < value.length; i++) {
    const char = value.charAt(i);
    if (char !== '\\') {
      text += char;
      continue;
    }
    const next = value.charAt(++i);
    const code = next === 'u' ? fourHex(value.slice(i + 1, i + 5)) : undefined;
    if (code !== undefined) {
      text += String.fromCharCode(code);
      i += 4;
    } else text += { b: '\b', t: '\t', n: '\n', r: '\r' }[next] ?? next;
  }
  return { name, value: text };
}

function fourHex(digits: string): number | undefined {
  if (digits.length !== 4) return undefined;
  let code = 0;
  for (const digit of digits.toLowerCase()) {
    const value = '0123456789abcdef'.indexOf(digit);
    if (value < 0) return undefined;
    code = code * 16 + value;
  }
  return code;
}

/** A MIME header of ours stays one line whatever it is made of. */
function oneLine(value: string): string {
  let text = '';
  for (const char of value) text += char < ' ' || char === '\x7f' ? ' ' : char;
  return text;
}
