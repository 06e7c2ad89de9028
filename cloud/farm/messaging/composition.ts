/** What a phone gets to see of a message: plain text, or CPIM where receipts are wanted (RFC 3862, RFC 5438 section 7.1.1). Pure. */
import { CPIM_TYPE, IMDN_NAMESPACE, writeCpim } from '#shared/sip/cpim.ts';
import { IMDN_TYPE, writeImdn } from '#shared/sip/imdn.ts';
import type { MessageRow } from './rows.ts';

export interface Composed {
  readonly contentType: string;
  readonly body: string;
}

/** `plainOnly`: the phone has said (415) that it takes no CPIM. A receipt is CPIM always: who asked for it can read it. */
export function compose(message: MessageRow, domain: string, plainOnly: boolean): Composed {
  const { content_type: contentType, body } = message;
  const wants = message.receipts !== '' || message.kind === 'receipt';
  if (!wants || (plainOnly && message.kind === 'message')) return { contentType, body };
  const uri = (party: string) => `<${party.includes(':') ? party : `sip:${party}@${domain}`}>`;
  const text = writeCpim({
    headers: [
      { name: 'From', value: uri(message.from_party) },
      { name: 'To', value: uri(message.party) },
      { name: 'DateTime', value: new Date(message.created_at).toISOString() },
      { name: 'NS', value: `imdn <${IMDN_NAMESPACE}>` },
      { name: 'imdn.Message-ID', value: message.id },
      ...(message.kind === 'receipt'
        ? []
        : [{ name: 'imdn.Disposition-Notification', value: message.receipts.split(',').join(', ') }]),
    ],
    content: [
      { name: 'Content-Type', value: contentType },
      ...(message.kind === 'receipt' ? [{ name: 'Content-Disposition', value: 'notification' }] : []),
    ],
    body,
  });
  return { contentType: CPIM_TYPE, body: text };
}

/** What a message that was delivered (or read) says to its sender. */
export function receiptBody(
  message: Pick<MessageRow, 'origin'>,
  recipient: string,
  what: 'delivery' | 'display',
  at: number,
  domain: string,
): Composed {
  const body = writeImdn({
    messageId: message.origin ?? '',
    dateTime: new Date(at).toISOString(),
    recipientUri: recipient.includes(':') ? recipient : `sip:${recipient}@${domain}`,
    disposition: what,
    status: what === 'delivery' ? 'delivered' : 'displayed',
  });
  return { contentType: IMDN_TYPE, body };
}
