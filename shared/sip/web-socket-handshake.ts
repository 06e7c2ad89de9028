/** The opening handshake of SIP over WebSockets, server's side (RFC 6455 section 4.2, RFC 7118 section 4.1). */
import { fromBase64 } from '../kernel/base64.ts';

/** Octets of an opening request; a longer one is closed. */
export const HANDSHAKE_LIMIT = 8_192;

/** Where SIP is served. */
const PATHS = ['/', '/sip'];

/** What is appended to the key before it is hashed (RFC 6455 section 1.3). */
export const WEB_SOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

export interface Refused {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  426: 'Upgrade Required',
};

/**
 * Reads the head of an opening request (without the empty line that ends it): its key, or how it is refused. A page of another site
 * is refused by its Origin; a program that is no browser sends none.
 */
export function readOpening(head: string, mayOpen: (origin: string) => boolean): { readonly key: string } | Refused {
  const lines = head.split('\r\n');
  const [method, target, version, ...rest] = (lines[0] ?? '').split(' ');
  if (rest.length > 0 || version !== 'HTTP/1.1' || target === undefined) return { status: 400 };
  const headers = readHeaders(lines.slice(1));
  if (headers === undefined || !headers.has('host')) return { status: 400 };
  if (method !== 'GET') return { status: 405, headers: [['Allow', 'GET']] };
  if (!PATHS.includes(target.split('?')[0] ?? '')) return { status: 404 };
  if (!has(headers, 'upgrade', 'websocket') || !has(headers, 'connection', 'upgrade')) {
    return { status: 426, headers: [['Upgrade', 'websocket']] };
  }
  if (headers.get('sec-websocket-version') !== '13') {
    return { status: 426, headers: [['Sec-WebSocket-Version', '13']] };
  }
  const key = headers.get('sec-websocket-key') ?? '';
  if (fromBase64(key)?.length !== 16 || !has(headers, 'sec-websocket-protocol', 'sip')) return { status: 400 };
  const origin = headers.get('origin');
  return origin === undefined || mayOpen(origin) ? { key } : { status: 403 };
}

/** Field values by lower-case name, repeated ones joined; undefined where a line is no field. */
function readHeaders(lines: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon <= 0 || line.charAt(0) === ' ' || line.charAt(0) === '\t') return undefined;
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

const has = (headers: ReadonlyMap<string, string>, name: string, word: string): boolean =>
  (headers.get(name) ?? '').split(',').some((value) => value.trim().toLowerCase() === word);

/** The answer that opens; `accept` is the base 64 of SHA-1 over key and `WEB_SOCKET_GUID`. */
export function opened(accept: string): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: sip\r\n\r\n`
  );
}

export function refused({ status, headers = [] }: Refused): string {
  const more = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `HTTP/1.1 ${status} ${REASONS[status] ?? 'Refused'}\r\nConnection: close\r\nContent-Length: 0\r\n${more}\r\n`;
}
