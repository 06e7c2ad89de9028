/**
 * The torture messages of RFC 4475 and RFC 5118, taken at test time from the RFCs' own text (Debian package
 * doc-rfc-informational), decoded as their appendix A says: base64 lines between two markers, a gzipped tar.
 * For RFC 4475 the same 49 files come with the npm package `sip` (a development dependency) and serve where the text is absent.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { latin1 } from '#shared/kernel/bytes.ts';

const RFC = (number: number): string => `/usr/share/doc/RFC/informational/rfc${number}.txt.gz`;
const PEER = new URL('../../node_modules/sip/test/messages/', import.meta.url);

/** Messages by name (one character per octet) and where they came from; undefined where there is no source. */
export interface Torture {
  readonly source: string;
  readonly messages: ReadonlyMap<string, string>;
}

export function torture4475(): Torture | undefined {
  if (existsSync(RFC(4475))) return { source: RFC(4475), messages: archiveOf(RFC(4475)) };
  if (!existsSync(PEER)) return undefined;
  const names = readdirSync(PEER).filter((name) => name.endsWith('.dat'));
  const read = (name: string): string => latin1(readFileSync(new URL(name, PEER)));
  return { source: 'npm sip', messages: new Map(names.map((name) => [name.slice(0, -4), read(name)])) };
}

export function torture5118(): Torture | undefined {
  return existsSync(RFC(5118)) ? { source: RFC(5118), messages: archiveOf(RFC(5118)) } : undefined;
}

/** The archive of RFC 5118 has bare line feeds, sometimes no empty line, and lengths that do not fit. */
export function repaired(text: string): string {
  const [head = '', ...body] = text.replaceAll('\r\n', '\n').split('\n\n');
  const rest = body.join('\n\n').replaceAll('\n', '\r\n');
  const lines = head.split('\n').filter((line) => line !== '' && !line.startsWith('Content-Length:'));
  return [...lines, `Content-Length: ${rest.length}`, '', rest].join('\r\n');
}

function archiveOf(path: string): Map<string, string> {
  const lines = latin1(gunzipSync(readFileSync(path))).split('\n');
  // The markers stand twice: in the listing of the decoder, then around the archive itself.
  const from = lines.findLastIndex((line) => line.includes('-- BEGIN MESSAGE ARCHIVE --'));
  const to = lines.findLastIndex((line) => line.includes('-- END MESSAGE ARCHIVE --'));
  const words = lines.slice(from + 1, to).map((line) => line.trim());
  // Page headers and footers between them have spaces inside.
  const base64 = words.filter((line) => line !== '' && !line.includes(' ')).join('');
  return untar(gunzipSync(Buffer.from(base64, 'base64')));
}

/** Regular files of a tar archive by their base name without extension (POSIX ustar: 512-octet headers, octal sizes). */
function untar(tar: Uint8Array): Map<string, string> {
  const files = new Map<string, string>();
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const field = (offset: number, length: number): string =>
      latin1(tar.subarray(at + offset, at + offset + length)).split('\0')[0] ?? '';
    const size = Number.parseInt(field(124, 12), 8);
    const name = field(0, 100).split('/').at(-1) ?? '';
    const dot = name.lastIndexOf('.');
    if (size > 0) files.set(name.slice(0, dot < 0 ? undefined : dot), latin1(tar.subarray(at + 512, at + 512 + size)));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
