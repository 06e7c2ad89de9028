/** What a request must show before anything else is looked at: the right host, the right origin; and what every reply carries. Pure. */

/** Name of the portal's session cookie: over TLS the prefix makes browsers pin it to this host and to https. */
export function cookieName(secure: boolean): string {
  return secure ? '__Host-hearthline' : 'hearthline';
}

/** `Set-Cookie` for a session of `seconds`; 0 removes it. */
export function sessionCookie(token: string, secure: boolean, seconds: number): string {
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure ? '; Secure' : ''}`;
  return `${cookieName(secure)}=${token}; ${flags}`;
}

/** The value of a cookie in a `Cookie` header (RFC 6265 section 4.2); undefined if absent or given twice. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  const values: string[] = [];
  for (const pair of (header ?? '').split(';')) {
    const equals = pair.indexOf('=');
    if (equals > 0 && pair.slice(0, equals).trim() === name) values.push(pair.slice(equals + 1).trim());
  }
  return values.length === 1 ? values[0] : undefined;
}

/** The token of an `Authorization: Bearer` header (RFC 6750 section 2.1); undefined where it is none. */
export function readBearer(header: string | undefined): string | undefined {
  const match = /^Bearer +([A-Za-z0-9._~+/=-]{1,256})$/i.exec(header ?? '');
  return match?.[1];
}

/** The host of a `Host` header or of `host:port`, lower case, without port and brackets; undefined where it is malformed. */
export function hostName(header: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::\d{1,5})?$/.exec(header ?? '');
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/**
 * True if a request for this host is meant for us. A page of another site can make a browser send requests here under
 * the site's own name (DNS rebinding); such a name is none of ours.
 */
export function isOurHost(header: string | undefined, ours: ReadonlySet<string>): boolean {
  const name = hostName(header);
  return name !== undefined && (ours.has(name) || name === 'localhost' || isLoopback(name));
}

/** True for the literal loopback addresses. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host === '::ffff:127.0.0.1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/** True if a browser sent the request from a page of this very host; a request without `Origin` is not shown to be. */
export function isSameOrigin(origin: string | undefined, host: string | undefined, secure: boolean): boolean {
  return origin !== undefined && host !== undefined && origin === `${secure ? 'https' : 'http'}://${host}`;
}

/** Headers of every reply. No script, style, picture or frame from anywhere else, none inline. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};
