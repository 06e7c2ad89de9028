/** What a phone sent, read: a text for somebody, or a disposition notification about a message of ours. Pure. */
import { utf8 } from '../kernel/bytes.ts';
import { err, ok, type Result } from '../kernel/result.ts';
import { type Fault, fault } from '../protocol/fault.ts';
import { TEXT_LIMIT } from '../protocol/verbs/messaging.ts';
import { CPIM_TYPE, type Cpim, cpimContentType, cpimHeaderOf, IMDN_NAMESPACE, parseCpim } from '../sip/cpim.ts';
import { IMDN_TYPE, type Imdn, parseImdn } from '../sip/imdn.ts';

/** Characters of a Message-ID that is kept; a longer one is cut, and only its beginning tells messages apart. */
const ORIGIN_LIMIT = 256;
export const PLAIN_TYPE = 'text/plain;charset=utf-8';

export type Submission =
  | {
      readonly is: 'text';
      readonly text: string;
      /** CPIM Message-ID, where it has one. */
      readonly origin?: string;
      /** `imdn.Disposition-Notification`, normalised: `positive-delivery,display`. */
      readonly receipts: string;
    }
  | { readonly is: 'receipt'; readonly imdn: Imdn };

const WISHES = ['positive-delivery', 'negative-delivery', 'display'] as const;

export function readSubmission(contentType: string, body: string): Result<Submission, Fault> {
  const type = mediaType(contentType);
  if (type === CPIM_TYPE) {
    const cpim = parseCpim(body);
    return cpim === undefined ? err(fault('bad_request', 'The body is no message/cpim.')) : readCpim(cpim);
  }
  if (type === IMDN_TYPE) return readReceipt(body);
  if (type !== 'text/plain' || !isUtf8(contentType)) return err(fault('message_content'));
  return readText(body, { receipts: '' });
}

function readCpim(cpim: Cpim): Result<Submission, Fault> {
  const type = cpimContentType(cpim);
  if (type === IMDN_TYPE) return readReceipt(cpim.body);
  if (type !== 'text/plain') return err(fault('message_content', `A message/cpim that holds ${type} is not taken.`));
  const origin = cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Message-ID');
  const wished = (cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Disposition-Notification') ?? '')
    .split(',')
    .map((one) => one.trim().toLowerCase());
  const receipts = origin === undefined ? '' : WISHES.filter((one) => wished.includes(one)).join(',');
  return readText(cpim.body, { receipts, ...(origin === undefined ? {} : { origin: origin.slice(0, ORIGIN_LIMIT) }) });
}

function readReceipt(body: string): Result<Submission, Fault> {
  const imdn = parseImdn(body);
  return imdn === undefined
    ? err(fault('bad_request', 'The body is no disposition notification.'))
    : ok({ is: 'receipt', imdn });
}

function readText(
  text: string,
  more: { readonly receipts: string; readonly origin?: string },
): Result<Submission, Fault> {
  if (text === '') return err(fault('bad_request', 'The message is empty.'));
  const large = tooLarge(text);
  return large === undefined ? ok({ is: 'text', text, ...more }) : err(large);
}

/** The fault of a text with too many octets. */
export function tooLarge(text: string): Fault | undefined {
  // No character has less than one octet, and none of them more than three per unit of UTF-16.
  const fits = text.length * 3 <= TEXT_LIMIT || utf8(text).length <= TEXT_LIMIT;
  return fits ? undefined : fault('too_large', `A message has at most ${TEXT_LIMIT} octets of text.`);
}

function mediaType(value: string): string {
  const end = value.indexOf(';');
  return (end < 0 ? value : value.slice(0, end)).trim().toLowerCase();
}

/** Without a charset it is ASCII (RFC 2046 section 4.1.2), or UTF-8 as phones mean it. */
function isUtf8(contentType: string): boolean {
  const found = /;\s*charset\s*=\s*"?([^\s;"]+)/i.exec(contentType)?.[1]?.toLowerCase();
  return found === undefined || found === 'utf-8' || found === 'us-ascii' || found === 'utf8';
}
