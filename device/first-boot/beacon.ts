/**
 * The gateway's own service on the LAN by DNS-SD (RFC 6763) over multicast DNS (RFC 6762): `_hearthline._tcp`, whose TXT record
 * tells the stage. Whoever looks finds the gateway before it has any cloud. Pure.
 */
import { MDNS_PORT, TYPE } from '../home-network/mdns.ts';

export const SERVICE = '_hearthline._tcp.local';
/** Seconds for which others may remember: short for what changes with the stage (RFC 6762, section 10). */
const TTL = 120;
/** Questions of one message that are looked at, octets of one that is read, and labels of a name. */
const QUESTIONS = 16;
const MESSAGE_LIMIT = 9_000;
const LABELS = 16;
const ANY = 255;
const CLASS_IN = 1;
/** Of records that nobody else has (RFC 6762, section 10.2). */
const UNIQUE = 0x8000;

export interface BeaconFacts {
  /** `gw_…`: the instance's name. */
  readonly gateway: string;
  /** This host's name, without `.local`. */
  readonly host: string;
  /** IPv4, of the port that the message goes out by. */
  readonly address: string;
  /** Port of the local page. */
  readonly port: number;
  /** `key=value` strings of the TXT record; each is cut at 255 octets. */
  readonly text: readonly string[];
}

/** What a question of a message asks for: names in lower case, and their types. Undefined for what is no query, or a broken one. */
export function readQuestions(
  message: Uint8Array,
): readonly { readonly name: string; readonly type: number }[] | undefined {
  if (message.length < 12 || message.length > MESSAGE_LIMIT || ((message[2] ?? 0) & 0x80) !== 0) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const found: { name: string; type: number }[] = [];
  let at = 12;
  for (let i = 0; i < Math.min(QUESTIONS, view.getUint16(4)); i++) {
    const read = readName(message, at);
    if (read === undefined || read.next + 4 > message.length) return undefined;
    found.push({ name: read.name.toLowerCase(), type: view.getUint16(read.next) });
    at = read.next + 4;
  }
  return found;
}

/** A name; a pointer (RFC 1035, section 4.1.4) is followed, backwards only, so that none goes round. */
function readName(message: Uint8Array, start: number): { name: string; next: number } | undefined {
  const labels: string[] = [];
  let [at, next, limit] = [start, 0, start];
  for (;;) {
    const length = message[at];
    if (length === undefined || labels.length > LABELS) return undefined;
    if (length === 0) return { name: labels.join('.'), next: next || at + 1 };
    if (length >= 0xc0) {
      const to = ((length & 0x3f) << 8) | (message[at + 1] ?? 0);
      if (to >= limit) return undefined;
      next ||= at + 2;
      [at, limit] = [to, to];
      continue;
    }
    if (length > 63 || at + 1 + length > message.length) return undefined;
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
}

/** The names that we answer for. */
export function namesOf({ gateway, host }: Pick<BeaconFacts, 'gateway' | 'host'>) {
  return { service: SERVICE, instance: `${gateway}.${SERVICE}`.toLowerCase(), host: `${host}.local`.toLowerCase() };
}

/** Whether any question is for us. */
export function asksForUs(questions: NonNullable<ReturnType<typeof readQuestions>>, facts: BeaconFacts): boolean {
  const { service, instance, host } = namesOf(facts);
  const types: Readonly<Record<string, readonly number[]>> = {
    [service]: [TYPE.PTR, ANY],
    [instance]: [TYPE.SRV, TYPE.TXT, ANY],
    [host]: [TYPE.A, ANY],
  };
  return questions.some(({ name, type }) => Object.hasOwn(types, name) && types[name]?.includes(type));
}

/** All our records as an unasked response; `gone` takes them back (RFC 6762, section 10.1). */
export function announcement(facts: BeaconFacts, gone = false): Uint8Array {
  const { gateway, host, address, port, text } = facts;
  const instance = `${gateway}.${SERVICE}`;
  const target = `${host}.local`;
  const ttl = gone ? 0 : TTL;
  const strings = text.map((line) => new TextEncoder().encode(line).subarray(0, 255));
  const records = [
    record(SERVICE, TYPE.PTR, CLASS_IN, ttl, name(instance)),
    record(instance, TYPE.SRV, CLASS_IN | UNIQUE, ttl, [0, 0, 0, 0, port >> 8, port & 255, ...name(target)]),
    record(
      instance,
      TYPE.TXT,
      CLASS_IN | UNIQUE,
      ttl,
      strings.length === 0 ? [0] : strings.flatMap((one) => [one.length, ...one]),
    ),
    record(target, TYPE.A, CLASS_IN | UNIQUE, ttl, address.split('.').map(Number)),
  ];
  return Uint8Array.from([0, 0, 0x84, 0, 0, 0, 0, records.length, 0, 0, 0, 0, ...records.flat()]);
}

function record(owner: string, type: number, of: number, ttl: number, data: readonly number[]): number[] {
  const wide = (value: number) => [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  return [
    ...name(owner),
    type >> 8,
    type & 255,
    of >> 8,
    of & 255,
    ...wide(ttl),
    data.length >> 8,
    data.length & 255,
    ...data,
  ];
}

function name(text: string): number[] {
  const labels = text.split('.').flatMap((label) => {
    const octets = new TextEncoder().encode(label).subarray(0, 63);
    return [octets.length, ...octets];
  });
  return [...labels, 0];
}

/** Where messages go: everybody on the link. */
export const EVERYBODY = { host: '224.0.0.251', port: MDNS_PORT } as const;
