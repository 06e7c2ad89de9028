/** What a carrier's answer to our REGISTER grants. Pure. */
import type { SipMessage } from '#shared/sip/message.ts';
import { type NameAddr, parseUri } from '#shared/sip/uri.ts';

export interface Granted {
  /** Seconds for which we are registered. */
  readonly seconds: number;
  /** The least seconds that it takes (423); 0 where it does not say. */
  readonly least: number;
}

/** Of the contacts that it lists, others of this account among them, our own counts (RFC 3261 section 10.2.4). `asked`: seconds. */
export function grantedBy(answer: SipMessage | undefined, own: string, asked: number): Granted {
  const contacts = answer?.contacts ?? [];
  const listed = contacts.find((one) => isAt(one, own)) ?? (contacts.length === 1 ? contacts[0] : undefined);
  const said = Number(listed?.params.get('expires'));
  const seconds = said > 0 ? said : (answer?.expires ?? asked);
  return { seconds, least: Number(/^\d{1,9}/.exec(answer?.header('Min-Expires')?.trim() ?? '')?.[0] ?? 0) };
}

function isAt({ uri }: NameAddr, own: string): boolean {
  const [a, b] = [parseUri(uri), parseUri(own)];
  return a !== undefined && a.user === b?.user && a.host === b?.host && a.port === b?.port;
}
