/**
 * The outgoing RTP stream of an endpoint: one SSRC, whatever feeds it. Relayed packets keep the gaps and order of their
 * source, mixed frames follow the tick; every change between them goes on in sequence and time.
 */
import { EVENT_SIZE, writeEvent } from '#shared/rtp/dtmf.ts';
import { type Law, lawOf } from '#shared/rtp/g711.ts';
import { encodeInto } from '#shared/rtp/mix.ts';
import { FRAME, RTP_HEADER, type RtpHeader, sequenceDistance, writeHeader } from '#shared/rtp/packet.ts';

/** Largest payload that is relayed: 60 ms of G.711; a larger one is dropped. */
export const PAYLOAD_LIMIT = 480;

/** Packets of one endpoint that may be on their way at once; its buffers are used again after as many sends. */
export const BUFFERS = 8;

/** Level of the events that we send, below 0 dBm0. */
const EVENT_VOLUME = 10;

export class RtpSender {
  readonly ssrc: number;
  sent = 0;
  octets = 0;
  /** Timestamp of the newest packet and the moment (mono, ms) it went. */
  timestamp: number;
  at = Number.NEGATIVE_INFINITY;
  #sequence: number;
  readonly #epoch: number;
  /** What the offsets belong to: an SSRC of a relayed source, or the mix. */
  #feed: number | 'mix' | undefined;
  #feedKey: unknown;
  #sequenceOffset = 0;
  #timestampOffset = 0;
  readonly #buffers = Array.from({ length: BUFFERS }, () => new Uint8Array(RTP_HEADER + PAYLOAD_LIMIT));
  #buffer = 0;

  /**
   * `epoch`: the timestamp of moment 0. It is random (RFC 3550 section 5.1) but one for all streams of a graph: a phone that is led from
   * one endpoint to another hears its time go on, and some discard whatever seems to be older than what they heard last.
   */
  constructor(random32: () => number, epoch: number) {
    this.ssrc = random32() >>> 0;
    this.#epoch = epoch;
    this.timestamp = epoch >>> 0;
    this.#sequence = random32() & 0xffff;
  }

  /**
   * A packet that carries the payload of a relayed one, with our header; undefined where it is too large. `source` tells
   * one relaying endpoint from another. Length = `RTP_HEADER` + payload.
   */
  relay(
    source: unknown,
    header: RtpHeader,
    data: Uint8Array,
    payloadType: number,
    codes: Uint8Array | undefined,
    now: number,
  ): Uint8Array | undefined {
    const length = header.payloadEnd - header.payloadStart;
    if (length > PAYLOAD_LIMIT) return undefined;
    const fresh = this.#feed !== header.ssrc || this.#feedKey !== source;
    if (fresh) {
      this.#sequenceOffset = this.#sequence + 1 - header.sequence;
      this.#timestampOffset = this.#resume(now) - header.timestamp;
      this.#feed = header.ssrc;
      this.#feedKey = source;
    }
    const sequence = (header.sequence + this.#sequenceOffset) & 0xffff;
    const timestamp = (header.timestamp + this.#timestampOffset) >>> 0;
    const packet = this.#next();
    writeHeader(packet, header.marker || fresh, payloadType, sequence, timestamp, this.ssrc);
    const start = header.payloadStart;
    if (codes === undefined) for (let i = 0; i < length; i++) packet[RTP_HEADER + i] = data[start + i] as number;
    else for (let i = 0; i < length; i++) packet[RTP_HEADER + i] = codes[data[start + i] as number] as number;
    if (fresh || sequenceDistance(sequence, this.#sequence) > 0) {
      this.#sequence = sequence;
      this.timestamp = timestamp;
    }
    this.#count(length, now);
    return packet;
  }

  /** A packet of one mixed frame; `tick` counts 20 ms on the grid. Length = `RTP_HEADER` + `FRAME`. */
  frame(sum: Int32Array, law: Law, payloadType: number, tick: number, now: number): Uint8Array {
    const fresh = this.#feed !== 'mix';
    if (fresh) {
      this.#timestampOffset = this.#resume(now) - tick * FRAME;
      this.#feed = 'mix';
      this.#feedKey = undefined;
    }
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.timestamp = (tick * FRAME + this.#timestampOffset) >>> 0;
    const packet = this.#next();
    writeHeader(packet, fresh, payloadType, this.#sequence, this.timestamp, this.ssrc);
    encodeInto(packet, RTP_HEADER, sum, lawOf(law).encode);
    this.#count(FRAME, now);
    return packet;
  }

  /**
   * A packet of a telephone event; all of one event carry the timestamp at which it began (`first`). Whatever feeds the stream
   * afterwards goes on in sequence and time. Length = `RTP_HEADER` + `EVENT_SIZE`.
   */
  event(digit: string, payloadType: number, first: boolean, end: boolean, duration: number, now: number): Uint8Array {
    if (first) this.timestamp = this.#resume(now) >>> 0;
    this.#feed = undefined;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const packet = this.#next();
    writeHeader(packet, first, payloadType, this.#sequence, this.timestamp, this.ssrc);
    writeEvent(packet, RTP_HEADER, digit, end, EVENT_VOLUME, duration);
    this.sent++;
    this.octets += EVENT_SIZE;
    // The time of the event's beginning, which the timestamp belongs to, stays.
    if (first) this.at = now;
    return packet;
  }

  #next(): Uint8Array {
    this.#buffer = (this.#buffer + 1) % BUFFERS;
    return this.#buffers[this.#buffer] as Uint8Array;
  }

  #count(octets: number, now: number): void {
    this.sent++;
    this.octets += octets;
    this.at = now;
  }

  /** The timestamp with which a new feed goes on: as much later as time has passed, at least a frame. */
  #resume(now: number): number {
    if (!Number.isFinite(this.at)) return this.#epoch + Math.round(now * 8);
    return this.timestamp + Math.max(FRAME, Math.round((now - this.at) * 8));
  }
}
