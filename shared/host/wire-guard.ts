/**
 * Stands in a stream between the network and an MQTT library and lets through only whole, well-shaped, affordable
 * packets. Both ends use it, since neither aedes nor mqtt.js bounds a packet, and one PUBLISH without a packet
 * identifier ends the process of an mqtt.js client. A length is judged as soon as its octets are there, before the
 * body is kept; the budgets slow a sender down (the caller stops reading), only nonsense closes.
 */
import { NEVER } from '#shared/kernel/machine.ts';
import { CONNACK, CONNECT, judgeBody, judgeHeader, type Misshapen, type Sender } from './wire-guard-shape.ts';

export interface GuardLimits {
  /** Octets of a packet, fixed header included. */
  readonly packet: number;
  /** Octets of the first packet. */
  readonly connect: number;
  /** Milliseconds until the first packet must be whole. */
  readonly connectWithin: number;
  readonly packetsPerSecond: number;
  readonly packetBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
}

export const GUARD_LIMITS: GuardLimits = {
  packet: 64 * 1024,
  connect: 4096,
  connectWithin: 10_000,
  packetsPerSecond: 200,
  packetBurst: 400,
  bytesPerSecond: 512 * 1024,
  byteBurst: 1024 * 1024,
};

/** Octets that may wait beside the packet being assembled while the budget makes the sender wait. */
const WAITING_LIMIT = 256 * 1024;

export type GuardOutcome =
  | { readonly do: 'packet'; readonly data: Uint8Array }
  /** Nothing whole is here. */
  | { readonly do: 'more' }
  /** The budget is spent until this moment (monotonic ms): stop reading and ask again then. */
  | { readonly do: 'wait'; readonly until: number }
  /** Send `reply` if there is one, then close. Every later call says the same. */
  | ({ readonly do: 'refuse' } & Misshapen);

/** One direction of one connection. Deterministic: time comes in as monotonic milliseconds. */
export class WireGuard {
  readonly #sender: Sender;
  readonly #limits: GuardLimits;
  readonly #packets: Bucket;
  readonly #bytes: Bucket;
  #deadline: number;
  #begun = false;
  #refused: GuardOutcome | undefined;
  /** Octets are only ever appended behind `#end`, so packets handed out as parts of it stay as they are. */
  #buffer: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #owned = false;

  /** `sender` is the other end, whose octets this guard reads. */
  constructor(sender: Sender, now: number, limits: GuardLimits = GUARD_LIMITS) {
    this.#sender = sender;
    this.#limits = limits;
    this.#deadline = now + limits.connectWithin;
    this.#packets = new Bucket(limits.packetsPerSecond, limits.packetBurst, now);
    this.#bytes = new Bucket(limits.bytesPerSecond, limits.byteBurst, now);
  }

  /** Octets kept. */
  get held(): number {
    return this.#end - this.#start;
  }

  /** The moment until which the first packet must have come; NEVER afterwards. */
  get due(): number {
    return this.#begun || this.#refused !== undefined ? NEVER : this.#deadline;
  }

  /** Takes octets from the network; the guard may keep a reference to `data`. */
  push(data: Uint8Array): void {
    if (this.#refused !== undefined || data.length === 0) return;
    const held = this.held;
    if (held + data.length > this.#limits.packet + WAITING_LIMIT) {
      this.#refuse({ why: 'octets sent in spite of back-pressure' });
    } else if (held === 0) {
      this.#buffer = data;
      this.#start = 0;
      this.#end = data.length;
      this.#owned = false;
    } else {
      if (!this.#owned || this.#buffer.length - this.#end < data.length) this.#grow(held + data.length);
      this.#buffer.set(data, this.#end);
      this.#end += data.length;
    }
  }

  /** The next packet or the reason why there is none. Call until it answers something other than `packet`. */
  next(now: number): GuardOutcome {
    if (this.#refused !== undefined) return this.#refused;
    const header = this.#header();
    if (header === undefined) return this.#waiting(now);
    if (typeof header === 'string') return this.#refuse({ why: header });
    if (this.held < header.total) return this.#waiting(now);
    const until = Math.max(this.#packets.when(1, now), this.#bytes.when(header.total, now));
    if (until > now) return { do: 'wait', until };
    const data = this.#buffer.subarray(this.#start, this.#start + header.total);
    const misshapen = judgeBody(data, header.body);
    if (misshapen !== undefined) return this.#refuse(misshapen);
    this.#packets.take(1);
    this.#bytes.take(header.total);
    this.#start += header.total;
    this.#begun = true;
    return { do: 'packet', data };
  }

  #waiting(now: number): GuardOutcome {
    if (!this.#begun && now >= this.#deadline) return this.#refuse({ why: 'no first packet in time' });
    return { do: 'more' };
  }

  #refuse(misshapen: Misshapen): GuardOutcome {
    this.#refused = { do: 'refuse', ...misshapen };
    this.#buffer = new Uint8Array(0);
    this.#start = 0;
    this.#end = 0;
    return this.#refused;
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(Math.max(256, needed, Math.min(2 * needed, this.#limits.packet)));
    larger.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = larger;
    this.#owned = true;
  }

  /** Section 2.2: type and flags, then 1 to 4 octets of remaining length, 7 bits each, least significant first. */
  #header(): { total: number; body: number } | string | undefined {
    const first = this.#buffer[this.#start];
    if (first === undefined || this.held === 0) return undefined;
    const order = this.#outOfOrder(first >> 4);
    if (order !== undefined) return order;
    let length = 0;
    for (let i = 1; i <= 4; i++) {
      if (i >= this.held) return undefined;
      const octet = this.#buffer[this.#start + i] ?? 0;
      length += (octet & 127) * 128 ** (i - 1);
      if (octet >= 128) continue;
      if (octet === 0 && i > 1) return 'a remaining length longer than needed';
      const total = 1 + i + length;
      const limit = this.#begun ? this.#limits.packet : this.#limits.connect;
      if (total > limit) return `a packet of ${total} octets where ${limit} are allowed`;
      return judgeHeader(this.#sender, first, length) ?? { total, body: 1 + i };
    }
    return 'a remaining length without end';
  }

  #outOfOrder(type: number): string | undefined {
    const opening = this.#sender === 'client' ? CONNECT : CONNACK;
    if (!this.#begun) return type === opening ? undefined : 'another packet before the first';
    return type === opening ? 'a second opening packet' : undefined;
  }
}

/** A token bucket whose one debt may be larger than the burst: a packet of any allowed size passes once it is full. */
class Bucket {
  readonly #rate: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, burst: number, now: number) {
    this.#rate = perSecond / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = now;
  }

  /** The moment at which `cost` can be paid. */
  when(cost: number, now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#rate);
    this.#at = now;
    const missing = Math.min(cost, this.#burst) - this.#tokens;
    // A millisecond's worth of rounding must not ask for a wait of nothing for ever.
    return missing <= 1e-9 ? now : now + Math.max(1, missing / this.#rate);
  }

  take(cost: number): void {
    this.#tokens -= cost;
  }
}
