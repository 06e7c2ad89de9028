/**
 * What waits to go down to one gateway: a bounded queue of its own, so that a gateway that does not read delays nobody
 * else and is dropped alone. MQTT PUBLISH, QoS 1, at most 16 unacknowledged; the acknowledgement only opens the window, it
 * means nothing more (MQTT 3.1.1 section 3.3).
 */
import { fromLatin1 } from '#shared/kernel/bytes.ts';

/** Unacknowledged messages. */
export const WINDOW = 16;
/** Octets waiting, ours and the connection's. */
export const QUEUE_LIMIT = 256 * 1024;
/** Octets in the connection's own buffers above which we hold back. */
export const CONNECTION_BUFFER = 32 * 1024;
/** Milliseconds without any progress while something waits. */
export const STALL_LIMIT = 5000;

export class Downlink {
  readonly #queue: { readonly topic: string; readonly payload: Uint8Array }[] = [];
  readonly #unacknowledged = new Set<number>();
  #octets = 0;
  #lastId = 0;
  #progressAt = 0;
  #lastWaiting = 0;

  /** Octets in the queue. */
  get octets(): number {
    return this.#octets;
  }

  /** Queues a message; `waiting` are the connection's octets. False: full, drop the gateway. `now` is monotonic ms. */
  push(topic: string, payload: Uint8Array, waiting: number, now: number): boolean {
    if (this.#octets + waiting + payload.length > QUEUE_LIMIT) return false;
    if (this.#queue.length === 0 && waiting === 0 && this.#unacknowledged.size === 0) this.#progressAt = now;
    this.#queue.push({ topic, payload });
    this.#octets += payload.length;
    return true;
  }

  /** The next packet that may be written now, if any. */
  next(waiting: number, now: number): Uint8Array | undefined {
    if (this.#unacknowledged.size >= WINDOW || waiting > CONNECTION_BUFFER) return undefined;
    const first = this.#queue.shift();
    if (first === undefined) return undefined;
    this.#octets -= first.payload.length;
    this.#progressAt = now;
    const id = this.#newId();
    this.#unacknowledged.add(id);
    return publishPacket(first.topic, first.payload, id);
  }

  /** A PUBACK came. */
  acknowledged(id: number, now: number): void {
    if (this.#unacknowledged.delete(id)) this.#progressAt = now;
  }

  /** True where something has waited for STALL_LIMIT without moving at all. */
  stalled(waiting: number, now: number): boolean {
    if (waiting < this.#lastWaiting) this.#progressAt = now;
    this.#lastWaiting = waiting;
    return this.waits(waiting) && now - this.#progressAt >= STALL_LIMIT;
  }

  /** Whether anything waits, so that `stalled` must be asked again. */
  waits(waiting: number): boolean {
    return this.#queue.length > 0 || waiting > 0;
  }

  #newId(): number {
    do this.#lastId = this.#lastId === 65_535 ? 1 : this.#lastId + 1;
    while (this.#unacknowledged.has(this.#lastId));
    return this.#lastId;
  }
}

/**
 * MQTT 3.1.1 section 3.3:
 *
 *   0x32 | remaining length (1..4) | topic length (2) | topic | packet identifier (2) | payload
 */
export function publishPacket(topic: string, payload: Uint8Array, id: number): Uint8Array {
  const name = fromLatin1(topic);
  let rest = 2 + name.length + 2 + payload.length;
  const head = [0x32];
  do {
    const digit = rest % 128;
    rest = Math.floor(rest / 128);
    head.push(rest > 0 ? digit | 128 : digit);
  } while (rest > 0);
  const packet = new Uint8Array(head.length + 4 + name.length + payload.length);
  packet.set(head);
  packet.set([name.length >> 8, name.length & 255], head.length);
  packet.set(name, head.length + 2);
  packet.set([id >> 8, id & 255], head.length + 2 + name.length);
  packet.set(payload, head.length + 4 + name.length);
  return packet;
}
