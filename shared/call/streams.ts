/** Streams of a session keep their places: a later offer has one for each that was described before (RFC 3264 section 8). */

import type { Party } from './call-types.ts';

export interface Streams {
  /** Those of the last description to or from a party, where there are several. */
  streams?: Map<Party, readonly string[]> | undefined;
}

/** The values of the `m=` lines of a description, in their order. */
export function streamsOf(sdp: string): string[] {
  const streams: string[] = [];
  for (let at = sdp.indexOf('\nm='); at >= 0; at = sdp.indexOf('\nm=', at + 1)) {
    const end = sdp.indexOf('\n', at + 1);
    streams.push(sdp.slice(at + 3, end < 0 ? sdp.length : end).trimEnd());
  }
  return streams;
}

/** The offer with the streams `before` that it lacks, closed: by port 0 and one format (section 8.2). */
export function withStreams(offer: string, before: readonly string[]): string {
  let text = offer;
  for (const stream of before.slice(streamsOf(offer).length)) {
    const [kind, , protocol, format] = stream.split(' ');
    text += `m=${kind} 0 ${protocol} ${format}\r\n`;
  }
  return text;
}

/** A description went to a party, or came from it. */
export function noteStreams(call: Streams, party: Party, sdp: string): void {
  const streams = streamsOf(sdp);
  if (streams.length < 2 && call.streams?.has(party) !== true) return;
  call.streams ??= new Map();
  call.streams.set(party, streams);
}

/** A later description of ours as the party gets it; what passes from phone to phone has the streams that they agreed on. */
export function keepStreams(
  call: Streams & { readonly state: { readonly relay: boolean } },
  party: Party,
  sdp: string,
): string {
  const kept = call.state.relay ? withStreams(sdp, call.streams?.get(party) ?? []) : sdp;
  noteStreams(call, party, kept);
  return kept;
}
