/** Via header values (RFC 3261 section 20.42, RFC 3581). */
import { isToken, type Params, parseParams, skipSpace, trimmed, writeParams } from './params.ts';
import { parseHostPort, writeHost } from './uri.ts';
import { endOfHost } from './usual.ts';

export interface Via {
  /** `SIP/2.0`; another version is kept so that it can be refused. */
  protocol: string;
  /** Upper case: UDP, TCP, TLS … */
  transport: string;
  /** sent-by, lower case, IPv6 without brackets. */
  host: string;
  port: number | undefined;
  /** `branch`, `received`, `rport` and others; an IPv6 `received` may or may not have brackets. */
  params: Params;
}

const USUAL = 'SIP/2.0/';

/** Reads one Via value; undefined where it is malformed. */
export function parseVia(text: string): Via | undefined {
  const usual = usualVia(text);
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
  return params && { protocol, transport, host: where.host, port: where.port, params };
}

/** As most are: `SIP/2.0/UDP host:port;params`. */
function usualVia(text: string): Via | undefined {
  const from = USUAL.length + 4;
  if (!text.startsWith('SIP/2.0/UDP ')) return undefined;
  const end = endOfHost(text, from, text.length);
  if (end < 0 || (end < text.length && text.charCodeAt(end) !== 59)) return undefined;
  const params: Params | undefined = end === text.length ? new Map() : parseParams(text, end);
  if (params === undefined) return undefined;
  const colon = text.indexOf(':', from);
  const hasPort = colon >= 0 && colon < end;
  return {
    protocol: 'SIP/2.0',
    transport: 'UDP',
    host: text.slice(from, hasPort ? colon : end).toLowerCase(),
    port: hasPort ? Number(text.slice(colon + 1, end)) : undefined,
    params,
  };
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
