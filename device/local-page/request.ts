/** The head of an HTTP/1.1 request (RFC 9112), as far as a page of a few paths needs it. Pure. */
import { latin1 } from '#shared/kernel/bytes.ts';

/** Octets of a request's head. */
export const HEAD_LIMIT = 4096;

export type Head =
  /** Not all of it has come. */
  | { readonly is: 'partial' }
  /** Answer with this status. */
  | { readonly is: 'refused'; readonly status: 400 | 405 | 421 | 431 }
  | { readonly is: 'whole'; readonly path: string; readonly body: boolean };

/**
 * Reads a head. `own` tells whether a host of the Host field is one of ours: a foreign name that leads to this address is
 * another site's page, made to read this one (DNS rebinding), and is refused.
 */
export function readHead(octets: Uint8Array, own: (host: string) => boolean): Head {
  const text = latin1(octets.subarray(0, HEAD_LIMIT));
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return octets.length > HEAD_LIMIT ? { is: 'refused', status: 431 } : { is: 'partial' };
  const [line = '', ...fields] = text.slice(0, end).split('\r\n');
  const start = /^([A-Z]{1,16}) (\/[!-~]{0,255}) HTTP\/1\.[01]$/.exec(line);
  const hosts = fields.filter((field) => /^host:/i.test(field));
  if (start === null || hosts.length !== 1) return { is: 'refused', status: 400 };
  if (!own(hostOf(hosts[0] ?? ''))) return { is: 'refused', status: 421 };
  const [, method, path = '/'] = start;
  if (method !== 'GET' && method !== 'HEAD') return { is: 'refused', status: 405 };
  return { is: 'whole', path: path.split('?')[0] ?? '/', body: method === 'GET' };
}

/** The host of a Host field, without port and brackets, lower case; empty where it is none. */
function hostOf(field: string): string {
  const found = /^host:[ \t]*(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]+))(?::[0-9]{1,5})?[ \t]*$/i.exec(field);
  return (found?.[1] ?? found?.[2] ?? '').toLowerCase();
}
