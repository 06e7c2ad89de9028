/** What the homes that a caller without a number reached may see of its session: nothing that tells who called. Pure. */
import type { Principal } from '#cloud/bus/bus.ts';
import { WITHHELD } from '#shared/call/features/recent.ts';
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import { seesSession } from './access.ts';
import type { JournalRow, LegPlan, SessionView } from './events.ts';
import type { SessionState } from './session.ts';

/** True where the caller withholds its number and the asker is not of its home. */
export function isWithheld(principal: Principal, { legs: [caller] }: Pick<SessionState, 'legs'>): boolean {
  if (caller?.party !== WITHHELD) return false;
  return !seesSession(principal, caller.home === undefined ? [] : [caller.home]);
}

/** The view without the caller's home, dialog and own words. */
export function withoutCaller({ request, legs, ...view }: SessionView): SessionView {
  const [caller, ...others] = legs;
  if (caller === undefined) return { ...view, request, legs };
  const { home: _, callId: __, ...leg } = caller;
  return { ...view, request: wish(request), legs: [leg, ...others] };
}

/** A row of the journal without the same. */
export function rowWithoutCaller(row: JournalRow, { legs: [caller] }: Pick<SessionState, 'legs'>): JournalRow {
  if (caller === undefined) return row;
  const { data } = row;
  if ('records' in data) {
    const records = data.records.map((one) => recordWithout(one, caller.id, caller.home));
    return { ...row, data: { ...data, records } } as JournalRow;
  }
  if ('request' in data) {
    const homes = data.homes.filter((home) => home !== caller.home);
    const legs = data.legs.map((leg) => planWithout(leg, caller.id, caller.home));
    return { ...row, data: { ...data, request: wish(data.request), homes, legs } } as JournalRow;
  }
  if ('plan' in data)
    return { ...row, data: { ...data, plan: planWithout(data.plan, caller.id, caller.home) } } as JournalRow;
  // Its dialog is named by whoever called.
  return row.leg === caller.id ? ({ ...row, data: {} } as unknown as JournalRow) : row;
}

/** Of what was asked, only for whom. */
function wish(request: unknown): { readonly to?: unknown; readonly hidden: true } {
  const to = typeof request === 'object' && request !== null && 'to' in request ? { to: request.to } : {};
  return { ...to, hidden: true };
}

function recordWithout({ payer, ...record }: LegRecord, caller: string, home: string | undefined): LegRecord {
  const paid = payer === undefined || payer === home ? {} : { payer };
  if (record.leg !== caller) return { ...record, ...paid };
  const { home: _, ...rest } = record;
  return { ...rest, from: WITHHELD, ...paid };
}

function planWithout({ payer, ...plan }: LegPlan, caller: string, home: string | undefined): LegPlan {
  const paid = payer === undefined || payer === home ? {} : { payer };
  if (plan.id !== caller) return { ...plan, ...paid };
  const { home: _, line: __, gateway: ___, caller: ____, ...rest } = plan;
  return { ...rest, from: WITHHELD, ...paid };
}
