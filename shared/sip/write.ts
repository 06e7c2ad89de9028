/** The wire form of a message. */
import { CONTENT_LENGTH } from './headers.ts';
import type { SipMessage } from './message.ts';

/**
 * Text of a message, one character per octet: header fields in their order, Content-Length (always ours) last. What stands together in
 * the text of another message goes over in one piece.
 */
export function write(message: SipMessage): string {
  let text =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0\r\n`
      : `SIP/2.0 ${message.status} ${message.reason}\r\n`;
  let piece = '';
  let from = 0;
  let to = 0;
  for (const field of message.fields) {
    if (field.id === CONTENT_LENGTH) continue;
    if (field.line >= 0 && field.line === to && field.text === piece) {
      to = field.end + 2;
      continue;
    }
    if (to > from) text += piece.slice(from, to);
    if (field.line >= 0) {
      piece = field.text;
      from = field.line;
      to = field.end + 2;
    } else {
      text += `${field.name}: ${field.text.slice(field.start, field.end)}\r\n`;
      to = from;
    }
  }
  if (to > from) text += piece.slice(from, to);
  return `${text}Content-Length: ${message.body.length}\r\n\r\n${message.body}`;
}
