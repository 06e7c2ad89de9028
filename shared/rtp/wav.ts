/** WAV files of 8 kHz mono sound: 16-bit linear (format 1), A-law (6) and mu-law (7). */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { latin1 } from '../kernel/bytes.ts';
import { type Law, lawOf } from './g711.ts';
import { SAMPLE_RATE } from './packet.ts';

/** Largest file that is read, octets: 17 minutes of 16-bit sound. */
export const WAV_LIMIT = 16 * 1024 * 1024;

/** What is wrong with a file, in words for whoever put it there. */
export type WavFault = 'too_large' | 'not_wav' | 'truncated' | 'not_8khz_mono' | 'unknown_format';

interface Format {
  readonly code: number;
  readonly bits: number;
}

/** The samples of a file; a chunk that reaches past the end of the file makes it `truncated`. */
export function readWav(data: Uint8Array): Result<Int16Array, WavFault> {
  if (data.length > WAV_LIMIT) return err('too_large');
  if (data.length < 12 || latin1(data.subarray(0, 4)) !== 'RIFF' || latin1(data.subarray(8, 12)) !== 'WAVE') {
    return err('not_wav');
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let format: Format | undefined;
  let position = 12;
  while (position + 8 <= data.length) {
    const name = latin1(data.subarray(position, position + 4));
    const size = view.getUint32(position + 4, true);
    const start = position + 8;
    if (size > data.length - start) return err('truncated');
    if (name === 'fmt ') {
      const read = readFormat(view, start, size);
      if (!read.ok) return read;
      format = read.value;
    }
    if (name === 'data') {
      return format === undefined ? err('unknown_format') : samples(view, start, size, format);
    }
    position = start + size + (size & 1);
  }
  return err('truncated');
}

function readFormat(view: DataView, start: number, size: number): Result<Format, WavFault> {
  if (size < 16) return err('truncated');
  const code = view.getUint16(start, true);
  const bits = view.getUint16(start + 14, true);
  if (view.getUint16(start + 2, true) !== 1 || view.getUint32(start + 4, true) !== SAMPLE_RATE) {
    return err('not_8khz_mono');
  }
  const known = code === 1 ? bits === 16 : (code === 6 || code === 7) && bits === 8;
  return known ? ok({ code, bits }) : err('unknown_format');
}

function samples(view: DataView, start: number, size: number, format: Format): Result<Int16Array, WavFault> {
  if (format.code === 1) {
    if (size % 2 !== 0) return err('truncated');
    const out = new Int16Array(size / 2);
    for (let i = 0; i < out.length; i++) out[i] = view.getInt16(start + 2 * i, true);
    return ok(out);
  }
  const { decode } = lawOf(format.code === 7 ? 'PCMU' : 'PCMA');
  const out = new Int16Array(size);
  for (let i = 0; i < size; i++) out[i] = decode[view.getUint8(start + i)] as number;
  return ok(out);
}

/** Octets before the sound in a file of `writeWav`. */
export const WAV_HEADER = 44;

/** What stands before `size` octets of sound, coded by `law` or, without one, as 16-bit linear. */
export function wavHeader(size: number, law?: Law): Uint8Array<ArrayBuffer> {
  const octets = law === undefined ? 2 : 1;
  const header = new Uint8Array(WAV_HEADER);
  const view = new DataView(header.buffer);
  const word = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
  };
  word(0, 'RIFF');
  view.setUint32(4, WAV_HEADER - 8 + size + (size & 1), true);
  word(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, law === undefined ? 1 : law === 'PCMU' ? 7 : 6, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLE_RATE, true);
  view.setUint32(28, SAMPLE_RATE * octets, true);
  view.setUint16(32, octets, true);
  view.setUint16(34, octets * 8, true);
  word(36, 'data');
  view.setUint32(40, size, true);
  return header;
}

/** A file of these samples, coded by `law` or, without one, as 16-bit linear. */
export function writeWav(pcm: Int16Array, law?: Law): Uint8Array<ArrayBuffer> {
  const size = pcm.length * (law === undefined ? 2 : 1);
  const file = new Uint8Array(WAV_HEADER + size + (size & 1));
  file.set(wavHeader(size, law));
  if (law === undefined) {
    const view = new DataView(file.buffer);
    for (let i = 0; i < pcm.length; i++) view.setInt16(WAV_HEADER + 2 * i, pcm[i] as number, true);
  } else {
    const { encode } = lawOf(law);
    for (let i = 0; i < pcm.length; i++) file[WAV_HEADER + i] = encode[(pcm[i] as number) & 0xffff] as number;
  }
  return file;
}
