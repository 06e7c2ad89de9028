/** The wire form of a message. */
import { CONTENT_LENGTH } from './headers.ts';
import type { SipMessage } from './message.ts';

/** Text of a message, one character per octet: header fields in their order, Content-Length (always ours) last. */
export function write(message: SipMessage): string {
  let text =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
  for (const field of message.fields) {
    if (field.id === CONTENT_LENGTH) continue;
    text += `${field.name}: ${field.text.slice(field.start, field.end)}\r\n`;
  }
  return `${text}Content-Length: ${message.body.length}\r\n\r\n${message.body}`;
}
