/** What phones ask for, as texts that the session manager reads. */
import { parseUri, type SipUri } from '#shared/sip/uri.ts';

/** Characters of what was dialled. */
const DIALLED_LIMIT = 256;

/** As `dialledOf`; empty where a phone was taken up and nothing dialled: our domain alone. Its line may be a hot one. */
export function dialledBy(text: string, isOurs: (host: string) => boolean): string | undefined {
  const uri = parseUri(text);
  if (uri !== undefined && uri.user === undefined && isOurs(uri.host)) return '';
  return dialledIn(uri, isOurs);
}

/** What the Request-URI asks for: the user of one of our own addresses, else the whole URI without parameters. */
export function dialledOf(text: string, isOurs: (host: string) => boolean): string | undefined {
  return dialledIn(parseUri(text), isOurs);
}

/** Whom a redirection names (RFC 3261 section 21.3): the user of one of our own addresses; nobody else's is followed. */
export function redirectionOf(text: string, isOurs: (host: string) => boolean): string | undefined {
  const uri = parseUri(text);
  return uri !== undefined && isOwn(uri, isOurs) ? dialledIn(uri, isOurs) : undefined;
}

const isOwn = ({ scheme, host }: SipUri, isOurs: (host: string) => boolean): boolean =>
  scheme === 'tel' || isOurs(host);

function dialledIn(uri: SipUri | undefined, isOurs: (host: string) => boolean): string | undefined {
  if (uri?.user === undefined) return undefined;
  const dialled = isOwn(uri, isOurs) ? uri.user : `sip:${uri.user}@${uri.host}`;
  return dialled.length > DIALLED_LIMIT ? undefined : dialled;
}
