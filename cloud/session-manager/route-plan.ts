/** What routing makes of a plan: who is named as the caller, who answers and pays for the way, and whom the softswitch rings. Pure. */
import type { PartyFacts } from './choice.ts';
import type { LegPlan } from './events.ts';
import type { Plan } from './plan.ts';

/** E.164; undefined for a caller that has none. */
export function callerNumber(caller: PartyFacts | undefined): string | undefined {
  return caller?.line?.number ?? (caller?.asked.startsWith('+') === true ? caller.asked : undefined);
}

/** The plan of a call from outside, with what its caller's number proved to be. */
export function verified(plan: Plan, verstat: LegPlan['verstat']): Plan {
  return verstat === undefined ? plan : { ...plan, legs: plan.legs.map((leg) => ({ ...leg, verstat })) };
}

/** A caller from outside. */
export function stranger(number: string | undefined): PartyFacts | undefined {
  return number === undefined ? undefined : { asked: number, direct: true };
}

/** Whom the softswitch rings for a leg; `hides`: whether a line withholds its number. */
export function rung(
  leg: string,
  line: string | undefined,
  outside: string | undefined,
  owner: string | undefined,
  hides: (owner: string) => boolean,
) {
  if (line !== undefined || outside === undefined) return { leg, line: line ?? '' };
  if (owner === undefined) return { leg, number: outside };
  return { leg, number: outside, owner, ...(hides(owner) ? { ownerHidden: true } : {}) };
}

/** A plan of who sent the call on, with the true caller's leg in it. */
export function calledBy(plan: Plan, caller: PartyFacts | undefined): Plan {
  const [first, ...callees] = plan.legs;
  if (first === undefined) return plan;
  const from = caller?.line?.number ?? caller?.asked ?? 'anonymous';
  const { home: _, line: __, gateway: ___, ...free } = first;
  const own = caller?.line === undefined ? {} : { home: caller.line.home, line: caller.line.id };
  return {
    ...plan,
    homes: [...new Set([...(caller?.line === undefined ? [] : [caller.line.home]), ...plan.homes])],
    legs: [{ ...free, ...own, party: from, from, reserve: [] }, ...callees.map((leg) => ({ ...leg, from }))],
  };
}

/** The plan with what forwarding and privacy make of it: who sends a call on pays for the way, and a withheld number is nobody's. */
export function described(plan: Plan, hidden: boolean, forwarder: PartyFacts | undefined): Plan {
  const [caller, ...callees] = plan.legs;
  if (caller === undefined || (!hidden && forwarder === undefined)) return plan;
  const payer = forwarder?.line?.home;
  return {
    ...plan,
    legs: [
      // The other home sees the session too.
      hidden ? { ...caller, party: 'anonymous' } : caller,
      ...callees.map((leg) => ({
        ...leg,
        ...(hidden ? { from: 'anonymous' } : {}),
        ...(payer === undefined ? {} : { payer, why: `${leg.why}; forwarded by ${forwarder?.line?.number}` }),
      })),
    ],
  };
}
