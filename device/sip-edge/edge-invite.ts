/** The INVITE of the edge to whom a call rings: a phone of the house, the softswitch, or a way out for a call for help. */
import type { CallOutput } from '#shared/call/call.ts';
import { hopHeaders } from '#shared/call/hops.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import { writeDiversion } from '#shared/sip/diversion.ts';
import { referredBy } from '#shared/sip/refer.ts';
import type { Flow, InviteOptions } from '#shared/sip/types.ts';
import { writeNameAddr } from '#shared/sip/uri.ts';
import type { EdgeCall, Ring } from './edge-call.ts';
import { fallbackInvite, modemInvite } from './emergency.ts';
import type { HouseCalls } from './house-calls.ts';

export interface InviteTools {
  readonly sip: SipPort;
  readonly domain: () => string;
  readonly upstream: () => Flow | undefined;
  readonly emergency: () => VoiceDocument['emergency'];
  readonly inside: () => Pick<HouseCalls, 'shown'>;
}

export function edgeInvite(
  tools: InviteTools,
  call: EdgeCall,
  { to, sdp, breadth }: Extract<CallOutput<Ring>, { do: 'invite' }>,
): InviteOptions {
  const { sip, domain } = tools;
  const hops = hopHeaders(call.hops, breadth);
  if (to.kind === 'phone') return toPhone(tools, call, to, { sdp, hops });
  const { help, shown, from, id } = call;
  const settings = tools.emergency();
  if (to.kind === 'modem') return modemInvite(help?.number ?? call.dialled, shown, to.flow, sip.contact(to.flow), sdp);
  if (to.kind === 'fallback' && help !== undefined && settings !== undefined) {
    const known = { help, shown, id, number: from?.number ?? '' };
    const { location: _, ...unlocated } = settings;
    return fallbackInvite(known, to.unlocated === true ? unlocated : settings, domain(), {
      flow: to.flow,
      contact: sip.contact(to.flow),
      sdp,
    });
  }
  const dialled = to.kind === 'softswitch' ? to.dialled : call.dialled;
  // While the flow is away the one that was there stands in; the INVITE then fails by its own timer.
  const flow = tools.upstream() ?? to.flow;
  const diversion = writeDiversion(call.diverted ?? [], { domain: domain(), trusted: true });
  const uri = dialled.startsWith('urn:') ? dialled : `sip:${dialled}@${domain()}`;
  return {
    uri,
    from: shown,
    to: `<${uri}>`,
    flow,
    contact: sip.contact(flow),
    // The softswitch has to know who calls; that nobody else shall is its to see to (RFC 3325 section 9.3).
    headers: [
      ...hops,
      ['P-Asserted-Identity', shown],
      ...privacyHeader(call),
      ...diversion.map((value) => ['Diversion', value] as const),
      ...referredBy(call.referredBy, domain()),
      ...(call.replaces === undefined ? [] : [['Replaces', call.replaces] as const]),
    ],
    sdp,
    held: true,
    ...(help === undefined ? {} : { trying: true }),
  };
}

/** What the caller asked for goes on to who can do it; that its number is withheld also by a code. */
function privacyHeader({ hidden, privacy = [] }: EdgeCall): (readonly [string, string])[] {
  const values = new Set(hidden === true ? ['id', ...privacy.filter((value) => value !== 'none')] : privacy);
  return values.size === 0 ? [] : [['Privacy', [...values].join(';')]];
}

function toPhone(
  { sip, domain, inside }: InviteTools,
  call: EdgeCall,
  { phone, line }: Extract<Ring, { kind: 'phone' }>,
  { sdp, hops }: { readonly sdp: string; readonly hops: readonly (readonly [string, string])[] },
): InviteOptions {
  const { passed } = call;
  const { from, headers } = passed === undefined ? inside().shown(call, line) : { from: call.shown, headers: passed };
  return {
    uri: phone.uri,
    from,
    to: writeNameAddr({ display: '', uri: `sip:${line.number}@${domain()}`, params: new Map() }),
    flow: phone.flow,
    contact: sip.contact(phone.flow),
    route: phone.path,
    headers: [...hops, ...headers, ...referredBy(call.referredBy, domain())],
    sdp,
    held: true,
  };
}
