/** Via header values (RFC 3261 section 20.42, RFC 3581). */
import { decimal, endOfValue, isToken, type Params, parseParams, skipSpace, trimmed, writeParams } from './params.ts';
import { parseHostPort, writeHost } from './uri.ts';
import { endOfHost } from './usual.ts';

const USUAL = 'SIP/2.0/';

export interface Via {
  /** `SIP/2.0`; another version is kept so that it can be refused. */
  readonly protocol: string;
  /** Upper case: UDP, TCP, TLS … */
  readonly transport: string;
  /** sent-by, lower case, IPv6 without brackets. */
  readonly host: string;
  readonly port: number | undefined;
  readonly branch: string | undefined;
  /** Responses are wanted at the port from which the request came: a parameter `rport` (RFC 3581). */
  readonly asksPort: boolean;
  /** `branch`, `received`, `rport` and others; an IPv6 `received` may or may not have brackets. */
  readonly params: Params;
}

/** As nearly all are: no parameters but `branch`, `rport` and `received`, which are read where they stand. */
class UsualVia implements Via {
  readonly protocol = 'SIP/2.0';
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly branch: string | undefined;
  readonly asksPort: boolean;
  readonly #text: string;
  readonly #start: number;
  readonly #from: number;
  readonly #end: number;
  #params: Params | undefined;

  constructor(
    transport: string,
    where: { readonly host: string; readonly port: number | undefined },
    said: { readonly branch: string | undefined; readonly asksPort: boolean },
    at: { readonly text: string; readonly start: number; readonly from: number; readonly end: number },
  ) {
    this.transport = transport;
    this.host = where.host;
    this.port = where.port;
    this.branch = said.branch;
    this.asksPort = said.asksPort;
    this.#text = at.text;
    this.#start = at.start;
    this.#from = at.from;
    this.#end = at.end;
  }

  get params(): Params {
    this.#params ??= parseParams(this.#text.slice(this.#from, this.#end), 0) ?? new Map();
    return this.#params;
  }

  /** The value without `rport` and `received`. */
  get bare(): string {
    const head = this.#text.slice(this.#start, this.#from);
    return this.branch === undefined ? head : `${head};branch=${this.branch}`;
  }
}

/** Reads one Via value; undefined where it is malformed. */
export function parseVia(text: string): Via | undefined {
  const usual = usualVia(text, 0, text.length);
  if (usual !== undefined) return usual;
  let protocol = 'SIP/2.0';
  let at = USUAL.length;
  if (!text.startsWith(USUAL)) {
    const first = text.indexOf('/');
    const second = text.indexOf('/', first + 1);
    if (first < 0 || second < 0) return undefined;
    protocol = `${trimmed(text, 0, first).toUpperCase()}/${trimmed(text, first + 1, second)}`;
    at = second + 1;
  }
  at = skipSpace(text, at);
  const space = firstSpace(text, at);
  if (space < 0) return undefined;
  const transport = text.slice(at, space).toUpperCase();
  if (!isToken(transport)) return undefined;
  const semicolon = text.indexOf(';', space);
  const sentBy = trimmed(text, space, semicolon < 0 ? text.length : semicolon);
  const where = parseHostPort(sentBy) ?? parseHostPort(withoutSpace(sentBy));
  if (where === undefined) return undefined;
  const params: Params | undefined = semicolon < 0 ? new Map() : parseParams(text, semicolon);
  if (params === undefined) return undefined;
  const { host, port } = where;
  return { protocol, transport, host, port, branch: params.get('branch'), asksPort: params.has('rport'), params };
}

const TRANSPORTS = ['UDP', 'TLS', 'TCP', 'WSS'] as const;

/** A value of the usual form in `text[start, end)`; undefined where it is of another, which is not to say that it is malformed. */
export function usualVia(text: string, start: number, end: number): Via | undefined {
  const at = start + USUAL.length;
  if (!text.startsWith(USUAL, start) || text.charCodeAt(at + 3) !== 32) return undefined;
  const transport = TRANSPORTS.find((one) => text.startsWith(one, at));
  const from = transport === undefined ? -1 : endOfHost(text, at + 4, end);
  if (transport === undefined || from < 0) return undefined;
  let branch: string | undefined;
  let [asksPort, received] = [false, false];
  for (let i = from; i < end; ) {
    if (text.startsWith(';branch=', i) && branch === undefined) {
      const stop = endOfValue(text, i + 8, end);
      if (stop === i + 8) return undefined;
      branch = text.slice(i + 8, stop);
      i = stop;
    } else if (text.startsWith(';rport', i) && !asksPort) {
      asksPort = true;
      i += 6;
      if (i < end && text.charCodeAt(i) === 61) {
        const stop = endOfValue(text, i + 1, end);
        if (stop === i + 1) return undefined;
        i = stop;
      }
    } else if (text.startsWith(';received=', i) && !received) {
      received = true;
      const stop = endOfValue(text, i + 10, end);
      if (stop === i + 10) return undefined;
      i = stop;
    } else return undefined;
  }
  return new UsualVia(transport, sentBy(text, at + 4, from), { branch, asksPort }, { text, start, from, end });
}

function sentBy(text: string, at: number, end: number): { readonly host: string; readonly port: number | undefined } {
  const colon = text.indexOf(':', at);
  const hasPort = colon >= 0 && colon < end;
  const host = text.slice(at, hasPort ? colon : end).toLowerCase();
  return { host, port: hasPort ? decimal(text.slice(colon + 1, end), 65_535) : undefined };
}

/** A value as it came, with whence it came (RFC 3261 section 18.2.1), and from which port where that was asked for (RFC 3581 section 4). */
export function stampedVia(via: Via, value: string, from: { readonly host: string; readonly port: number }): string {
  // An IPv6 address has no brackets here (RFC 5118 section 4.5).
  const stamp = `;received=${from.host}${via.asksPort ? `;rport=${from.port}` : ''}`;
  if (via instanceof UsualVia) return via.bare + stamp;
  const params = new Map(via.params);
  params.delete('received');
  params.delete('rport');
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trimEnd() + writeParams(params) + stamp;
}

function firstSpace(text: string, at: number): number {
  for (let i = at; i < text.length; i++) if (text.charCodeAt(i) === 32 || text.charCodeAt(i) === 9) return i;
  return -1;
}

/** White space is allowed around the colon of sent-by, nowhere else: `a b` stays malformed. */
function withoutSpace(sentBy: string): string {
  const colon = sentBy.lastIndexOf(':');
  return colon < 0 ? sentBy : `${trimmed(sentBy, 0, colon)}:${trimmed(sentBy, colon + 1, sentBy.length)}`;
}

export function writeVia(via: Via): string {
  const port = via.port === undefined ? '' : `:${via.port}`;
  return `${via.protocol}/${via.transport} ${writeHost(via.host)}${port}${writeParams(via.params)}`;
}
