/**
 * Session descriptions (RFC 8866). Every line is kept in its place, known or not, so that writing gives back what was read;
 * what offer and answer need is read from the lines on demand.
 */
import { decimal } from './params.ts';

export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** One `x=value` line. */
export interface SdpLine {
  readonly type: string;
  readonly value: string;
}

export interface RtpMap {
  /** Encoding name, upper case. */
  readonly name: string;
  /** Clock rate, Hz. */
  readonly clock: number;
  readonly channels: number;
}

/** An `o=` line. Id and version are decimal digits of any length (usually 64 bits). */
export interface Origin {
  readonly username: string;
  readonly sessionId: string;
  readonly version: string;
  /** The rest: net type, address type, address. */
  readonly where: string;
}

/** The most `m=` lines, and the most lines in all, of one description. */
export const MEDIA_LIMIT = 32;
export const SDP_LINE_LIMIT = 1024;

/** What session and media part have in common: their lines below `v=` or `m=`. */
class Part {
  readonly lines: SdpLine[] = [];

  /** The value of the first `a=name:value`; empty for a bare `a=name`; undefined where there is none. */
  attribute(name: string): string | undefined {
    return this.attributes(name)[0];
  }

  attributes(name: string): string[] {
    const values: string[] = [];
    for (const { type, value } of this.lines) {
      if (type !== 'a') continue;
      if (value === name) values.push('');
      else if (value.startsWith(`${name}:`)) values.push(value.slice(name.length + 1));
    }
    return values;
  }

  /** The connection address of this part's own `c=` line, a multicast TTL cut off. */
  get connection(): string | undefined {
    const line = this.lines.find(({ type }) => type === 'c');
    const [net, family, address] = line?.value.split(' ') ?? [];
    if (net !== 'IN' || (family !== 'IP4' && family !== 'IP6') || address === undefined) return undefined;
    const slash = address.indexOf('/');
    return slash < 0 ? address : address.slice(0, slash);
  }

  /** This part's own direction attribute. */
  get direction(): Direction | undefined {
    for (const { type, value } of this.lines) {
      if (type !== 'a') continue;
      if (value === 'sendrecv' || value === 'sendonly' || value === 'recvonly' || value === 'inactive') return value;
    }
    return undefined;
  }
}

/** One `m=` line and the lines below it. */
export class MediaDescription extends Part {
  /** `audio`, `video`, `image` … */
  kind: string;
  /** 0: rejected or removed (RFC 3264 sections 6 and 8.2). */
  port: number;
  /** `RTP/AVP`, `RTP/SAVP`, `udptl` … */
  protocol: string;
  formats: string[];

  constructor(kind: string, port: number, protocol: string, formats: string[]) {
    super();
    this.kind = kind;
    this.port = port;
    this.protocol = protocol;
    this.formats = formats;
  }

  /** `a=rtpmap` by payload type. */
  get rtpmap(): Map<number, RtpMap> {
    const maps = new Map<number, RtpMap>();
    for (const value of this.attributes('rtpmap')) {
      const space = value.indexOf(' ');
      const type = decimal(value.slice(0, Math.max(space, 0)), 127);
      const [name, rate, channels] = value.slice(space + 1).split('/');
      const clock = decimal(rate ?? '', 1_000_000);
      if (type === undefined || clock === undefined || name === undefined) continue;
      maps.set(type, { name: name.toUpperCase(), clock, channels: decimal(channels ?? '1', 255) ?? 1 });
    }
    return maps;
  }

  /** `a=fmtp` by payload type. */
  get fmtp(): Map<number, string> {
    const maps = new Map<number, string>();
    for (const value of this.attributes('fmtp')) {
      const space = value.indexOf(' ');
      const type = decimal(value.slice(0, Math.max(space, 0)), 127);
      if (type !== undefined) maps.set(type, value.slice(space + 1));
    }
    return maps;
  }

  /** `a=crypto` values as they stand (RFC 4568). */
  get crypto(): string[] {
    return this.attributes('crypto');
  }
}

/** A whole description. The lines of the session part begin with `o=` (`v=0` is understood). */
export class SessionDescription extends Part {
  readonly media: MediaDescription[] = [];

  get origin(): Origin | undefined {
    const line = this.lines.find(({ type }) => type === 'o');
    const [username, sessionId, version, ...where] = line?.value.split(' ') ?? [];
    if (username === undefined || sessionId === undefined || version === undefined || where.length !== 3) {
      return undefined;
    }
    return { username, sessionId, version, where: where.join(' ') };
  }

  /** Where media of `media` is sent: its own connection or the session's. */
  connectionOf(media: MediaDescription): string | undefined {
    return media.connection ?? this.connection;
  }

  /** Direction of `media`: its own, the session's, or sendrecv (RFC 8866 section 6.7). */
  directionOf(media: MediaDescription): Direction {
    return media.direction ?? this.direction ?? 'sendrecv';
  }
}

/** Reads a description; line ends may be CRLF or LF. Undefined where it is malformed. */
export function parseSdp(text: string): SessionDescription | undefined {
  const raw = text.split('\n', SDP_LINE_LIMIT + 1);
  if (raw.length > SDP_LINE_LIMIT) return undefined;
  const session = new SessionDescription();
  let part: Part | undefined;
  for (const [index, one] of raw.entries()) {
    const line = one.endsWith('\r') ? one.slice(0, -1) : one;
    if (line === '' && raw.slice(index).every((rest) => rest === '' || rest === '\r')) break;
    if (line.charCodeAt(1) !== 61) return undefined;
    const value = line.slice(2);
    if (part === undefined) {
      if (line !== 'v=0') return undefined;
      part = session;
    } else if (line.startsWith('m=')) {
      const media = parseMedia(value);
      if (media === undefined || session.media.length >= MEDIA_LIMIT) return undefined;
      session.media.push(media);
      part = media;
    } else part.lines.push({ type: line.charAt(0), value });
  }
  return part !== undefined && session.origin !== undefined ? session : undefined;
}

function parseMedia(value: string): MediaDescription | undefined {
  const [kind, ports, protocol, ...formats] = value.split(' ').filter((word) => word !== '');
  if (kind === undefined || ports === undefined || protocol === undefined || formats.length === 0) return undefined;
  const slash = ports.indexOf('/');
  const port = decimal(slash < 0 ? ports : ports.slice(0, slash), 65_535);
  return port === undefined ? undefined : new MediaDescription(kind, port, protocol, formats);
}

/** The text of a description, each line ended by CRLF. */
export function writeSdp(session: SessionDescription): string {
  let text = 'v=0\r\n';
  for (const { type, value } of session.lines) text += `${type}=${value}\r\n`;
  for (const media of session.media) {
    text += `m=${media.kind} ${media.port} ${media.protocol} ${media.formats.join(' ')}\r\n`;
    for (const { type, value } of media.lines) text += `${type}=${value}\r\n`;
  }
  return text;
}
