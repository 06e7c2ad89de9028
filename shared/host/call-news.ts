/** News of the SIP endpoint as inputs of calls, and what it is to say for them. */
import type { CallInput, Party, Refused } from '#shared/call/call.ts';
import { reasonHeader } from '#shared/call/outcome.ts';
import type { CallHandle, EndpointOutput, ReplyOptions } from '#shared/sip/types.ts';

/** What the endpoint's news of a side means to its call. `music`: whom the side may hold with what it says is to hear music. */
export function inputOf<T>(
  output: Extract<EndpointOutput, { call: CallHandle }>,
  party: Party,
  music: boolean | undefined,
): CallInput<T> | undefined {
  switch (output.do) {
    case 'progress':
      return { on: 'progress', branch: party, status: output.status, sdp: output.sdp };
    case 'answered':
      return { on: 'answered', branch: party, sdp: output.sdp };
    case 'confirmed':
      return { on: 'confirmed', party, sdp: output.sdp, music };
    case 'ended':
      return { on: 'ended', party, why: output.why };
    case 'offer':
      return { on: 'offer', party, sdp: output.sdp, music };
    case 'reoffered':
      return { on: 'reoffered', party, ok: output.ok, status: output.status, sdp: output.sdp };
    default:
      return undefined;
  }
}

/** Options of a provisional response. */
export function saying(contact: string | undefined, sdp: string | undefined): { contact?: string; sdp?: string } {
  if (contact === undefined) return sdp === undefined ? {} : { sdp };
  return sdp === undefined ? { contact } : { contact, sdp };
}

/** Options of a refusal. */
export function refusing({ reason, moved }: Refused): ReplyOptions {
  const headers: [string, string][] = [['Reason', reasonHeader(reason)]];
  return moved === undefined ? { headers } : { headers, contact: moved };
}
