/**
 * Requests that are too large for a datagram (RFC 3261 section 18.1.1): they go to the same address over TCP, and over UDP after all
 * where nobody takes that. What belongs to such a request (its copies, its CANCEL, the ACK of its refusal) goes the same way.
 */
import type { Address, Clock } from '../kernel/world.ts';
import type { SipMessage } from '../sip/message.ts';
import type { Flow } from '../sip/types.ts';
import { parseNameAddr, parseUri } from '../sip/uri.ts';
import { write } from '../sip/write.ts';

/** Octets beyond which a request leaves UDP, where the way's largest packet is not known. */
export const LARGE_REQUEST = 1_300;
/** Milliseconds for a connection; a filter that swallows it must not hold a call up for long. */
export const CONNECT_WITHIN = 1_000;
/** Milliseconds for which a peer that took no connection gets datagrams at once, and such peers known at the most. */
export const REFUSED_FOR = 600_000;
export const REFUSED_PEERS = 1_000;
/** Requests whose way is remembered; of the oldest what follows goes over UDP. */
export const LARGE_WAYS = 4_000;

export interface LargeOptions {
  readonly clock: Pick<Clock, 'mono'>;
  /** A connection to that address; rejects where there is none. */
  readonly connect: (to: Address) => Promise<Flow>;
  readonly send: (flow: Flow, text: string) => void;
}

interface Way {
  readonly udp: Flow;
  /** The request as it goes over UDP, until the peer has said something over TCP. */
  text: string | undefined;
  readonly sent: Set<string>;
  /** Absent while it is being opened. */
  tcp?: Flow;
}

export class LargeRequests {
  readonly #o: LargeOptions;
  /** By branch, the oldest first. */
  readonly #ways = new Map<string, Way>();
  /** Those of each connection that the peer has not spoken on since. */
  readonly #unheard = new Map<string, Set<Way>>();
  /** Peers that take no connection, and until when that is believed. */
  readonly #refused = new Map<string, number>();

  constructor(options: LargeOptions) {
    this.#o = options;
  }

  /** Whether this message may be seen to here: it is large, or may belong to one that was. */
  concerns(message: SipMessage, text: string): boolean {
    return message.kind === 'request' && (text.length > LARGE_REQUEST || this.#ways.size > 0);
  }

  /** True where this message, meant for a UDP flow, is seen to here. `may`: the peer may be asked for a connection. */
  take(flow: Flow, message: SipMessage, text: string, may: () => boolean): boolean {
    const branch = this.concerns(message, text) ? message.topVia?.branch : undefined;
    if (branch === undefined) return false;
    const way = this.#ways.get(branch);
    if (way !== undefined) {
      // A stream repeats nothing.
      if (way.tcp !== undefined && !way.sent.has(message.method)) this.#overTcp(way.tcp, way, message);
      return true;
    }
    if (text.length <= LARGE_REQUEST || this.#isRefused(flow.remote) || !may()) return false;
    this.#open(branch, flow, message, text);
    return true;
  }

  #open(branch: string, udp: Flow, message: SipMessage, text: string): void {
    const way: Way = { udp, text, sent: new Set() };
    this.#ways.set(branch, way);
    const oldest = this.#ways.size > LARGE_WAYS ? this.#ways.keys().next().value : undefined;
    if (oldest !== undefined) this.#ways.delete(oldest);
    // The message may be changed by its owner before the connection stands.
    const copy = message.clone();
    this.#o.connect(udp.remote).then(
      (tcp) => {
        way.tcp = tcp;
        const unheard = this.#unheard.get(tcp.id) ?? new Set();
        this.#unheard.set(tcp.id, unheard.add(way));
        this.#overTcp(tcp, way, copy);
      },
      () => this.#backToUdp(branch, way),
    );
  }

  #overTcp(tcp: Flow, way: Way, message: SipMessage): void {
    way.sent.add(message.method);
    const copy = message.clone();
    const via = copy.headerAll('Via')[0] ?? '';
    copy.setFirst('Via', via.replace('SIP/2.0/UDP', 'SIP/2.0/TCP'));
    this.#o.send(tcp, write(copy));
  }

  #backToUdp(branch: string, { udp, text }: Way): void {
    this.#ways.delete(branch);
    const key = keyOf(udp.remote);
    this.#refused.delete(key);
    this.#refused.set(key, this.#o.clock.mono() + REFUSED_FOR);
    const oldest = this.#refused.size > REFUSED_PEERS ? this.#refused.keys().next().value : undefined;
    if (oldest !== undefined) this.#refused.delete(oldest);
    if (text !== undefined) this.#o.send(udp, text);
  }

  #isRefused(peer: Address): boolean {
    return (this.#refused.get(keyOf(peer)) ?? 0) > this.#o.clock.mono();
  }

  /** The peer spoke over a connection: it takes large requests there. */
  heard(flow: Flow): void {
    const unheard = this.#unheard.size === 0 ? undefined : this.#unheard.get(flow.id);
    if (unheard === undefined) return;
    this.#unheard.delete(flow.id);
    for (const way of unheard) way.text = undefined;
  }

  /** A connection is gone: what nobody answered there goes over UDP, as do copies of the rest. */
  closed(flow: Flow): void {
    if (this.#ways.size === 0) return;
    this.#unheard.delete(flow.id);
    for (const [branch, way] of [...this.#ways]) {
      if (way.tcp?.id !== flow.id) continue;
      if (way.text === undefined) this.#ways.delete(branch);
      else this.#backToUdp(branch, way);
    }
  }
}

const keyOf = ({ host, port }: Address): string => `${host} ${port}`;

/** The next hop that a request names (its first Route, else its Request-URI) is this very address: nothing stands before it. */
export function aimsAt(message: SipMessage, { host, port }: Address): boolean {
  const route = message.headerAll('Route')[0];
  const uri = parseUri(route === undefined ? message.uri : (parseNameAddr(route)?.uri ?? ''));
  return uri !== undefined && uri.host === host && (uri.port ?? 5060) === port;
}
