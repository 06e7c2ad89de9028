/**
 * Instant message disposition notifications (RFC 5438): the XML document of section 11.1, read by a scanner that knows elements and
 * text and nothing else (no DTD, no entities but the five of XML and character numbers), and written from the facts.
 */

export const IMDN_TYPE = 'message/imdn+xml';
/** Characters of a document; a larger one is none. */
export const IMDN_LIMIT = 4_096;
/** How deep elements may nest; the schema needs four. */
const DEPTH_LIMIT = 8;
const XML_NAMESPACE = 'urn:ietf:params:xml:ns:imdn';

/** What was delivered, shown or processed, and how that went (sections 11.1.2 to 11.1.5). */
export type Disposition = 'delivery' | 'display' | 'processing';
export type DispositionStatus = 'delivered' | 'displayed' | 'processed' | 'stored' | 'failed' | 'forbidden' | 'error';

const STATUSES: Readonly<Record<Disposition, readonly DispositionStatus[]>> = {
  delivery: ['delivered', 'failed', 'forbidden', 'error'],
  display: ['displayed', 'forbidden', 'error'],
  processing: ['processed', 'stored', 'forbidden', 'error'],
};

export interface Imdn {
  /** `imdn.Message-ID` of the message that it is about. */
  readonly messageId: string;
  /** RFC 3339. */
  readonly dateTime: string;
  readonly recipientUri?: string;
  readonly disposition: Disposition;
  readonly status: DispositionStatus;
}

/** Reads a document; undefined where it is none. Never throws. */
export function parseImdn(text: string): Imdn | undefined {
  if (text.length > IMDN_LIMIT) return undefined;
  const elements = scan(text);
  if (elements === undefined || elements[0]?.path !== 'imdn') return undefined;
  const textOf = (path: string) => elements.find((one) => one.path === path)?.text.trim();
  const messageId = textOf('imdn/message-id');
  if (messageId === undefined || messageId === '') return undefined;
  for (const disposition of ['delivery', 'display', 'processing'] as const) {
    const base = `imdn/${disposition}-notification/status/`;
    const status = STATUSES[disposition].find((one) => elements.some(({ path }) => path === base + one));
    if (status === undefined) continue;
    const recipientUri = textOf('imdn/recipient-uri');
    const dateTime = textOf('imdn/datetime') ?? '';
    return { messageId, dateTime, disposition, status, ...(recipientUri === undefined ? {} : { recipientUri }) };
  }
  return undefined;
}

export function writeImdn({ messageId, dateTime, recipientUri, disposition, status }: Imdn): string {
  const recipient = recipientUri === undefined ? '' : `<recipient-uri>${quoted(recipientUri)}</recipient-uri>`;
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\r\n<imdn xmlns="${XML_NAMESPACE}">` +
    `<message-id>${quoted(messageId)}</message-id><datetime>${quoted(dateTime)}</datetime>${recipient}` +
    `<${disposition}-notification><status><${status}/></status></${disposition}-notification></imdn>\r\n`
  );
}

interface Element {
  /** Local names from the root down. */
  readonly path: string;
  text: string;
}

/** All elements in the order in which they open; undefined for text that is no well-formed document of this simple kind. */
function scan(text: string): Element[] | undefined {
  const elements: Element[] = [];
  const open: { readonly name: string; readonly element: Element }[] = [];
  let at = 0;
  while (at < text.length) {
    const tag = text.indexOf('<', at);
    const between = text.slice(at, tag < 0 ? text.length : tag);
    const inside = open.at(-1)?.element;
    if (inside === undefined ? between.trim() !== '' : !takeText(inside, between)) return undefined;
    if (tag < 0) break;
    const end = endOfMarkup(text, tag);
    if (end === undefined) return undefined;
    if (!takeMarkup(text.slice(tag + 1, end), elements, open)) return undefined;
    at = end + 1;
  }
  return open.length === 0 && elements.length > 0 ? elements : undefined;
}

function takeText(element: Element, raw: string): boolean {
  const text = plain(raw);
  if (text === undefined) return false;
  element.text += text;
  return true;
}

/** The `>` that ends a tag, with quotes in mind, or a comment. */
function endOfMarkup(text: string, tag: number): number | undefined {
  if (text.startsWith('<!--', tag)) {
    const end = text.indexOf('-->', tag + 4);
    return end < 0 ? undefined : end + 2;
  }
  let quote = '';
  for (let i = tag + 1; i < text.length; i++) {
    const c = text.charAt(i);
    if (quote !== '') quote = c === quote ? '' : quote;
    else if (c === '"' || c === "'") quote = c;
    else if (c === '>') return i;
  }
  return undefined;
}

/** What stands between `<` and `>`: false where it is not allowed there. */
function takeMarkup(
  markup: string,
  elements: Element[],
  open: { readonly name: string; readonly element: Element }[],
): boolean {
  if (markup.startsWith('?') || markup.startsWith('!--')) return true;
  // A document type could define entities: refused as a whole.
  if (markup.startsWith('!')) return false;
  if (markup.startsWith('/')) return open.pop()?.name === markup.slice(1).trim();
  const closed = markup.endsWith('/');
  const name = nameOf(closed ? markup.slice(0, -1) : markup);
  if (name === undefined || open.length >= DEPTH_LIMIT || (open.length === 0 && elements.length > 0)) return false;
  const parent = open.at(-1)?.element.path;
  const local = name.slice(name.indexOf(':') + 1);
  const element = { path: parent === undefined ? local : `${parent}/${local}`, text: '' };
  elements.push(element);
  if (!closed) open.push({ name, element });
  return true;
}

function nameOf(markup: string): string | undefined {
  let end = 0;
  while (end < markup.length && !' \t\r\n'.includes(markup.charAt(end))) end++;
  const name = markup.slice(0, end);
  return name === '' || name.includes('<') || name.includes('/') ? undefined : name;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

/** Text with its references resolved; undefined where one is unknown. */
function plain(raw: string): string | undefined {
  let text = '';
  for (let at = 0; ; ) {
    const amp = raw.indexOf('&', at);
    if (amp < 0) return text + raw.slice(at);
    const end = raw.indexOf(';', amp);
    if (end < 0) return undefined;
    const name = raw.slice(amp + 1, end);
    const char = name.startsWith('#') ? numbered(name.slice(1)) : ENTITIES.get(name);
    if (char === undefined) return undefined;
    text += raw.slice(at, amp) + char;
    at = end + 1;
  }
}

function numbered(text: string): string | undefined {
  const hex = text.startsWith('x');
  const digits = hex ? text.slice(1) : text;
  if (digits.length === 0 || digits.length > 6) return undefined;
  const code = Number.parseInt(digits, hex ? 16 : 10);
  const whole = digits.toLowerCase().replace(/^0+(?=.)/, '') === code.toString(hex ? 16 : 10);
  return whole && code >= 0x20 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
    ? String.fromCodePoint(code)
    : undefined;
}

function quoted(text: string): string {
  let out = '';
  for (const char of text) {
    if (char === '<') out += '&lt;';
    else if (char === '>') out += '&gt;';
    else if (char === '&') out += '&amp;';
    else out += char < ' ' || char === '\x7f' ? ' ' : char;
  }
  return out;
}
