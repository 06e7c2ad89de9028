import { faultTable } from './entry.ts';

/** Faults of the e-mail server. */
export const emailFaults = faultTable({
  mail_address_invalid: {
    title: 'This is no mail address',
    next: 'Write it as name@domain, without a name beside it.',
    retry: 'never',
    http: 400,
    sip: 400,
  },
  mail_recipient_unknown: {
    title: 'This operator has no mailbox of that address',
    next: 'Check the address; GET /v1/mailboxes lists your own.',
    retry: 'never',
    http: 422,
    sip: 404,
  },
  mail_no_route: {
    title: 'This operator sends no mail to other domains',
    next: 'The operator must start the cloud with --relay or --mx.',
    retry: 'never',
    http: 409,
    sip: 404,
  },
  mailbox_missing: {
    title: 'This home has no mailbox',
    next: 'Make one with POST /v1/mailboxes.',
    retry: 'never',
    http: 409,
    sip: 404,
  },
  mailbox_full: {
    title: 'The mailbox has no room for this mail',
    next: 'Delete mails that are not needed.',
    retry: 'later',
    http: 507,
    sip: 480,
  },
  mail_address_taken: {
    title: 'This mail address belongs to a mailbox already',
    next: 'Choose another name for the mailbox.',
    retry: 'never',
    http: 409,
    sip: 403,
  },
});
