/**
 * The shape of one whole MQTT 3.1.1 control packet (OASIS MQTT 3.1.1, sections 2 and 3), narrowed to what Hearthline's
 * gateways and edge send each other: QoS <= 1, nothing retained, no wills, clean sessions, short ASCII topics. Pure.
 */

/** Which end sent the packet: `client` is a gateway, `broker` the edge. */
export type Sender = 'client' | 'broker';

/** Why a packet is refused, and the CONNACK (section 3.2) that may be sent before closing. */
export interface Misshapen {
  readonly why: string;
  readonly reply?: Uint8Array;
}

export const CONNECT = 1;
export const CONNACK = 2;
export const PUBLISH = 3;
export const PUBACK = 4;
export const SUBSCRIBE = 8;
export const SUBACK = 9;
export const UNSUBSCRIBE = 10;
export const UNSUBACK = 11;
export const PINGREQ = 12;
export const PINGRESP = 13;
export const DISCONNECT = 14;

/** Octets of a topic or filter. */
export const TOPIC_LIMIT = 256;
/** Filters in one SUBSCRIBE or UNSUBSCRIBE. */
export const FILTERS_LIMIT = 8;
/** Seconds of keep-alive that a gateway may ask for; 0 (none at all) is refused too. */
export const KEEPALIVE_LIMIT = 300;

/** Fixed-header flags and exact remaining length (undefined: any) by packet type and sender. */
const allowed: Readonly<Record<Sender, ReadonlyMap<number, { flags: number; length?: number }>>> = {
  client: new Map([
    [CONNECT, { flags: 0 }],
    [PUBLISH, { flags: 0 }],
    [PUBACK, { flags: 0, length: 2 }],
    [SUBSCRIBE, { flags: 2 }],
    [UNSUBSCRIBE, { flags: 2 }],
    [PINGREQ, { flags: 0, length: 0 }],
    [DISCONNECT, { flags: 0, length: 0 }],
  ]),
  broker: new Map([
    [CONNACK, { flags: 0, length: 2 }],
    [PUBLISH, { flags: 0 }],
    [PUBACK, { flags: 0, length: 2 }],
    [SUBACK, { flags: 0 }],
    [UNSUBACK, { flags: 0, length: 2 }],
    [PINGRESP, { flags: 0, length: 0 }],
  ]),
};

/** Judges the fixed header alone, before anything of the body is kept. Returns why it is refused, or undefined. */
export function judgeHeader(sender: Sender, first: number, length: number): string | undefined {
  const type = first >> 4;
  const rule = allowed[sender].get(type);
  if (rule === undefined) return `packet type ${type} is not for a ${sender}`;
  if (rule.length !== undefined && length !== rule.length) return `packet type ${type} with length ${length}`;
  const flags = first & 15;
  if (type !== PUBLISH) return flags === rule.flags ? undefined : `packet type ${type} with flags ${flags}`;
  const qos = (flags >> 1) & 3;
  if (qos > 1) return `quality of service ${qos}`;
  if ((flags & 1) !== 0) return 'a retained message';
  return qos === 0 && (flags & 8) !== 0 ? 'DUP without quality of service' : undefined;
}

/** Judges a whole packet; `body` is the offset of the variable header. Undefined where all is well. */
export function judgeBody(packet: Uint8Array, body: number): Misshapen | undefined {
  const first = packet[0] ?? 0;
  switch (first >> 4) {
    case CONNECT:
      return judgeConnect(packet, body);
    case PUBLISH:
      return why(judgePublish(packet, body, ((first >> 1) & 3) > 0));
    case SUBSCRIBE:
    case UNSUBSCRIBE:
      return why(judgeFilters(packet, body, first >> 4 === SUBSCRIBE));
    case PUBACK:
    case UNSUBACK:
      return why(number16(packet, body) === 0 ? 'packet identifier 0' : undefined);
    case SUBACK:
      return why(packet.length < body + 3 || number16(packet, body) === 0 ? 'malformed SUBACK' : undefined);
    default:
      return undefined;
  }
}

function why(text: string | undefined): Misshapen | undefined {
  return text === undefined ? undefined : { why: text };
}

/** Two octets, most significant first; NaN beyond the end. */
export function number16(packet: Uint8Array, at: number): number {
  const high = packet[at];
  const low = packet[at + 1];
  return high === undefined || low === undefined ? Number.NaN : high * 256 + low;
}

function judgePublish(packet: Uint8Array, body: number, acknowledged: boolean): string | undefined {
  const length = number16(packet, body);
  if (!(length >= 1 && length <= TOPIC_LIMIT)) return 'a topic of no or too great length';
  const end = body + 2 + length;
  if (end > packet.length) return 'a topic longer than its packet';
  for (let i = body + 2; i < end; i++) {
    const c = packet[i] ?? 0;
    if (c <= 0x20 || c >= 0x7f || c === 0x23 || c === 0x2b) return 'a topic with characters that none of ours has';
  }
  if (!acknowledged) return undefined;
  return number16(packet, end) > 0 ? undefined : 'a PUBLISH without packet identifier';
}

function judgeFilters(packet: Uint8Array, body: number, withQos: boolean): string | undefined {
  if (!(number16(packet, body) > 0)) return 'packet identifier 0';
  let at = body + 2;
  let count = 0;
  while (at < packet.length) {
    const length = number16(packet, at);
    if (!(length >= 1 && length <= TOPIC_LIMIT)) return 'a filter of no or too great length';
    at += 2 + length;
    if (at > packet.length || (withQos && at === packet.length)) return 'a filter longer than its packet';
    if (withQos && (packet[at++] ?? 0) > 2) return 'a filter with an unknown quality of service';
    if (++count > FILTERS_LIMIT) return 'too many filters';
  }
  return count === 0 ? 'no filter' : undefined;
}

function connack(code: number): Uint8Array {
  return Uint8Array.of(CONNACK << 4, 2, 0, code);
}

/** Section 3.1: protocol name and level, flags, keep-alive, then the payload's length-prefixed fields. */
function judgeConnect(packet: Uint8Array, body: number): Misshapen | undefined {
  const name = [0, 4, 0x4d, 0x51, 0x54, 0x54];
  if (name.some((octet, i) => packet[body + i] !== octet)) return { why: 'not MQTT' };
  if (packet[body + 6] !== 4) return { why: 'a protocol level other than 4', reply: connack(1) };
  const flags = packet[body + 7] ?? 1;
  if ((flags & 1) !== 0) return { why: 'the reserved CONNECT flag' };
  if ((flags & 0x3c) !== 0) return { why: 'a will', reply: connack(5) };
  if ((flags & 2) === 0) return { why: 'a session that outlives its connection', reply: connack(5) };
  if ((flags & 0xc0) === 0x40) return { why: 'a password without a name' };
  const keepalive = number16(packet, body + 8);
  if (!(keepalive > 0 && keepalive <= KEEPALIVE_LIMIT)) return { why: 'keep-alive out of range', reply: connack(5) };
  const idLength = number16(packet, body + 10);
  if (!(idLength >= 1 && idLength <= 64)) return { why: 'a client identifier of wrong length', reply: connack(2) };
  let at = body + 10;
  for (let fields = 1 + (flags >> 7) + ((flags >> 6) & 1); fields > 0; fields--) at += 2 + number16(packet, at);
  return at === packet.length ? undefined : { why: 'a CONNECT whose fields do not fill it' };
}
