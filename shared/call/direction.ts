/** Direction of a session's sound (RFC 3264 section 5.1), read from and written into SDP text. */
import { type Direction, parseSdp, writeSdp } from '../sip/sdp.ts';

export type { Direction } from '../sip/sdp.ts';

const directions: ReadonlySet<string> = new Set(['sendrecv', 'sendonly', 'recvonly', 'inactive']);

/** What the describing side says of its first live medium. The address 0.0.0.0 is hold of the old manner (RFC 2543). */
export function directionOf(sdp: string): Direction {
  const session = parseSdp(sdp);
  const media = session?.media.find((one) => one.port !== 0);
  if (session === undefined || media === undefined) return 'inactive';
  const direction = session.directionOf(media);
  if (session.connectionOf(media) !== '0.0.0.0') return direction;
  return direction === 'sendrecv' || direction === 'sendonly' ? 'sendonly' : 'inactive';
}

/**
 * What a side is offered that asks for an offer (RFC 3264 section 8.4): it was `told` that direction, and has `said` another itself. A
 * `recvonly` that only answers its own hold would keep it from resuming. Undefined: as it was told.
 */
export function unheld(told: Direction, said: Direction): Direction | undefined {
  if (told === 'recvonly') return said === 'sendonly' ? 'sendrecv' : undefined;
  if (told !== 'inactive') return undefined;
  if (said === 'inactive') return 'sendrecv';
  return said === 'sendonly' ? 'sendonly' : undefined;
}

/** What a side wants that was `told` a direction and `answered` so; undefined where the answer cannot say it. */
export function wishOf(told: Direction, answered: Direction): Direction | undefined {
  if (told === 'inactive') return undefined;
  const whole = told === 'sendonly' ? 'recvonly' : told === 'recvonly' ? 'sendonly' : 'sendrecv';
  return answered === whole ? 'sendrecv' : answered;
}

/** The version in the `o=` line; 0 where there is none that counts. */
export function versionOf(sdp: string): number {
  return originVersion(originOf(sdp));
}

/** The version in the value of an `o=` line. */
export function originVersion(origin: string | undefined): number {
  if (origin === undefined) return 0;
  const second = origin.indexOf(' ', origin.indexOf(' ') + 1) + 1;
  const version = Number(origin.slice(second, origin.indexOf(' ', second)));
  return Number.isSafeInteger(version) ? version : 0;
}

/** The `o=` line of a description; undefined where it has none, or one that is malformed. Nothing else of the description is read. */
export function originOf(sdp: string): string | undefined {
  const at = sdp.indexOf('\no=');
  const media = sdp.indexOf('\nm=');
  if (at < 0 || (media >= 0 && media < at)) return undefined;
  const end = sdp.indexOf('\n', at + 1);
  const line = sdp.slice(at + 3, end < 0 ? sdp.length : end);
  const value = line.endsWith('\r') ? line.slice(0, -1) : line;
  return spacesIn(value) === 5 ? value : undefined;
}

function spacesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(' '); at >= 0; at = text.indexOf(' ', at + 1)) count++;
  return count;
}

/**
 * The same description as a later one of its dialog: with that version in `o=` (RFC 3264 section 8: one more than before) and,
 * where given, another direction. `before`: the `o=` of the description before, which stays but for its version. What cannot be read
 * comes back as it was.
 */
export function revised(sdp: string, version: number, direction?: Direction, before?: string): string {
  const session = parseSdp(sdp);
  if (session === undefined) return sdp;
  for (const [i, line] of session.lines.entries()) {
    if (line.type !== 'o') continue;
    const origin = (before ?? line.value).split(' ');
    if (origin.length === 6) origin[2] = String(version);
    session.lines[i] = { type: 'o', value: origin.join(' ') };
  }
  if (direction === undefined) return writeSdp(session);
  for (const part of [session, ...session.media]) {
    const kept = part.lines.filter((line) => line.type !== 'a' || !directions.has(line.value));
    part.lines.splice(0, part.lines.length, ...kept);
  }
  for (const media of session.media) if (media.port !== 0) media.lines.push({ type: 'a', value: direction });
  return writeSdp(session);
}
