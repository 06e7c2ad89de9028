/** Where a call goes that a leg did not take: what its line wants then, or where its phone sends it (SIP 302), as a call of that line. */
import type { Handlers } from '#cloud/bus/bus.ts';
import { divertedAfter, sentOnBy } from '#shared/call/features/diverted.ts';
import { FORWARD_LIMIT, onward, ringsFor } from '#shared/call/features/forwarding.ts';
import { WITHHELD } from '#shared/call/features/recent.ts';
import { screen } from '#shared/call/features/screening.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Facts, PartyFacts } from './choice.ts';
import type { LegPlan } from './events.ts';
import type { Features } from './feature-documents.ts';
import type { Live } from './live.ts';
import { LEGS_PER_SESSION } from './manage.ts';
import { movedLeg, movedMedia, timesMoved } from './moved.ts';
import { planRoute } from './plan.ts';
import type { Resolver } from './resolve.ts';
import { barred, talkingOf } from './ring.ts';
import { rung } from './route-plan.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState } from './session.ts';
import type { Ways } from './ways.ts';

export interface RerouteTools {
  readonly runtime: Pick<Runtime, 'lives'>;
  readonly resolver: Resolver;
  readonly features: Features;
  readonly ways: Ways;
  /** One more leg of a call that goes on, with its reservations. */
  readonly addLeg: (live: Live, plan: LegPlan, homes: string[]) => Promise<Result<LegState, Fault>>;
}

export function rerouteHandlers(tools: RerouteTools): Pick<Handlers<'session-manager'>, 'session.reroute'> {
  const { runtime, resolver, features, ways } = tools;

  /** Which lines let the caller of that call through; a number that is withheld stands in the directory of its line alone. */
  async function openTo(live: Live, shown: string): Promise<(line: string) => boolean> {
    const [first] = live.state.legs;
    const line = first?.line === undefined ? undefined : (await resolver.party(first.line)).line;
    const number = line?.number ?? (shown.startsWith('+') ? shown : undefined);
    const caller = { hidden: first?.party === WITHHELD, ...(number === undefined ? {} : { number }) };
    const of = await features.known();
    return (id) => screen(of(id), caller, talkingOf(runtime.lives.values(), id)).pass;
  }

  return {
    async 'session.reroute'({ session, leg, reason, diversions = 0, to }, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const live = runtime.lives.get(session);
      const old = live === undefined ? undefined : findLeg(live.state, leg);
      if (live === undefined || old === undefined || old.state === 'ended') return err(fault('not_found'));
      // What a phone says it says for its own line.
      const governs = (to === undefined ? old.governedBy : undefined) ?? old.line ?? '';
      const own = await features.of(governs);
      const rang = live.state.legs.map((one) => one.line ?? one.to);
      const names = to === undefined ? onward(own, reason) : await ways.sentTo(governs, own, to);
      const way = await ways.next(names, rang, to === undefined ? await openTo(live, old.from) : undefined);
      const times = Math.max(diversions, timesMoved(live.state, old));
      const isFull = live.state.legs.length >= LEGS_PER_SESSION;
      if (way === undefined || times >= FORWARD_LIMIT || isFull) return err(fault('callee_offline'));
      const forwarder = await resolver.party(governs);
      const no = barred(await features.known(), forwarder, way);
      if (no !== undefined) return err(no);
      const isOurs = old.channel === 'instructed';
      const facts = isOurs ? await resolver.facts() : resolver.atOnce();
      const planned = isOurs
        ? movedLeg(live.state, old, { by: forwarder, to: way }, facts)
        : callee(forwarder, way, facts);
      if (!planned.ok) return planned;
      const plan = planned.value;
      const by = forwarder.line?.number ?? governs;
      const added: LegPlan = {
        ...plan,
        ...{ role: 'forwarded to', from: old.from, replaces: leg, governedBy: governs },
        ...(old.verstat === undefined ? {} : { verstat: old.verstat }),
        ...(old.referred === undefined ? {} : { referred: old.referred }),
        ...(old.referredBy === undefined ? {} : { referredBy: old.referredBy }),
        why: `${plan.why}; forwarded by ${by}: ${reason}`,
      };
      const homes = way.line === undefined ? [] : [way.line.home];
      const next = await tools.addLeg(live, added, homes);
      if (!next.ok) return next;
      // Music beside the talk comes along where it can.
      const beside = isOurs ? movedMedia(live.state, old, { by: forwarder, to: way, into: added.id }, facts) : [];
      for (const one of beside) await tools.addLeg(live, one, homes);
      const ringFor = ringsFor(own);
      return ok({
        ...rung(added.id, next.value.line, way.outside, forwarder.line?.id, () => own.hideNumber === true),
        again: true,
        ...(isOurs ? { instructed: true } : {}),
        diverted: [sentOnBy(by, own, divertedAfter(reason))],
        ...(ringFor === undefined ? {} : { ringFor }),
      });
    },
  };
}

/** The leg of a call to that party. */
function callee(from: PartyFacts, to: PartyFacts, facts: Facts): Result<LegPlan, Fault> {
  const planned = planRoute(from, to, facts);
  const plan = planned.ok ? planned.value.legs[1] : undefined;
  return planned.ok ? (plan === undefined ? err(fault('internal')) : ok(plan)) : planned;
}
