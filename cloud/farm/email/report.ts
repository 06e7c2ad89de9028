/** Delivery status notifications: the mail that says that a mail could not be delivered (RFC 3461, 3462, 3464). Pure. */
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import { header, mailDate, multipart, textPart } from './compose.ts';

export interface Undelivered {
  readonly recipient: string;
  /** Enhanced status code (RFC 3463), for example `5.1.1`. */
  readonly status: string;
  /** The other server's own words, or ours. */
  readonly reply: string;
  /** The server that refused it; absent: none was reached. */
  readonly server?: string;
}

export interface Report {
  readonly domain: string;
  /** Whom it is for: the envelope sender of the mail. */
  readonly to: string;
  readonly messageId: string;
  readonly at: number;
  /** When the mail came in to us. */
  readonly arrived: number;
  /** The header of the mail that could not be delivered, latin1. */
  readonly original: string;
  readonly failed: readonly Undelivered[];
}

/** Octets of the original header that go back with the report. */
const ORIGINAL_LIMIT = 16_384;

/** The whole report. It is sent with the null sender, so that nothing answers it. */
export function writeReport(report: Report, token: string): Uint8Array {
  const { domain, to, messageId, at, arrived, original, failed } = report;
  const fields = [
    `Reporting-MTA: dns; ${domain}`,
    `Arrival-Date: ${mailDate(arrived)}`,
    ...failed.flatMap(({ recipient, status, reply, server }) => [
      '',
      `Final-Recipient: rfc822; ${recipient}`,
      'Action: failed',
      `Status: ${status}`,
      ...(server === undefined ? [] : [`Remote-MTA: dns; ${ascii(server)}`]),
      `Diagnostic-Code: ${server === undefined ? 'x-hearthline' : 'smtp'}; ${ascii(reply)}`,
    ]),
  ];
  const said = failed.map(({ recipient, reply }) => `  ${recipient}\n    ${ascii(reply)}`).join('\n');
  const text = `Your mail could not be delivered to:\n\n${said}\n\nNothing more will be tried. Its header follows.\n`;
  const body = multipart('report; report-type=delivery-status', `r${token}`, [
    textPart('text/plain', text),
    `Content-Type: message/delivery-status\r\n\r\n${fields.join('\r\n')}\r\n`,
    `Content-Type: text/rfc822-headers\r\n\r\n${original.slice(0, ORIGINAL_LIMIT)}\r\n`,
  ]);
  const top = header({
    from: { name: 'Mail delivery', address: `postmaster@${domain}` },
    to: [to],
    subject: 'Your mail could not be delivered',
    messageId,
    at,
  });
  return fromLatin1(`${top}Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n${body}`);
}

/** What another server said, on one line of printable ASCII. */
function ascii(text: string): string {
  return text.replace(/[^ -~]+/g, ' ').slice(0, 500);
}
