/**
 * RTCP (RFC 3550 section 6): compound packets of a sender or receiver report and the CNAME.
 *
 * ```
 *         0                   1                   2                   3
 *         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * header |V=2|P|    RC   |  PT=200 SR,   |             length            |
 *        |                  SSRC of sender                               |
 * sender |  NTP timestamp, RTP timestamp, packets, octets (SR only)      |
 * block  |  SSRC, fraction lost | cumulative lost, highest sequence,     |
 *        |  jitter, last SR, delay since last SR                         |
 *        +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * ```
 */
import { at, read16, read32, write32 } from './packet.ts';
import type { ReceptionReport } from './statistics.ts';

const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;

/** Seconds from 1900 (NTP) to 1970. */
const NTP_OFFSET = 2_208_988_800;

/** What a sender says about itself in an SR. */
export interface SenderInfo {
  /** Wall clock, ms since 1970. */
  readonly wall: number;
  /** RTP timestamp of that moment. */
  readonly timestamp: number;
  readonly packets: number;
  readonly octets: number;
}

export interface ReportBlock extends ReceptionReport {
  readonly ssrc: number;
  /** Middle 32 bits of the NTP time of the last SR, and the time since, in 1/65536 s; 0 where none came. */
  readonly lastReport: number;
  readonly sinceReport: number;
}

/** The NTP time of a wall clock in ms: seconds and fraction, each of 32 bits. */
export function ntp(wall: number): { readonly seconds: number; readonly fraction: number } {
  const seconds = Math.floor(wall / 1000);
  return {
    seconds: (seconds + NTP_OFFSET) >>> 0,
    fraction: Math.floor(((wall - seconds * 1000) / 1000) * 4_294_967_296),
  };
}

/** Middle 32 bits of the NTP time, the form in which reports name moments (RFC 3550 6.4.1). */
export function ntpMiddle(wall: number): number {
  const time = ntp(wall);
  return ((time.seconds << 16) | (time.fraction >>> 16)) >>> 0;
}

/** A compound packet: SR (with `sender`) or RR, the block if there is one, and the CNAME (at most 255 octets of ASCII). */
export function writeReport(
  ssrc: number,
  cname: string,
  sender: SenderInfo | undefined,
  block: ReportBlock | undefined,
): Uint8Array<ArrayBuffer> {
  const report = 8 + (sender === undefined ? 0 : 20) + (block === undefined ? 0 : 24);
  const name = cname.slice(0, 255);
  const item = 2 + name.length;
  // At least one zero octet ends the list of items, then zeros up to a word (RFC 3550 6.5).
  const described = 8 + 4 * (Math.floor(item / 4) + 1);
  const out = new Uint8Array(report + described);
  header(out, 0, block === undefined ? 0 : 1, sender === undefined ? RR : SR, report);
  write32(out, 4, ssrc);
  let position = 8;
  if (sender !== undefined) {
    const time = ntp(sender.wall);
    write32(out, position, time.seconds);
    write32(out, position + 4, time.fraction);
    write32(out, position + 8, sender.timestamp);
    write32(out, position + 12, sender.packets);
    write32(out, position + 16, sender.octets);
    position += 20;
  }
  if (block !== undefined) writeBlock(out, position, block);
  header(out, report, 1, SDES, described);
  write32(out, report + 4, ssrc);
  out[report + 8] = 1;
  out[report + 9] = name.length;
  for (let i = 0; i < name.length; i++) out[report + 10 + i] = name.charCodeAt(i);
  return out;
}

function header(out: Uint8Array, start: number, count: number, type: number, octets: number): void {
  out[start] = 0x80 | count;
  out[start + 1] = type;
  const words = octets / 4 - 1;
  out[start + 2] = words >>> 8;
  out[start + 3] = words;
}

function writeBlock(out: Uint8Array, start: number, block: ReportBlock): void {
  write32(out, start, block.ssrc);
  write32(out, start + 4, ((block.fraction << 24) | (block.lost & 0xff_ffff)) >>> 0);
  write32(out, start + 8, block.highest);
  write32(out, start + 12, block.jitter);
  write32(out, start + 16, block.lastReport);
  write32(out, start + 20, block.sinceReport);
}

/** What of a compound packet matters to a sender and receiver of one stream. */
export interface ReadReport {
  readonly ssrc: number;
  /** Present in an SR. */
  readonly sender?: {
    readonly ntpMiddle: number;
    readonly timestamp: number;
    readonly packets: number;
    readonly octets: number;
  };
  readonly blocks: readonly ReportBlock[];
  readonly cname?: string;
  readonly bye: boolean;
}

/**
 * Reads a compound packet; undefined where it breaks RFC 3550 section A.2: version, a first packet that is no SR or RR,
 * lengths that do not add up.
 */
export function readReport(data: Uint8Array): ReadReport | undefined {
  let read: { -readonly [K in keyof ReadReport]: ReadReport[K] } | undefined;
  let position = 0;
  while (position < data.length) {
    if (position + 4 > data.length || at(data, position) >> 6 !== 2) return undefined;
    const size = 4 * (read16(data, position + 2) + 1);
    if (position + size > data.length) return undefined;
    const type = at(data, position + 1);
    const count = at(data, position) & 31;
    if (read === undefined) {
      if (type !== SR && type !== RR) return undefined;
      read = readFirst(data, position, size, type, count);
      if (read === undefined) return undefined;
    } else if (type === SDES && count > 0) {
      const cname = readCname(data, position + 8, position + size);
      if (cname !== undefined) read.cname = cname;
    } else if (type === BYE) read.bye = true;
    position += size;
  }
  return read;
}

function readFirst(
  data: Uint8Array,
  start: number,
  size: number,
  type: number,
  count: number,
): { ssrc: number; sender?: NonNullable<ReadReport['sender']>; blocks: ReportBlock[]; bye: boolean } | undefined {
  const fixed = type === SR ? 28 : 8;
  if (size < fixed + 24 * count) return undefined;
  const blocks: ReportBlock[] = [];
  for (let i = 0; i < count; i++) blocks.push(readBlock(data, start + fixed + 24 * i));
  const ssrc = read32(data, start + 4);
  if (type === RR) return { ssrc, blocks, bye: false };
  const sender = {
    ntpMiddle: ((read16(data, start + 10) << 16) | read16(data, start + 12)) >>> 0,
    timestamp: read32(data, start + 16),
    packets: read32(data, start + 20),
    octets: read32(data, start + 24),
  };
  return { ssrc, sender, blocks, bye: false };
}

function readBlock(data: Uint8Array, start: number): ReportBlock {
  const lost = read32(data, start + 4);
  return {
    ssrc: read32(data, start),
    fraction: lost >>> 24,
    lost: (lost << 8) >> 8,
    highest: read32(data, start + 8),
    jitter: read32(data, start + 12),
    lastReport: read32(data, start + 16),
    sinceReport: read32(data, start + 20),
  };
}

function readCname(data: Uint8Array, start: number, end: number): string | undefined {
  let position = start;
  while (position + 2 <= end && at(data, position) !== 0) {
    const length = at(data, position + 1);
    if (position + 2 + length > end) return undefined;
    if (at(data, position) === 1) {
      return String.fromCharCode(...data.subarray(position + 2, position + 2 + length));
    }
    position += 2 + length;
  }
  return undefined;
}
