/** News of the SIP endpoint as inputs of calls. */
import type { CallInput, Party } from '#shared/call/call.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';

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
