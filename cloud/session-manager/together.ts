/** The lines and numbers that ring together with the one that was called. Pure. */
import type { LineFeatures } from '#shared/call/features/document.ts';
import { ringsAlong } from '#shared/call/features/together.ts';
import type { Facts, PartyFacts } from './choice.ts';
import type { LegPlan } from './events.ts';
import { type Plan, planRoute } from './plan.ts';

/** A party that its owner wants rung too, with its own wishes. */
export interface Also {
  readonly party: PartyFacts;
  readonly features: LineFeatures;
}

/**
 * The plan with one more leg for each of them; whoever cannot be rung (unknown, the caller itself, does not want to be disturbed) is left out.
 * The home that was called pays for the way to them.
 */
export function together(plan: Plan, to: PartyFacts, also: readonly Also[], facts: Facts): Plan {
  const [caller, first, ...rest] = plan.legs;
  if (caller === undefined || first === undefined || to.line === undefined) return plan;
  const added: LegPlan[] = [];
  const homes = new Set(plan.homes);
  const taken = new Set([caller.line, to.line.id]);
  for (const { party, features } of also) {
    const named = party.line === undefined ? {} : { line: party.line.id };
    if (!ringsAlong({ ...named, features }, taken)) continue;
    const planned = planRoute(to, party, facts);
    const leg = planned.ok ? planned.value.legs[1] : undefined;
    if (leg === undefined) continue;
    taken.add(party.line?.id);
    if (party.line !== undefined) homes.add(party.line.home);
    const why = `${leg.why}; rings together with ${to.line.number}`;
    added.push({ ...leg, why, role: 'rings along', from: first.from, with: first.id, governedBy: to.line.id });
  }
  if (added.length === 0) return plan;
  return { ...plan, homes: [...homes], legs: [caller, { ...first, governedBy: to.line.id }, ...rest, ...added] };
}
