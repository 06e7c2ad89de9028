/** An endpoint: a pair of sockets, the stream that comes in and the stream that goes out. */
import type { Address } from '#shared/kernel/world.ts';
import { DtmfReceiver, EVENT_SIZE } from '#shared/rtp/dtmf.ts';
import { type LawTables, lawOf, transcode } from '#shared/rtp/g711.ts';
import { JitterBuffer } from '#shared/rtp/jitter-buffer.ts';
import { FRAME, newHeader, RTP_HEADER, readHeader } from '#shared/rtp/packet.ts';
import { ReceptionStatistics } from '#shared/rtp/statistics.ts';
import type { EndpointSpec, EndpointStats, RemoteSpec } from './engine.ts';
import type { GraphHost, GraphSocket } from './graph-host.ts';
import { Keys } from './keys.ts';
import { Reporter } from './reporter.ts';
import { RtpSender } from './sender.ts';
import { SourceGate } from './source-gate.ts';

/** An endpoint that should receive and hears nothing for this long is reported once, ms. */
export const SILENT_AFTER = 30_000;

/** Packets taken from one source in a second; 20 ms packets are 50. */
export const PACKETS_PER_SECOND = 500;

/** Octets of a datagram that is not RTP. */
export const DATAGRAM_LIMIT = 1_400;

/** The packet being read; one thread, one packet at a time. */
const header = newHeader();

export class EndpointNode {
  readonly kind = 'endpoint';
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  local: Address;
  /** Sound of this tick, where `live`. */
  readonly pcm = new Int16Array(FRAME);
  live = false;
  /** Nodes that it hears, and that hear it. */
  readonly sources = new Set<string>();
  readonly sinks = new Set<string>();
  /** Set by the group: endpoints that get its packets at once, and whether its sound is needed in a mix. */
  relays: EndpointNode[] = [];
  feeds = false;
  remote: RemoteSpec | undefined;
  readonly sender: RtpSender;
  readonly statistics = new ReceptionStatistics();
  readonly #host: GraphHost;
  #rtp: GraphSocket;
  #rtcp: GraphSocket;
  readonly #reporter: Reporter;
  readonly #dtmf: DtmfReceiver;
  readonly #jitter = new JitterBuffer();
  readonly #keys = new Keys();
  #gate: SourceGate | undefined;
  #tables: LawTables = lawOf('PCMU');
  #ssrc = -1;
  #refused = 0;
  #heard = 0;
  #first = false;
  #silent = false;
  #inSecond = 0;
  #closed = false;

  constructor(
    spec: EndpointSpec,
    host: GraphHost,
    sockets: { readonly rtp: GraphSocket; readonly rtcp: GraphSocket },
    epoch: number,
  ) {
    this.id = spec.id;
    this.owner = spec.owner;
    this.group = spec.group;
    this.local = { host: spec.host, port: sockets.rtp.port };
    this.#host = host;
    this.#rtp = sockets.rtp;
    this.#rtcp = sockets.rtcp;
    this.sender = new RtpSender(host.random32, epoch);
    this.#reporter = new Reporter(this.sender, this.statistics, `${spec.id}@hearthline`);
    this.#dtmf = new DtmfReceiver((digit, duration) => {
      host.event({ on: 'dtmf', id: this.id, owner: this.owner, digit, duration });
    });
  }

  /** Goes on from other sockets: our own address has changed. Whom it hears and where it sends stays as signalling said. */
  move(local: Address, sockets: { readonly rtp: GraphSocket; readonly rtcp: GraphSocket }): void {
    this.#rtp.close();
    this.#rtcp.close();
    this.local = local;
    this.#rtp = sockets.rtp;
    this.#rtcp = sockets.rtcp;
  }

  /** Takes what signalling agreed. The same again changes nothing; anything else learns the source anew. */
  setRemote(spec: RemoteSpec, now: number): void {
    if (this.remote !== undefined && JSON.stringify(this.remote) === JSON.stringify(spec)) return;
    const sameSource =
      this.remote !== undefined &&
      JSON.stringify([this.remote.address, this.remote.accept]) === JSON.stringify([spec.address, spec.accept]);
    this.remote = spec;
    if (!sameSource) this.#gate = new SourceGate(spec);
    this.#tables = lawOf(spec.codec);
    this.#heard = now;
    this.#silent = false;
  }

  /** The other side is to send. One that holds us by `sendonly` may send music of its own; most send nothing. */
  get #owesSound(): boolean {
    return this.remote?.sends === true && this.remote.receives && this.remote.opaque !== true;
  }

  /** True while frames for it can leave. */
  get ready(): boolean {
    return this.remote?.receives === true && this.remote.opaque !== true && this.#gate?.target !== undefined;
  }

  /** A datagram on the RTP port. */
  onRtp(data: Uint8Array, host: string, port: number): void {
    const remote = this.remote;
    if (this.#closed) return;
    const plain = remote?.opaque === true ? data.length <= DATAGRAM_LIMIT : readHeader(data, header);
    if (remote === undefined || this.#gate === undefined || !plain) {
      this.#refused++;
      return;
    }
    if (this.#inSecond >= PACKETS_PER_SECOND || !this.#gate.admit(host, port)) {
      this.#refused++;
      return;
    }
    const now = this.#host.mono();
    this.#inSecond++;
    this.#heard = now;
    this.#silent = false;
    if (remote.opaque === true) {
      for (const sink of this.relays) sink.#carry(data);
      return;
    }
    if (header.ssrc !== this.#ssrc) this.#newSource(header.ssrc, now);
    this.statistics.count(header.sequence);
    if (!this.#first) {
      this.#first = true;
      this.#host.event({ on: 'first-packet', id: this.id, owner: this.owner, from: { host, port } });
    }
    if (!remote.sends) return;
    if (header.payloadType === remote.payloadType) this.#audio(data, now);
    else if (header.payloadType === remote.eventType) this.#event(data, now);
  }

  /** A datagram on the RTCP port. */
  onRtcp(data: Uint8Array, host: string): void {
    if (this.#gate?.knows(host) === true) this.#reporter.receive(data, this.#host.mono(), this.#host.wall());
    else this.#refused++;
  }

  /** Takes this tick's 20 ms from the jitter buffer into `pcm`. */
  take(): void {
    this.live = this.#jitter.take(this.pcm);
  }

  /** Sends one mixed frame. */
  sendFrame(sum: Int32Array, tick: number, now: number): void {
    const remote = this.remote;
    const target = this.#gate?.target;
    if (remote === undefined || remote.opaque === true || target === undefined || this.#keys.busy) return;
    const packet = this.sender.frame(sum, remote.codec, remote.payloadType, tick, now);
    this.#rtp.send(packet, RTP_HEADER + FRAME, target.host, target.port);
  }

  /** Digits wait or are being sent. */
  get pressing(): boolean {
    return this.#keys.busy;
  }

  press(digits: string): void {
    this.#keys.press(digits);
  }

  /** This tick's part of the digits. */
  sendKey(now: number): void {
    const key = this.#keys.next();
    const target = this.#gate?.target;
    const type = this.remote?.eventType;
    if (key === undefined || target === undefined || type === undefined) return;
    const packet = this.sender.event(key.digit, type, key.first, key.end, key.duration, now);
    this.#rtp.send(packet, RTP_HEADER + EVENT_SIZE, target.host, target.port);
  }

  /** Once a second: silence, lost ends of digits, RTCP. */
  care(now: number): void {
    this.#inSecond = 0;
    this.#dtmf.expire(now);
    if (this.remote?.opaque === true) return;
    if (this.#owesSound && !this.#silent && now - this.#heard >= SILENT_AFTER) {
      this.#silent = true;
      this.#host.event({ on: 'silent', id: this.id, owner: this.owner });
    }
    const target = this.#gate?.target;
    const report = this.#reporter.due(now, this.#host.wall(), this.#host.random32);
    if (report !== undefined && target !== undefined && target.port < 65_535) {
      this.#rtcp.send(report, report.length, target.host, target.port + 1);
    }
  }

  stats(): EndpointStats {
    const { received, lost, jitter } = this.statistics;
    const silentFor = this.#owesSound ? this.#host.mono() - this.#heard : 0;
    const remote = this.#reporter.remote;
    const peer = this.#gate?.target;
    const sides = { ...remote, ...(peer === undefined ? {} : { peer: { host: peer.host, port: peer.port } }) };
    return { sent: this.sender.sent, received, lost, refused: this.#refused, jitter, silentFor, ...sides };
  }

  /** The jitter buffer starts empty, for a stream that a mix begins to need. */
  restart(): void {
    this.#jitter.reset();
    this.live = false;
  }

  close(): void {
    this.#closed = true;
    this.#rtp.close();
    this.#rtcp.close();
  }

  #newSource(ssrc: number, now: number): void {
    this.#ssrc = ssrc;
    this.#dtmf.restart(now);
    this.statistics.restart();
    this.#reporter.source(ssrc);
  }

  #audio(data: Uint8Array, now: number): void {
    this.statistics.arrived(header.timestamp, now);
    for (const sink of this.relays) sink.#forward(this, data, now);
    if (!this.feeds) return;
    const { ssrc, sequence, timestamp, payloadStart, payloadEnd } = header;
    this.#jitter.put(ssrc, sequence, timestamp, data, payloadStart, payloadEnd, this.#tables.decode);
  }

  #event(data: Uint8Array, now: number): void {
    this.#dtmf.push(header.timestamp, data, header.payloadStart, header.payloadEnd, now);
    for (const sink of this.relays) {
      if (sink.remote?.eventType !== undefined) sink.#pass(this, data, sink.remote.eventType, undefined, now);
    }
  }

  /** A datagram of the other side, as it came. */
  #carry(data: Uint8Array): void {
    const target = this.#gate?.target;
    if (this.remote?.opaque === true && target !== undefined)
      this.#rtp.send(data, data.length, target.host, target.port);
  }

  #forward(source: EndpointNode, data: Uint8Array, now: number): void {
    if (source.remote === undefined || this.remote === undefined) return;
    const codes = transcode(source.remote.codec, this.remote.codec);
    this.#pass(source, data, this.remote.payloadType, codes, now);
  }

  #pass(source: EndpointNode, data: Uint8Array, type: number, codes: Uint8Array | undefined, now: number): void {
    const target = this.#gate?.target;
    if (this.remote?.receives !== true || this.remote.opaque === true || target === undefined || this.#keys.busy)
      return;
    const packet = this.sender.relay(source, header, data, type, codes, now);
    if (packet === undefined) return;
    this.#rtp.send(packet, RTP_HEADER + header.payloadEnd - header.payloadStart, target.host, target.port);
  }
}
