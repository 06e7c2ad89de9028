/** Reading mails as people see them: text and attachments (postal-mime), with bounds for what strangers may write. */
import PostalMime, { addressParser } from 'postal-mime';

/** Characters of a text that are shown. */
export const TEXT_LIMIT = 262_144;
/** Attachments of one mail that are listed. */
export const ATTACHMENT_LIMIT = 100;
/** Parts within parts. */
const DEPTH_LIMIT = 32;
const HEADER_LIMIT = 262_144;

export interface Part {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly octets: Uint8Array;
}

export interface Parsed {
  readonly text: string;
  readonly html?: string;
  readonly cut: boolean;
  readonly parts: readonly Part[];
}

/** What a mail holds; one that cannot be read is shown as its octets. */
export async function parseMail(raw: Uint8Array): Promise<Parsed> {
  try {
    const mail = await PostalMime.parse(raw, {
      maxNestingDepth: DEPTH_LIMIT,
      maxHeadersSize: HEADER_LIMIT,
      attachmentEncoding: 'arraybuffer',
    });
    const text = mail.text ?? '';
    const html = mail.html;
    return {
      text: shown(text),
      ...(html === undefined ? {} : { html: shown(html) }),
      cut: text.length > TEXT_LIMIT || (html?.length ?? 0) > TEXT_LIMIT,
      parts: mail.attachments.slice(0, ATTACHMENT_LIMIT).map(({ filename, mimeType, content }, i) => ({
        id: `att_${i + 1}`,
        name: (filename ?? `attachment-${i + 1}`).replace(/[\p{Cc}/\\]/gu, '_').slice(0, 255),
        type: mimeType.slice(0, 127),
        octets: typeof content === 'string' ? new TextEncoder().encode(content) : new Uint8Array(content),
      })),
    };
  } catch {
    return {
      text: shown(new TextDecoder('latin1').decode(raw.subarray(0, TEXT_LIMIT))),
      cut: raw.length > TEXT_LIMIT,
      parts: [],
    };
  }
}

function shown(text: string): string {
  return text.slice(0, TEXT_LIMIT).replaceAll('\r\n', '\n').toWellFormed();
}

export interface HeaderFacts {
  readonly from: string;
  /** All addresses of the From field; a good mail has one. */
  readonly authors: readonly string[];
  readonly subject: string;
  readonly messageId?: string;
}

/** Who wrote a mail and about what, from its header alone. */
export async function parseHeader(header: Uint8Array): Promise<HeaderFacts> {
  const mail = await PostalMime.parse(header, { maxNestingDepth: DEPTH_LIMIT, maxHeadersSize: HEADER_LIMIT });
  const authors = mail.headers
    .filter(({ key }) => key === 'from')
    .flatMap(({ value }) => addressParser(value, { flatten: true }).map(({ address }) => address ?? ''));
  const messageId = /^<([^<>\s]{1,250})>$/.exec(mail.messageId ?? '')?.[1];
  return {
    from: (authors[0] ?? '')
      .replace(/\p{Cc}/gu, '')
      .slice(0, 254)
      .toWellFormed(),
    authors,
    subject: (mail.subject ?? '')
      .replace(/\p{Cc}/gu, ' ')
      .slice(0, 256)
      .toWellFormed(),
    ...(messageId === undefined ? {} : { messageId }),
  };
}
