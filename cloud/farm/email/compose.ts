/** Writing mails: header fields and MIME parts (RFC 5322, RFC 2045 to 2047). Pure; ids and times come from the caller. */

import { toBase64 } from '#shared/kernel/base64.ts';
import { fromLatin1, utf8 } from '#shared/kernel/bytes.ts';

export interface Attachment {
  readonly name: string;
  /** Media type, for example `image/png`. */
  readonly type: string;
  readonly octets: Uint8Array;
}

export interface Draft {
  readonly from: { readonly name?: string; readonly address: string };
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
  readonly html?: string;
  readonly attachments?: readonly Attachment[];
  /** Without its angle brackets. */
  readonly messageId: string;
  /** Wall clock, ms. */
  readonly at: number;
  /** Written by a program and not to be answered by one (RFC 3834). */
  readonly automatic?: boolean;
}

/** Octets of text in one encoded word, so that the word stays within 75 characters (RFC 2047 section 2). */
const WORD_OCTETS = 42;

/** The whole mail. `token` tells its boundaries from everything in it: random, letters and digits. */
export function compose(draft: Draft, token: string): Uint8Array {
  const attachments = draft.attachments ?? [];
  const bodies = [textPart('text/plain', draft.text)];
  if (draft.html !== undefined) bodies.push(textPart('text/html', draft.html));
  const body = bodies.length === 1 ? (bodies[0] ?? '') : multipart('alternative', `a${token}`, bodies);
  const whole =
    attachments.length === 0 ? body : multipart('mixed', `m${token}`, [body, ...attachments.map(attachmentPart)]);
  return fromLatin1(`${header(draft)}MIME-Version: 1.0\r\n${whole}`);
}

/** The fields that every mail of ours has; the MIME fields follow. */
export function header(draft: Omit<Draft, 'text' | 'html' | 'attachments'>): string {
  const { from, to, subject, messageId, at, automatic } = draft;
  return [
    `From: ${from.name === undefined ? from.address : `${phrase(from.name)} <${from.address}>`}`,
    `To: ${to.join(',\r\n ')}`,
    `Subject: ${words(subject)}`,
    `Date: ${mailDate(at)}`,
    `Message-ID: <${messageId}>`,
    ...(automatic === true ? ['Auto-Submitted: auto-generated'] : []),
    '',
  ].join('\r\n');
}

/** RFC 5322 section 3.3, in UTC. */
export function mailDate(at: number): string {
  return new Date(at).toUTCString().replace('GMT', '+0000');
}

/** A part of parts; each of them begins with its own header fields. */
export function multipart(kind: string, boundary: string, parts: readonly string[]): string {
  const inner = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('');
  return `Content-Type: multipart/${kind}; boundary="${boundary}"\r\n\r\n${inner}--${boundary}--\r\n`;
}

/** Text as it stands where that is plain ASCII in lines of bearable length, else in base 64. */
export function textPart(type: string, text: string): string {
  const lines = text.replace(/\r\n|\r|\n/g, '\r\n');
  const plain = /^[\t\r\n -~]*$/.test(lines) && lines.split('\r\n').every((line) => line.length <= 900);
  return plain
    ? `Content-Type: ${type}; charset=us-ascii\r\n\r\n${lines}`
    : `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${wrapped(utf8(lines))}`;
}

function attachmentPart({ name, type, octets }: Attachment): string {
  const plain = /^[ !#-[\]-~]*$/.test(name);
  const file = plain
    ? `filename="${name}"`
    : `filename*=utf-8''${encodeURIComponent(name.toWellFormed()).replace(/['()*]/g, percent)}`;
  return `Content-Type: ${type}\r\nContent-Disposition: attachment;\r\n ${file}\r\nContent-Transfer-Encoding: base64\r\n\r\n${wrapped(octets)}`;
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}

function wrapped(octets: Uint8Array): string {
  return toBase64(octets).replace(/.{76}/g, '$&\r\n');
}

/** A display name: quoted, or in encoded words. */
function phrase(name: string): string {
  return /^[ !#-[\]-~]*$/.test(name) ? `"${name}"` : words(name);
}

/** Text of a header field: as it is where it is ASCII and short, else in encoded words, folded between them. */
export function words(text: string): string {
  const clean = text.replace(/\p{Cc}/gu, ' ');
  if (/^[ -~]*$/.test(clean) && clean.length <= 900 && !clean.includes('=?')) return clean;
  const chunks: string[] = [];
  let chunk = '';
  for (const char of clean) {
    if (utf8(chunk + char).length > WORD_OCTETS) {
      chunks.push(chunk);
      chunk = '';
    }
    chunk += char;
  }
  chunks.push(chunk);
  return chunks.map((part) => `=?utf-8?B?${toBase64(utf8(part))}?=`).join('\r\n ');
}
