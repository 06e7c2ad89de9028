/** Calls whose connection broke go on over another one, and those that nobody is left in are found out. */
import type { SipPort } from '#shared/host/call-driver.ts';
import { isGone } from '#shared/host/call-restore.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import type { EdgeCall } from './edge-call.ts';
import { isUpstream } from './end.ts';
import type { Side } from './readdress.ts';

/**
 * A new flow to the softswitch: calls that run over it go on, unless a softswitch that started again does not know them. Gives the sides
 * that had another flow of this process before, which are still to be asked; where this process is the new one, nothing says that the
 * gateway's address is.
 */
export function overNewUpstream(sip: SipPort, calls: Iterable<EdgeCall>, flow: Flow): Side[] {
  const moved: Side[] = [];
  for (const call of [...calls]) {
    for (const [party, handle] of [...call.handles]) {
      if (!isUpstream({ call, party })) continue;
      const before = sip.endpoint.flowOf(handle);
      sip.endpoint.moveCall(handle, flow);
      if (before === undefined || isGone(before)) askWhether(sip, handle);
      else moved.push({ call: call.id, party, since: call.startedAt, help: call.help !== undefined });
    }
  }
  return moved;
}

/** Asks a side whether it still has the call. */
export function askWhether(sip: SipPort, handle: CallHandle): void {
  sip.act((endpoint, now, out) => endpoint.probe(handle, now, out));
}

/** A phone's new connection: calls with one of these contacts go on over it. */
export function overNewConnection(
  sip: SipPort,
  calls: Iterable<EdgeCall>,
  flow: Flow,
  contacts: ReadonlySet<string>,
): void {
  for (const call of calls) {
    for (const [party, handle] of call.handles) {
      if (isUpstream({ call, party })) continue;
      const target = sip.endpoint.snapshot(handle)?.remoteTarget;
      if (target !== undefined && contacts.has(target)) sip.endpoint.moveCall(handle, flow);
    }
  }
}

/** Milliseconds between questions to phones in a call whether they still are. */
export const ASK_EVERY = 600_000;

/**
 * Asks every phone in an established call whether it still knows it, as it may have lost its power; one that is silent has left. Many
 * phones keep no session timers (RFC 4028), and a call of two that are both gone would never end. The softswitch has timers of its own.
 */
export function askPhones(sip: SipPort, calls: Iterable<EdgeCall>): void {
  for (const call of [...calls]) {
    for (const [party, handle] of call.state.at === 'up' ? [...call.handles] : [])
      if (!isUpstream({ call, party })) askWhether(sip, handle);
  }
}
