/** One end of a call of the edge: who is there, and how it is reached. */
import { CALLER, type Party } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { Flow } from '#shared/sip/types.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';

/** A side of a call. */
export interface End {
  readonly call: EdgeCall;
  readonly party: Party;
}

/** Name of its media's end. */
export const legAt = ({ party }: End): string => (party === CALLER ? CALLER_LEG : CALLEE_LEG);

/** The other side. */
export const otherEnd = ({ call, party }: End): End => ({
  call,
  party: party === CALLER ? (call.state.winner ?? '') : CALLER,
});

/** True where somebody is at both sides: none of them is parked, or talks with others. */
export const isWhole = (call: EdgeCall): boolean =>
  call.handles.has(CALLER) && call.handles.has(call.state.winner ?? '');

/** The line of the house at that end; undefined for the softswitch. */
export function lineOf({ call, party }: End): NamedLine | undefined {
  if (party === CALLER) return call.from;
  const to = call.state.branches.get(party)?.to;
  return to?.kind === 'phone' ? to.line : undefined;
}

/** True where that end is at the softswitch. */
export function isUpstream({ call, party }: End): boolean {
  if (party === CALLER) return call.from === undefined;
  return call.state.branches.get(party)?.to.kind === 'softswitch';
}

/** The flow to that end. */
export function flowOf({ call, party }: End): Flow {
  const to = party === CALLER ? undefined : call.state.branches.get(party)?.to;
  if (to === undefined) return call.flow;
  return to.kind === 'phone' ? to.phone.flow : to.flow;
}

/** Whom that end rings, or would. */
export function ringOf(end: End, sip: SipPort): Ring {
  const { call, party } = end;
  const to = call.state.branches.get(party)?.to;
  if (party !== CALLER && to !== undefined) return to;
  const handle = call.handles.get(party);
  const uri = (handle === undefined ? undefined : sip.endpoint.snapshot(handle)?.remoteTarget) ?? '';
  if (call.from === undefined) return { kind: 'softswitch', dialled: '', flow: call.flow };
  return { kind: 'phone', phone: { uri, flow: call.flow, path: [] }, line: call.from };
}

/** Somebody else is at this end from now on. */
export function seat({ call, party }: End, ring: Ring, flow: Flow): void {
  const line = ring.kind === 'phone' ? ring.line : undefined;
  if (party === CALLER) {
    call.flow = flow;
    if (line === undefined) delete call.from;
    else call.from = line;
    return;
  }
  const branch = call.state.branches.get(party);
  if (branch !== undefined) call.state.branches.set(party, { ...branch, to: ring });
  if (line === undefined) delete call.inside;
  else call.inside = line;
}
