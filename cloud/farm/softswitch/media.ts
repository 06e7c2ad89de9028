/** What a call asks of the media server, as requests on the bus. */
import type { Bus, Context } from '#cloud/bus/bus.ts';
import type { CallOutput } from '#shared/call/call.ts';
import type { MediaReply } from '#shared/host/call-driver.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import { parseSdp } from '#shared/sip/sdp.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { type Callee, endOf, type Live } from './live.ts';
import { isLoopback, isPrivate } from './reach.ts';

export const SELF: Context = { principal: { kind: 'part', part: 'softswitch' } };

/** Milliseconds for one request to media or session manager. */
export const BUS_LIMIT = 2_000;

type Ask = Extract<CallOutput<Callee>, { do: 'media' }>;

/**
 * Carries out one `media` output. Endpoints are named by session and leg, so that a repetition finds the same one. `flowOf`: the flow that
 * a side's requests take now.
 */
export async function askMedia(
  bus: Bus,
  live: Live,
  endpoints: Map<string, string>,
  ask: Ask,
  flowOf: (side: CallHandle) => Flow | undefined,
): Promise<MediaReply> {
  const owner = { session: live.session, leg: ask.leg };
  const sdp = ask.sdp ?? '';
  const like = ask.like === undefined ? {} : { like: ask.like };
  const party = ask.party === ask.leg ? firstBranch(live, ask.leg) : ask.party;
  const { flow: first, gateway } = endOf(live, party);
  const side = live.handles.get(party);
  const flow = sourceFlow(first, gateway, side === undefined ? undefined : flowOf(side));
  if (ask.want === 'offer') {
    const family = flow?.remote.host.includes(':') ? ({ family: '6' } as const) : {};
    const offered = await bus.request('media.endpoint.offer', { ...owner, ...family, ...like }, SELF, BUS_LIMIT);
    if (!offered.ok) return failed(offered.fault);
    endpoints.set(ask.leg, offered.value.endpoint);
    return { sdp: offered.value.sdp };
  }
  const from = flow === undefined ? undefined : sourceOf(flow.remote.host, gateway !== undefined, sdp);
  // A NAT that has lost what it knew keeps its address, and changes the ports of sound and signalling alike.
  const source = from === undefined ? {} : { source: from, ...(gateway && flow ? { way: flow.id } : {}) };
  if (ask.want === 'answer') {
    const answered = await bus.request('media.endpoint.answer', { ...owner, sdp, ...source, ...like }, SELF, BUS_LIMIT);
    if (!answered.ok) return failed(answered.fault);
    endpoints.set(ask.leg, answered.value.endpoint);
    return { sdp: answered.value.sdp };
  }
  const endpoint = endpoints.get(ask.leg) ?? (await find(bus, owner));
  if (endpoint === undefined) return { failed: 500 };
  const accepted = await bus.request('media.endpoint.accept', { endpoint, sdp, ...source }, SELF, BUS_LIMIT);
  return accepted.ok ? {} : failed(accepted.fault);
}

/**
 * The flow whose address vouches for a side's sound: as the call began, or the one to which its gateway has moved since. Only one over
 * which that very gateway proved itself counts: to know the names of a dialog is not enough to draw its sound elsewhere.
 */
export function sourceFlow(
  first: Flow | undefined,
  gateway: string | undefined,
  now: Flow | undefined,
): Flow | undefined {
  if (gateway === undefined || now?.peer.kind !== 'certificate') return first;
  return now.peer.trusted && now.peer.subject === gateway ? now : first;
}

/** After a restart the endpoint of a leg is found again by its owner. */
async function find(bus: Bus, owner: { session: string; leg: string }): Promise<string | undefined> {
  const offered = await bus.request('media.endpoint.offer', owner, SELF, BUS_LIMIT);
  return offered.ok ? offered.value.endpoint : undefined;
}

function firstBranch(live: Live, leg: string): string {
  for (const [name, branch] of live.state.branches) if (branch.leg === leg) return name;
  return leg;
}

/** Lets sound flow both ways between two endpoints; gives what hindered it. */
export async function join(bus: Bus, a: string, b: string): Promise<Fault | undefined> {
  const both = await Promise.all([
    bus.request('media.endpoint.connect', { from: a, to: b, connected: true }, SELF, BUS_LIMIT),
    bus.request('media.endpoint.connect', { from: b, to: a, connected: true }, SELF, BUS_LIMIT),
  ]);
  for (const done of both) if (!done.ok) return done.fault;
  return undefined;
}

function failed(fault: Fault): { readonly failed: number } {
  return { failed: sipStatus(fault.code) };
}

/**
 * The only address from which RTP is taken; undefined: the one that the SDP names. A gateway sends from where its flow comes. A
 * direct phone whose SDP shows another, private address is behind a NAT, and sends from where its SIP comes; so does one on this
 * very machine, whatever address of the machine its SDP names.
 */
export function sourceOf(remote: string, gateway: boolean, sdp: string): string | undefined {
  if (gateway) return remote;
  const named = rtpHost(sdp);
  if (named === undefined || named === remote) return undefined;
  return isPrivate(named) || isLoopback(remote) ? remote : undefined;
}

/** The address at which a description wants its RTP. */
export function rtpHost(sdp: string | undefined): string | undefined {
  if (sdp === undefined) return undefined;
  const usual = usualHost(sdp);
  if (usual !== undefined) return usual;
  const session = parseSdp(sdp);
  const media = session?.media.find((one) => one.port !== 0);
  return session === undefined || media === undefined ? undefined : session.connectionOf(media);
}

/** Octets up to which a description is looked at as a usual one. */
const USUAL_LENGTH = 4_000;
/** One stream that is wanted, and one address, for the whole session: of a description that `parseSdp` would read so too. */
const USUAL =
  /^v=0\r\no=(?:[^ \r\n]+ ){5}[^ \r\n]+\r\n(?:[abd-ln-z]=[^\r\n]*\r\n)*c=IN IP[46] ([^ /\r\n]+)\r\n(?:[abd-ln-z]=[^\r\n]*\r\n)*m=[a-z]+ (?:[1-9]\d{0,3}|[1-5]\d{4}) [^ \r\n]+ [^ \r\n][^\r\n]*\r\n(?:[abd-ln-z]=[^\r\n]*\r\n)*$/;

function usualHost(sdp: string): string | undefined {
  return sdp.length > USUAL_LENGTH ? undefined : USUAL.exec(sdp)?.[1];
}
