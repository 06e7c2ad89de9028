/** Answers to challenges: a request of ours again, now with credentials (RFC 3261 section 22.2). */
import type { Core } from './call.ts';
import { authorize } from './digest.ts';
import type { SipMessage } from './message.ts';
import type { Credentials } from './types.ts';

/** The header that answers a challenge of that status. */
export const answerTo = (status: number): 'Proxy-Authorization' | 'Authorization' =>
  status === 407 ? 'Proxy-Authorization' : 'Authorization';

/**
 * The request for another try, without Via and with the next sequence number; undefined where the response is no challenge, there
 * are no credentials, or the challenge is of another realm.
 */
export function retryWithCredentials(
  core: Pick<Core, 'tokens' | 'hash'>,
  request: SipMessage | undefined,
  response: SipMessage,
  credentials: Credentials | undefined,
): SipMessage | undefined {
  if (response.status !== 401 && response.status !== 407) return undefined;
  if (!request || !credentials) return undefined;
  const proxy = response.status === 407;
  const { method, uri } = request;
  const answer = authorize(response.headerAll(proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate'), {
    method,
    uri,
    credentials,
    cnonce: core.tokens.next(8),
    nc: 1,
    hash: core.hash,
  });
  if (answer === undefined) return undefined;
  const again = request.clone();
  again.remove('Via');
  again.set('CSeq', `${request.cseq.n + 1} ${method}`);
  again.set(answerTo(response.status), answer);
  return again;
}
