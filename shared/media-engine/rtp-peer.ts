/**
 * The media half of a phone on a World: sends samples as RTP on a 20 ms clock and keeps what it hears, by timestamp. Used
 * by the simulator's phones and by tests; it knows nothing of the engine.
 */
import type { Address, Timer, UdpSocket, World } from '#shared/kernel/world.ts';
import { DtmfReceiver, EVENT_SIZE, writeEvent } from '#shared/rtp/dtmf.ts';
import { lawOf } from '#shared/rtp/g711.ts';
import { JitterBuffer } from '#shared/rtp/jitter-buffer.ts';
import { FRAME, newHeader, RTP_HEADER, readHeader, timestampDistance, writeHeader } from '#shared/rtp/packet.ts';
import type { AudioCodec } from './engine.ts';

/** What is kept of a call, samples: five minutes. Older sound stays, newer is counted only. */
const KEPT = 5 * 60 * 8000;

/** Fills a frame of 20 ms that is to be sent; false: there is nothing to say. */
export type FrameSource = (frame: Int16Array) => boolean;

export class RtpPeer {
  readonly #world: World;
  readonly #socket: UdpSocket;
  readonly #ssrc: number;
  readonly #header = newHeader();
  #heard = new Int16Array(8000);
  #length = 0;
  #first: { readonly ssrc: number; readonly timestamp: number; readonly at: number } | undefined;
  #samples: Int16Array = new Int16Array(0);
  #position = 0;
  #loop = false;
  #sequence = 0;
  #timestamp = 0;
  #timer: Timer | undefined;
  #bridge:
    | { readonly source: FrameSource; readonly sink: (frame: Int16Array) => void; readonly jitter: JitterBuffer }
    | undefined;
  readonly #frame = new Int16Array(FRAME);
  /** Where RTP goes; undefined: nowhere. */
  target: Address | undefined;
  codec: AudioCodec = 'PCMU';
  /** Packets of RTP that came, whatever they carried, and the source of the last. */
  received = 0;
  lastFrom: Address | undefined;
  /** Takes what comes and is no RTP. */
  onOther: ((data: Uint8Array) => void) | undefined;
  /** Telephone events that came, in order. */
  digits = '';
  readonly #dtmf = new DtmfReceiver((digit) => {
    this.digits += digit;
  });
  /** The payload type of events, where they are agreed. */
  eventType: number | undefined;
  /** Payload types that came. */
  readonly types = new Set<number>();

  private constructor(world: World, socket: UdpSocket) {
    this.#world = world;
    this.#socket = socket;
    this.#ssrc = new DataView(world.random.bytes(4).buffer).getUint32(0);
  }

  /** Binds; port 0 takes a free one. */
  static async open(world: World, host: string, port = 0): Promise<RtpPeer> {
    let receive: ((data: Uint8Array, from: Address) => void) | undefined;
    const socket = await world.net.udp({ host, port }, (data, from) => receive?.(data, from));
    const peer = new RtpPeer(world, socket);
    receive = (data, from) => peer.#receive(data, from);
    return peer;
  }

  get local(): Address {
    return this.#socket.local;
  }

  /** Begins to send: these samples, then silence (or the samples again). It goes on until `stop`. */
  play(samples: Int16Array, loop = false): void {
    this.#samples = samples;
    this.#position = 0;
    this.#loop = loop;
    this.begin();
  }

  /** Begins to send what was played last, or silence. */
  begin(): void {
    if (this.#timer === undefined) this.#arm(this.#world.clock.mono());
  }

  /** From now on frames come from `source` before what is played, and `sink` gets what was heard: one each per 20 ms while it sends. */
  bridge(source: FrameSource, sink: (frame: Int16Array) => void): void {
    this.#bridge = { source, sink, jitter: new JitterBuffer() };
  }

  /** Ceases to send. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Presses a digit for 100 ms: an event packet every 20 ms, the end three times (RFC 4733 2.5.1). */
  press(digit: string, payloadType: number): void {
    const { target } = this;
    if (target === undefined) return;
    const packet = new Uint8Array(RTP_HEADER + EVENT_SIZE);
    for (let i = 1; i <= 7; i++) {
      const duration = Math.min(i, 5) * FRAME;
      writeHeader(packet, i === 1, payloadType, this.#sequence++ & 0xffff, this.#timestamp, this.#ssrc);
      if (writeEvent(packet, RTP_HEADER, digit, i >= 5, 10, duration)) this.#socket.send(packet.slice(), target);
    }
  }

  /** Sends a datagram that is no RTP. */
  send(data: Uint8Array): void {
    if (this.target !== undefined) this.#socket.send(data, this.target);
  }

  /** What came, placed by its timestamps; gaps are zeros. */
  heard(): Int16Array {
    return this.#heard.slice(0, this.#length);
  }

  /** Forgets what came. */
  clear(): void {
    this.#first = undefined;
    this.#length = 0;
    this.received = 0;
    this.types.clear();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#socket.close();
  }

  #arm(due: number): void {
    this.#timer = this.#world.clock.at(due, () => {
      this.#send();
      this.#arm(due + 20);
    });
  }

  #send(): void {
    const { encode, silence } = lawOf(this.codec);
    const packet = new Uint8Array(RTP_HEADER + FRAME);
    const type = this.codec === 'PCMU' ? 0 : 8;
    writeHeader(packet, this.#sequence === 0, type, this.#sequence++ & 0xffff, this.#timestamp, this.#ssrc);
    this.#timestamp = (this.#timestamp + FRAME) >>> 0;
    const bridged = this.#bridge?.source(this.#frame) ?? false;
    for (let i = 0; i < FRAME; i++) {
      if (this.#loop && this.#position >= this.#samples.length) this.#position = 0;
      const sample = bridged ? this.#frame[i] : this.#samples[this.#position++];
      packet[RTP_HEADER + i] = sample === undefined ? silence : (encode[sample & 0xffff] as number);
    }
    if (this.target !== undefined) this.#socket.send(packet, this.target);
    if (this.#bridge === undefined) return;
    this.#bridge.jitter.take(this.#frame);
    this.#bridge.sink(this.#frame);
  }

  #receive(data: Uint8Array, from: Address): void {
    const header = this.#header;
    if (!readHeader(data, header)) {
      this.onOther?.(data);
      return;
    }
    this.received++;
    this.lastFrom = from;
    this.types.add(header.payloadType);
    const now = this.#world.clock.mono();
    if (header.payloadType === this.eventType)
      this.#dtmf.push(header.timestamp, data, header.payloadStart, header.payloadEnd, now);
    if (header.payloadType !== 0 && header.payloadType !== 8) return;
    const { ssrc, sequence, timestamp, payloadStart: start, payloadEnd: end } = header;
    const { decode } = lawOf(header.payloadType === 0 ? 'PCMU' : 'PCMA');
    this.#bridge?.jitter.put(ssrc, sequence, timestamp, data, start, end, decode);
    if (this.#first?.ssrc !== header.ssrc) {
      // Another source goes on where time has got to.
      const passed = this.#first === undefined ? 0 : Math.round((now - this.#first.at) * 8);
      const at = this.#first?.at ?? now;
      this.#first = { ssrc: header.ssrc, timestamp: (header.timestamp - passed) >>> 0, at };
    }
    this.#keep(timestampDistance(header.timestamp, this.#first.timestamp), data);
  }

  #keep(start: number, data: Uint8Array): void {
    const { payloadStart, payloadEnd, payloadType } = this.#header;
    const end = start + payloadEnd - payloadStart;
    if (start < 0 || end > KEPT) return;
    if (end > this.#heard.length) {
      const more = new Int16Array(Math.min(KEPT, 2 * end));
      more.set(this.#heard);
      this.#heard = more;
    }
    const { decode } = lawOf(payloadType === 0 ? 'PCMU' : 'PCMA');
    for (let i = start; i < end; i++) this.#heard[i] = decode[data[payloadStart + i - start] as number] as number;
    this.#length = Math.max(this.#length, end);
  }
}
