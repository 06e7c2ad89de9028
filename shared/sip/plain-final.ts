/**
 * What is taken of a malformed final response. The far side has answered, and nothing better will come: a refusal holds
 * without the headers that cannot be read (RFC 3261 sections 16.7 and 18.3), and whoever sent a 2xx to an INVITE believes that it is
 * in a call, which has to be ended (section 13.2.2.4). Any other success that says what it grants in what cannot be read fails as silence
 * would (section 8.1.3.1), without the wait. Only what the response is known by must be sound.
 */
import type { Field } from './fields.ts';
import { CALL_ID, CONTENT_LENGTH, CSEQ, FROM, headerKind, TO, VIA } from './headers.ts';
import { SipMessage } from './message.ts';
import { judge } from './validate.ts';

/** A 2xx to an INVITE of which not all could be read: to be acknowledged, and ended. */
export class MalformedSuccess extends SipMessage {}

/** These tell a response's transaction and dialog (sections 17.1.3 and 12.1.2). */
const KNOWN_BY: ReadonlySet<number> = new Set([VIA, FROM, TO, CALL_ID, CSEQ]);
/** Methods whose success is all that their sender asks for; of others the headers or the body say what was granted. */
const DONE: ReadonlySet<string> = new Set(['BYE', 'CANCEL', 'INFO', 'MESSAGE', 'NOTIFY', 'OPTIONS']);
/** Reason phrase that stands in for such a success. */
const UNREADABLE = 'Success Cannot Be Read';
const CONTENT_TYPE = headerKind('Content-Type')?.id;

/**
 * The response without its malformed header fields; undefined where it is to be dropped: a provisional one, one that was meant for
 * somebody else or cannot be told apart. A success that says nothing without them is a 408 of nothing but what it is known by.
 */
export function plainFinal(message: SipMessage): SipMessage | undefined {
  const { kind, status, reason, method } = message;
  if (kind !== 'response' || status < 200) return undefined;
  const succeeds = status < 300;
  const known = message.fields.filter(({ id }) => KNOWN_BY.has(id));
  const made = (fields: Field[], body = ''): SipMessage =>
    new SipMessage('response', '', '', status, reason, fields, body);
  if (judge(made(known)) !== undefined) return undefined;
  if (succeeds && method !== 'INVITE' && !DONE.has(method))
    return new SipMessage('response', '', '', 408, UNREADABLE, known, '');
  const bad = new Set<number>([CONTENT_LENGTH]);
  for (const [id, fields] of Map.groupBy(message.fields, (field) => field.id))
    if (!KNOWN_BY.has(id) && judge(made([...known, ...fields])) !== undefined) bad.add(id);
  const fields = message.fields.filter(({ id }) => !bad.has(id));
  const body = CONTENT_TYPE !== undefined && bad.has(CONTENT_TYPE) ? '' : message.body;
  if (!succeeds || method !== 'INVITE') return made(fields, body);
  return new MalformedSuccess('response', '', '', status, reason, fields, body);
}
