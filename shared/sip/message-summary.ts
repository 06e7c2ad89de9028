/** The body of the event package `message-summary` (RFC 3842): whether messages wait, and how many of which class. */

export const MESSAGE_SUMMARY = 'application/simple-message-summary';

/** Message context classes (RFC 3458) as RFC 3842 writes them. */
export type MessageClass = 'Voice-Message' | 'Text-Message' | 'Fax-Message';

export interface Waiting {
  readonly class: MessageClass;
  /** Not heard or read yet, and those that were. */
  readonly fresh: number;
  readonly old: number;
}

/** `account` is the URI of the line. */
export function writeSummary(account: string, waiting: readonly Waiting[]): string {
  const any = waiting.some(({ fresh }) => fresh > 0);
  const lines = [`Messages-Waiting: ${any ? 'yes' : 'no'}`, `Message-Account: ${account}`];
  for (const one of waiting) lines.push(`${one.class}: ${one.fresh}/${one.old} (0/0)`);
  return `${lines.join('\r\n')}\r\n`;
}
