/**
 * Offer and answer (RFC 3264) for what Hearthline's media carries: one G.711 audio stream with telephone events (RFC 4733), over
 * IPv4 or IPv6. Other media of an offer are refused in their place, never dropped.
 */
import { plainAddress } from '../kernel/address.ts';
import type { Address } from '../kernel/world.ts';
import { decimal } from './params.ts';
import { type Direction, MediaDescription, parseSdp, SessionDescription, writeSdp } from './sdp.ts';

export type AudioCodec = 'PCMU' | 'PCMA';

/** What the other side said about its end of the audio stream. */
export interface RemoteMedia {
  /** Where it wants its RTP, an IPv6 address as the system writes it; not to be used unless `receives`. */
  readonly address: Address;
  readonly codec: AudioCodec;
  readonly payloadType: number;
  /** Payload type of RFC 4733 events, when it offers them. */
  readonly eventType?: number;
  /** It sends to us. */
  readonly sends: boolean;
  /** It takes what we send; false on hold (sendonly, inactive, or the address 0.0.0.0 of RFC 2543). */
  readonly receives: boolean;
}

export interface LocalMedia {
  /** Where we take RTP: literal address and port. */
  readonly address: Address;
  /** `o=` session id: a non-negative integer, the same in every description of one dialog. */
  readonly sessionId: number;
  /** `o=` version: one more than in the description before (RFC 3264 section 8). Default 1. */
  readonly version?: number;
  /** In order of preference; default PCMA, PCMU. */
  readonly codecs?: readonly AudioCodec[];
  /** What we want to do; default sendrecv. */
  readonly direction?: Direction;
}

const STATIC = new Map<number, AudioCodec>([
  [0, 'PCMU'],
  [8, 'PCMA'],
]);
const TYPE_OF: Readonly<Record<AudioCodec, number>> = { PCMU: 0, PCMA: 8 };
const BOTH: readonly AudioCodec[] = ['PCMA', 'PCMU'];
/** Milliseconds of audio per packet. */
const PTIME = 20;

/** The dynamic payload type that we offer for telephone events. */
export const EVENT_TYPE = 101;

/** An offer with one audio stream. `eventType` absent: 101; null: no telephone events. */
export function makeOffer(options: LocalMedia & { readonly eventType?: number | null }): string {
  const session = blank(options);
  const codecs = options.codecs ?? BOTH;
  const formats = codecs.map((codec) => ({ type: TYPE_OF[codec], codec }));
  const eventType = options.eventType === undefined ? EVENT_TYPE : options.eventType;
  session.media.push(audio(options.address, formats, eventType ?? undefined, options.direction ?? 'sendrecv'));
  return writeSdp(session);
}

/**
 * The answer to `offer`: the first usable audio stream taken with one codec of ours (in the order of the offer), the payload
 * types of the offer and the mirrored direction, every other stream refused with port 0 in its place. Undefined where the
 * offer is malformed or has no codec in common: 488.
 */
export function makeAnswer(offer: string, options: LocalMedia): string | undefined {
  const offered = parseSdp(offer);
  if (offered === undefined) return undefined;
  const session = blank(options);
  const time = offered.lines.find(({ type }) => type === 't');
  if (time !== undefined) session.lines.splice(3, 1, time);
  let taken = false;
  for (const media of offered.media) {
    const common = taken ? undefined : pick(media, options.codecs ?? BOTH);
    if (common === undefined) {
      session.media.push(new MediaDescription(media.kind, 0, media.protocol, media.formats.slice(0, 1)));
      continue;
    }
    taken = true;
    const direction = mirrored(offered.directionOf(media), options.direction ?? 'sendrecv');
    session.media.push(audio(options.address, [common], common.eventType, direction));
  }
  return taken ? writeSdp(session) : undefined;
}

/** Reads the other side's end from its offer or answer; undefined where there is no G.711 stream with a literal address. */
export function readRemote(sdp: string, codecs: readonly AudioCodec[] = BOTH): RemoteMedia | undefined {
  const session = parseSdp(sdp);
  for (const media of session?.media ?? []) {
    const found = pick(media, codecs);
    if (session === undefined || found === undefined) continue;
    const host = session.connectionOf(media);
    if (host === undefined || !isUnicast(host)) return undefined;
    const direction = session.directionOf(media);
    const nowhere = host === '0.0.0.0' || host === '::';
    return {
      address: { host: plainAddress(host), port: media.port },
      codec: found.codec,
      payloadType: found.type,
      ...(found.eventType === undefined ? {} : { eventType: found.eventType }),
      sends: direction === 'sendrecv' || direction === 'sendonly',
      receives: !nowhere && (direction === 'sendrecv' || direction === 'recvonly'),
    };
  }
  return undefined;
}

interface Pick {
  readonly type: number;
  readonly codec: AudioCodec;
  readonly eventType?: number | undefined;
}

/** The first codec of ours in a live plain-RTP audio stream, with its telephone events. */
function pick(media: MediaDescription, codecs: readonly AudioCodec[]): Pick | undefined {
  if (media.kind !== 'audio' || media.port === 0 || media.protocol !== 'RTP/AVP') return undefined;
  const maps = media.rtpmap;
  let chosen: { type: number; codec: AudioCodec } | undefined;
  let eventType: number | undefined;
  for (const format of media.formats) {
    const type = decimal(format, 127);
    if (type === undefined) continue;
    const map = maps.get(type);
    const plain = map === undefined || (map.clock === 8000 && map.channels === 1);
    const name = map?.name ?? STATIC.get(type);
    const codec = plain ? codecs.find((one) => one === name) : undefined;
    if (codec !== undefined) chosen ??= { type, codec };
    else if (plain && name === 'TELEPHONE-EVENT') eventType ??= type;
  }
  return chosen && { ...chosen, eventType };
}

/** What we do when the other side does `offered` and we would like `wanted` (RFC 3264 section 6.1). */
function mirrored(offered: Direction, wanted: Direction): Direction {
  const send = offered !== 'sendonly' && offered !== 'inactive' && wanted !== 'recvonly' && wanted !== 'inactive';
  const receive = offered !== 'recvonly' && offered !== 'inactive' && wanted !== 'sendonly' && wanted !== 'inactive';
  if (send) return receive ? 'sendrecv' : 'sendonly';
  return receive ? 'recvonly' : 'inactive';
}

function blank({ address, sessionId, version = 1 }: LocalMedia): SessionDescription {
  const session = new SessionDescription();
  const where = `IN ${family(address.host)} ${address.host}`;
  session.lines.push(
    { type: 'o', value: `- ${sessionId} ${version} ${where}` },
    { type: 's', value: '-' },
    { type: 'c', value: where },
    { type: 't', value: '0 0' },
  );
  return session;
}

function audio(
  address: Address,
  codecs: readonly { readonly type: number; readonly codec: AudioCodec }[],
  eventType: number | undefined,
  direction: Direction,
): MediaDescription {
  const types = codecs.map(({ type }) => type);
  if (eventType !== undefined) types.push(eventType);
  const media = new MediaDescription('audio', address.port, 'RTP/AVP', types.map(String));
  for (const { type, codec } of codecs) media.lines.push({ type: 'a', value: `rtpmap:${type} ${codec}/8000` });
  if (eventType !== undefined) {
    media.lines.push({ type: 'a', value: `rtpmap:${eventType} telephone-event/8000` });
    media.lines.push({ type: 'a', value: `fmtp:${eventType} 0-15` });
  }
  media.lines.push({ type: 'a', value: `ptime:${PTIME}` }, { type: 'a', value: direction });
  return media;
}

const family = (host: string): 'IP4' | 'IP6' => (host.includes(':') ? 'IP6' : 'IP4');

/** The first octet of IPv4 addresses that are nobody's own: groups, and those of all (RFC 5771, RFC 1112 section 4). */
const GROUPS = 224;

/** A literal IPv4 or IPv6 address of one host: names are never looked up for media, and sound for one is not for many (RFC 3264 section 6). */
export function isUnicast(host: string): boolean {
  if (host.includes(':')) {
    for (const c of host) if (!'0123456789abcdefABCDEF:.'.includes(c)) return false;
    return host.length <= 45 && !host.toLowerCase().startsWith('ff');
  }
  const parts = host.split('.');
  if (parts.length !== 4 || Number(parts[0]) >= GROUPS) return false;
  return parts.every((part) => part.length <= 3 && decimal(part, 255) !== undefined);
}
