/**
 * Fax in real time: T.38 over UDPTL, an image stream that takes the place of a call's audio (ITU-T T.38 Annex D, RFC 3362, RFC 3264
 * section 8.3.3). We carry its datagrams as they are, so what the two ends say of their abilities is told on word for word.
 */
import { plainAddress } from '../kernel/address.ts';
import { isUnicast, type LocalMedia, makeAnswer, makeOffer, type RemoteMedia, readRemote } from './offer-answer.ts';
import { MediaDescription, parseSdp, type SessionDescription, writeSdp } from './sdp.ts';

/** The other side's end of a stream; `opaque`: datagrams that are nobody's business but theirs. */
export type RemoteEnd = RemoteMedia & { readonly opaque?: true };

/** Attributes of an image stream that are told on, and the most characters of one. */
const ATTRIBUTES = 16;
const ATTRIBUTE_LENGTH = 64;
const ABILITY = /^T38(?:Fax|Max)[A-Za-z0-9]{1,32}(?::[A-Za-z0-9. -]{1,64})?$/;

const isImage = ({ kind, protocol, formats, port }: MediaDescription): boolean =>
  kind === 'image' &&
  port !== 0 &&
  protocol.toLowerCase() === 'udptl' &&
  formats.some((one) => one.toLowerCase() === 't38');

/** The live image stream of a description, where it has one: it goes before audio that stands beside it. */
const imageOf = (session: SessionDescription | undefined): MediaDescription | undefined => session?.media.find(isImage);

/** True for a description that asks for T.38, or agrees to it. */
export const isFax = (sdp: string): boolean => imageOf(parseSdp(sdp)) !== undefined;

/** Our offer: audio, or fax where `like`, what the other side of the call offers, is that. */
export function offerLike(like: string | undefined, local: LocalMedia): string {
  const image = like === undefined ? undefined : imageOf(parseSdp(like));
  const audio = makeOffer(local);
  if (image === undefined) return audio;
  const session = parseSdp(audio);
  if (session === undefined) throw new Error('our own offer cannot be read');
  session.media.splice(0, session.media.length, fax(local, image));
  return writeSdp(session);
}

/**
 * Our answer to `offer`. Where `like`, the other side's answer, has agreed on fax, the image stream is taken with what that says of its
 * abilities, and everything beside it is refused in its place; else it is audio. Undefined where there is nothing that we carry: 488.
 */
export function answerLike(offer: string, like: string | undefined, local: LocalMedia): string | undefined {
  const offered = parseSdp(offer);
  const image = imageOf(offered);
  const abilities = like === undefined ? undefined : imageOf(parseSdp(like));
  if (offered === undefined || image === undefined || abilities === undefined) return makeAnswer(offer, local);
  const session = parseSdp(makeOffer(local));
  if (session === undefined) return undefined;
  const time = offered.lines.find(({ type }) => type === 't');
  const at = session.lines.findIndex(({ type }) => type === 't');
  if (time !== undefined && at >= 0) session.lines.splice(at, 1, time);
  const refused = (one: MediaDescription) => new MediaDescription(one.kind, 0, one.protocol, one.formats.slice(0, 1));
  const media = offered.media.map((one) => (one === image ? fax(local, abilities) : refused(one)));
  session.media.splice(0, session.media.length, ...media);
  return writeSdp(session);
}

/** Reads the other side's end: its image stream where `like` has agreed on fax, or else its audio. */
export function readEnd(sdp: string, like: string | undefined): RemoteEnd | undefined {
  const session = parseSdp(sdp);
  const image = like === undefined || !isFax(like) ? undefined : imageOf(session);
  if (session === undefined || image === undefined) return readRemote(sdp);
  const host = session.connectionOf(image);
  if (host === undefined || !isUnicast(host)) return undefined;
  const address = { host: plainAddress(host), port: image.port };
  return { address, codec: 'PCMU', payloadType: 0, sends: true, receives: true, opaque: true };
}

function fax({ address }: LocalMedia, like: MediaDescription): MediaDescription {
  const media = new MediaDescription('image', address.port, 'udptl', ['t38']);
  const told = like.lines.filter(
    ({ type, value }) => type === 'a' && value.length <= ATTRIBUTE_LENGTH && ABILITY.test(value),
  );
  media.lines.push(...told.slice(0, ATTRIBUTES));
  return media;
}
