/**
 * RTP packets (RFC 3550 section 5.1), read and written in place.
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |                           timestamp                           |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |           synchronization source (SSRC) identifier            |
 * +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+
 * |       contributing source (CSRC) identifiers, 0 to 15         |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */

/** Octets of a header without contributing sources and extension: what we write. */
export const RTP_HEADER = 12;

/** Samples per second of every codec and clock here (RFC 3551, PCMU and PCMA). */
export const SAMPLE_RATE = 8000;

/** Samples of one 20 ms frame. */
export const FRAME = 160;

/** The fields of one packet; made once and filled by `readHeader` for every packet. */
export interface RtpHeader {
  marker: boolean;
  payloadType: number;
  sequence: number;
  timestamp: number;
  ssrc: number;
  /** The payload is `data.subarray(payloadStart, payloadEnd)`: padding and extension are left out. */
  payloadStart: number;
  payloadEnd: number;
}

export function newHeader(): RtpHeader {
  return { marker: false, payloadType: 0, sequence: 0, timestamp: 0, ssrc: 0, payloadStart: 0, payloadEnd: 0 };
}

/**
 * Fills `into` from a datagram. False where it is no RTP packet: too short, another version, lists or padding longer
 * than the packet, or a payload type that an RTCP packet on this port would show (72 to 76, RFC 3551 section 6).
 */
export function readHeader(data: Uint8Array, into: RtpHeader): boolean {
  const length = data.length;
  if (length < RTP_HEADER) return false;
  const first = at(data, 0);
  if (first >> 6 !== 2) return false;
  let start = RTP_HEADER + 4 * (first & 15);
  if ((first & 16) !== 0) {
    if (start + 4 > length) return false;
    start += 4 + 4 * read16(data, start + 2);
  }
  if (start > length) return false;
  let end = length;
  if ((first & 32) !== 0) {
    const padding = at(data, length - 1);
    if (padding === 0 || padding > length - start) return false;
    end -= padding;
  }
  const second = at(data, 1);
  const payloadType = second & 127;
  if (payloadType >= 72 && payloadType <= 76) return false;
  into.marker = second >= 128;
  into.payloadType = payloadType;
  into.sequence = read16(data, 2);
  into.timestamp = read32(data, 4);
  into.ssrc = read32(data, 8);
  into.payloadStart = start;
  into.payloadEnd = end;
  return true;
}

/** Writes a 12-octet header at the beginning of `target`. */
export function writeHeader(
  target: Uint8Array,
  marker: boolean,
  payloadType: number,
  sequence: number,
  timestamp: number,
  ssrc: number,
): void {
  target[0] = 0x80;
  target[1] = (marker ? 128 : 0) | (payloadType & 127);
  target[2] = sequence >>> 8;
  target[3] = sequence;
  write32(target, 4, timestamp);
  write32(target, 8, ssrc);
}

/** How far sequence number `a` is after `b`, in -32768 … 32767 (they wrap at 2^16). */
export function sequenceDistance(a: number, b: number): number {
  return ((a - b) << 16) >> 16;
}

/** How far timestamp `a` is after `b`, in -2^31 … 2^31 - 1 (they wrap at 2^32). */
export function timestampDistance(a: number, b: number): number {
  return (a - b) | 0;
}

/** The octet at `index`; the caller has checked the length. */
export function at(data: Uint8Array, index: number): number {
  return data[index] as number;
}

/** 16 bits in network order; the caller has checked the length. */
export function read16(data: Uint8Array, index: number): number {
  return (at(data, index) << 8) | at(data, index + 1);
}

/** 32 bits in network order, unsigned; the caller has checked the length. */
export function read32(data: Uint8Array, index: number): number {
  return (((at(data, index) << 24) | (at(data, index + 1) << 16) | read16(data, index + 2)) >>> 0) as number;
}

/** Writes 32 bits in network order. */
export function write32(target: Uint8Array, index: number, value: number): void {
  target[index] = value >>> 24;
  target[index + 1] = value >>> 16;
  target[index + 2] = value >>> 8;
  target[index + 3] = value;
}
