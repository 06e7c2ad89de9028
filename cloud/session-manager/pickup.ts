/** A call that rings somewhere in the home and that another line of the home takes. Pure. */
import { longestRinging, type RingingAt } from '#shared/call/features/pickup.ts';
import type { PartyFacts } from './choice.ts';
import type { LegPlan } from './events.ts';
import type { Live } from './live.ts';
import { type LegState, liveLegs } from './session.ts';

export interface Ringing {
  readonly live: Live;
  readonly leg: LegState;
}

/** The call that has rung longest in the home of this line, at `at` or anywhere but at the line itself. */
export function ringingAt(
  lives: Iterable<Live>,
  line: { readonly id: string; readonly home: string },
  at: string | undefined,
): Ringing | undefined {
  const ringing: (Ringing & RingingAt)[] = [];
  for (const live of lives) {
    const { kind, homes, createdAt: since } = live.state;
    if (kind !== 'call' || !homes.includes(line.home)) continue;
    const legs = liveLegs(live.state);
    if (legs.some((leg) => leg.state === 'up')) continue;
    for (const leg of legs.slice(1)) {
      if (leg.home !== line.home || leg.line === undefined) continue;
      if (leg.channel === 'switched' && leg.state === 'ringing') ringing.push({ live, leg, line: leg.line, since });
    }
  }
  return longestRinging(ringing, line.id, at);
}

/** The leg of who takes it: it rings together with the one that rings, and whoever pays for that pays for it. */
export function takingLeg(planned: LegPlan, ringing: LegState, taker: PartyFacts): LegPlan {
  const { payer: _, ...plan } = planned;
  const billed = ringing.reserve.includes('billing') && !plan.reserve.includes('billing');
  return {
    ...plan,
    ...{ role: 'picked it up', from: ringing.from, with: ringing.id },
    why: `${plan.why}; picked up by ${taker.line?.number}`,
    ...(ringing.payer === undefined ? {} : { payer: ringing.payer }),
    reserve: billed ? ['billing', ...plan.reserve] : plan.reserve,
  };
}
