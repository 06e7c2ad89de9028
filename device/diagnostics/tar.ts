/** A tar archive of small files (POSIX.1-1988 ustar). Pure. */
import { fromLatin1, utf8 } from '#shared/kernel/bytes.ts';

export interface TarFile {
  /** At most 100 octets of ASCII. */
  readonly name: string;
  readonly text: string;
}

const BLOCK = 512;

/** The archive; `wall` is the time of its files, ms. */
export function tar(files: readonly TarFile[], wall: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { name, text } of files) {
    const data = utf8(text);
    parts.push(
      header(name, data.length, Math.floor(wall / 1000)),
      data,
      new Uint8Array((BLOCK - (data.length % BLOCK)) % BLOCK),
    );
  }
  parts.push(new Uint8Array(2 * BLOCK));
  const archive = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}

function header(name: string, octets: number, seconds: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const put = (at: number, text: string) => block.set(fromLatin1(text), at);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  put(0, name.slice(0, 100));
  put(100, octal(0o600, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(octets, 11));
  put(136, octal(seconds, 11));
  put(148, ' '.repeat(8));
  put(156, '0');
  put(257, 'ustar\0');
  put(263, '00');
  const sum = block.reduce((total, octet) => total + octet, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}
