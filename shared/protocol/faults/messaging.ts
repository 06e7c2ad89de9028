import { faultTable } from './entry.ts';

/** Faults of messages; they are also the reasons with which a message does not arrive. */
export const messagingFaults = faultTable({
  message_expired: {
    title: 'The message was not delivered within its time',
    next: 'Send it again, or let it live longer (expiresIn, at most 30 days).',
    retry: 'later',
    http: 409,
    sip: 480,
  },
  message_refused: {
    title: 'The phone of the recipient refused the message',
    next: 'See the status in the recipient’s reason; many phones take plain text only.',
    retry: 'never',
    http: 409,
    sip: 406,
  },
  message_content: {
    title: 'Messages carry text/plain, message/cpim or message/imdn+xml in UTF-8',
    next: 'Send the message as text.',
    retry: 'never',
    http: 415,
    sip: 415,
  },
  queue_full: {
    title: 'Too many messages wait for this recipient already',
    next: 'Try again once a phone of the recipient has been on.',
    retry: 'later',
    http: 409,
    sip: 480,
  },
});
