/** The few MQTT 3.1.1 packets that a light gateway speaks, as octets. Pure; the broker behind is ours, so nothing else is expected. */
import { latin1, utf8 } from '#shared/kernel/bytes.ts';

/** A packet's first octet and its body. */
function packet(first: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const head = [first];
  for (let rest = size; ; ) {
    const low = rest & 127;
    rest >>= 7;
    head.push(rest > 0 ? low | 128 : low);
    if (rest === 0) break;
  }
  const octets = new Uint8Array(head.length + size);
  octets.set(head);
  let at = head.length;
  for (const part of parts) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}

const number = (n: number) => Uint8Array.of(n >> 8, n & 255);
function text(value: string): Uint8Array {
  const octets = utf8(value);
  const field = new Uint8Array(2 + octets.length);
  field.set(number(octets.length));
  field.set(octets, 2);
  return field;
}

/** Section 3.1, clean session. */
export const connectPacket = (client: string, keepalive: number) =>
  packet(0x10, text('MQTT'), Uint8Array.of(4, 2), number(keepalive), text(client));
/** Section 3.8, one filter, QoS 1. */
export const subscribePacket = (id: number, filter: string) => packet(0x82, number(id), text(filter), Uint8Array.of(1));
/** Section 3.3, QoS 1. */
export const publishPacket = (id: number, topic: string, payload: Uint8Array) =>
  packet(0x32, text(topic), number(id), payload);
export const pubackPacket = (id: number) => packet(0x40, number(id));
export const PINGREQ = Uint8Array.of(0xc0, 0);

export type Received =
  | { readonly is: 'connack'; readonly code: number }
  | { readonly is: 'suback'; readonly code: number }
  | { readonly is: 'puback'; readonly id: number }
  /** `id` is 0 for QoS 0. */
  | { readonly is: 'publish'; readonly id: number; readonly topic: string; readonly payload: Uint8Array }
  | { readonly is: 'other' };

/** Cuts a stream's octets into packets. */
export class PacketReader {
  #rest: Uint8Array = new Uint8Array(0);

  take(data: Uint8Array): Received[] {
    let octets = data;
    if (this.#rest.length > 0) {
      octets = new Uint8Array(this.#rest.length + data.length);
      octets.set(this.#rest);
      octets.set(data, this.#rest.length);
    }
    const found: Received[] = [];
    let at = 0;
    for (;;) {
      const size = sizeAt(octets, at);
      if (size === undefined || at + size.head + size.body > octets.length) break;
      const start = at + size.head;
      found.push(read(octets[at] ?? 0, octets.subarray(start, start + size.body)));
      at = start + size.body;
    }
    // A copy, so that a few octets do not keep a whole record of TLS alive.
    this.#rest = at < octets.length ? octets.slice(at) : new Uint8Array(0);
    return found;
  }
}

/** Octets of the head and of the body of the packet that begins here; undefined where its head is not whole. */
function sizeAt(octets: Uint8Array, at: number): { head: number; body: number } | undefined {
  let body = 0;
  for (let i = 0; i < 4; i++) {
    const octet = octets[at + 1 + i];
    if (octet === undefined) return undefined;
    body += (octet & 127) * 128 ** i;
    if (octet < 128) return { head: i + 2, body };
  }
  throw new Error('the broker sent a length of more than four octets');
}

function read(first: number, body: Uint8Array): Received {
  const word = (at: number) => ((body[at] ?? 0) << 8) | (body[at + 1] ?? 0);
  switch (first >> 4) {
    case 2:
      return { is: 'connack', code: body[1] ?? 255 };
    case 9:
      return { is: 'suback', code: body[2] ?? 255 };
    case 4:
      return { is: 'puback', id: word(0) };
    case 3: {
      const end = 2 + word(0);
      const acknowledged = (first & 6) !== 0;
      const topic = latin1(body.subarray(2, end));
      return {
        is: 'publish',
        id: acknowledged ? word(end) : 0,
        topic,
        payload: body.subarray(acknowledged ? end + 2 : end),
      };
    }
    default:
      return { is: 'other' };
  }
}
