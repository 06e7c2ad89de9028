/** Where a phone's call goes: to a line, to the media library, to an application, or into its own settings; and on, where nobody takes it. */
import type { Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { barredFor } from '#shared/call/features/barring.ts';
import { hop } from '#shared/call/features/destination.ts';
import { meaning } from '#shared/call/features/dialling.ts';
import { divertedAfter, divertedAtOnce, type SentOn, sentOnBy } from '#shared/call/features/diverted.ts';
import type { Changes, LineFeatures } from '#shared/call/features/document.ts';
import { FORWARD_LIMIT, mayGoOn, onward, ringsFor } from '#shared/call/features/forwarding.ts';
import { known } from '#shared/call/features/presentation.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { LineFacts, PartyFacts } from './choice.ts';
import { overLimit } from './create.ts';
import type { LegPlan } from './events.ts';
import type { Features } from './feature-documents.ts';
import { changeFeatures } from './features.ts';
import { type CallRoutes, incomingEvent, planWaiting } from './incoming.ts';
import type { Live } from './live.ts';
import { SELF } from './outbox.ts';
import { type Ringing, ringingAt, takingLeg } from './pickup.ts';
import { type Plan, planMedia, planRoute } from './plan.ts';
import { lastOfLine } from './recent.ts';
import { takePlace } from './replaces.ts';
import type { Resolver } from './resolve.ts';
import { calledBy, callerNumber, described, noted, rung, stranger, verified } from './route-plan.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState, liveLegs } from './session.ts';
import type { Finder } from './take-over.ts';
import { bringTogether } from './three-way.ts';
import { type Also, together } from './together.ts';

type Verbs = 'session.route' | 'session.reroute';
type Route = VerbRequest<'session.route'>;
type Target = Extract<VerbReply<'session.route'>, { do: 'ring' }>['targets'][number];

/** Milliseconds for which a phone hears that its star code was taken, or was not. */
const CONFIRM_FOR = 2_500;

/** Whom a call rings in the end: the line, its document, and the home that pays where it was sent on. */
interface Destination {
  readonly to: PartyFacts;
  readonly features: LineFeatures;
  readonly forwarder?: PartyFacts;
  /** Who sent it on, the oldest first. */
  readonly diverted: SentOn[];
}

export interface RouteTools {
  readonly runtime: Runtime;
  readonly resolver: Resolver;
  readonly routes: CallRoutes;
  readonly features: Features;
  readonly finder: Finder;
}

export function routeHandlers(context: PartContext, tools: RouteTools): Pick<Handlers<'session-manager'>, Verbs> {
  const { world, bus } = context;
  const { runtime, resolver, routes, features, finder } = tools;
  const newSession = () => newId('ses', world.clock.wall(), world.random.bytes(10));

  /** Follows forwarding that holds always, and what a line does with a call before any phone rings. */
  async function destination(
    request: Route,
    caller: PartyFacts | undefined,
    hidden: boolean,
  ): Promise<Result<Destination, Fault>> {
    let to = await resolver.party(request.to, request.reach);
    let forwarder: PartyFacts | undefined;
    const number = callerNumber(caller);
    const known = { hidden, ...(number === undefined ? {} : { number }) };
    const seen = new Set<string>();
    const diverted: SentOn[] = [];
    for (;;) {
      const line = to.line;
      const own = await features.of(line?.id);
      const next =
        line === undefined
          ? ({ at: 'here' } as const)
          : hop(line.id, own, known, own.noWaiting === true ? talkingOf(line.id) : 0, seen);
      if (line === undefined || next.at === 'here')
        return ok({ to, features: own, ...(forwarder && { forwarder }), diverted });
      if (next.at === 'refused') return err(fault(next.reason));
      // Times that it was sent on before it came here count.
      const often = seen.size + (request.diversions ?? 0) >= FORWARD_LIMIT;
      if (next.at === 'circle' || often) return err(fault('callee_unknown', 'This number is forwarded in a circle.'));
      seen.add(line.id);
      diverted.push(sentOnBy(line.number, own, divertedAtOnce(own)));
      forwarder = to;
      to = await resolver.party(next.to);
    }
  }

  function talkingOf(line: string): number {
    let count = 0;
    for (const { state } of runtime.lives.values()) for (const leg of liveLegs(state)) if (leg.line === line) count++;
    return count;
  }

  async function ring(
    request: Route,
    caller: PartyFacts | undefined,
    emergency: boolean,
    hidden: boolean,
    pin?: string,
  ) {
    const found =
      emergency || request.callBack === true
        ? ok<Destination>({ to: await resolver.party(request.to, request.reach), features: {}, diverted: [] })
        : await destination(request, caller, hidden);
    if (!found.ok) return found;
    const { to, forwarder, features: own, diverted } = found.value;
    const facts = await resolver.facts(true);
    const no = emergency ? undefined : ((await barred(caller, forwarder ?? to, pin)) ?? (await barred(forwarder, to)));
    if (no !== undefined) return err(no);
    // Who sends a call on answers for the way outside.
    const answers = to.outside === undefined ? caller : (forwarder ?? caller);
    const planned = planRoute(answers, to, facts, emergency);
    if (!planned.ok) return planned;
    const named = answers === caller ? planned.value : calledBy(planned.value, caller);
    const alone = described(named, hidden && !emergency, forwarder);
    const along = emergency || own.ringAlso === undefined ? [] : await ringingAlong(to, own);
    const plan = verified(along.length === 0 ? alone : together(alone, to, along, facts), request.verstat);
    const full = emergency || caller?.line?.metered === false ? undefined : overLimit(runtime, plan);
    if (full !== undefined) return err(full);
    const id = newSession();
    const { reach: _, ...said } = request;
    const live = runtime.attempt(id, plan, said);
    // Most calls of lines without a meter need nothing.
    if (plan.legs.some(({ reserve }) => reserve.length > 0)) {
      const taken = await runtime.reserve(live, live.state.legs);
      if (!taken.ok) {
        await runtime.step(id, { on: 'refused', ...taken.fault });
        return err(taken.fault.fault);
      }
      const { legs } = taken.value;
      const metered = Object.values(legs).some((leg) => leg.metered);
      // What is metered has to be known before the phone rings; that takes the first row along.
      if (metered) await runtime.step(id, { on: 'reserved', legs });
      else quietly(runtime.step(id, { on: 'admitted', legs }));
    }
    const [callerLeg, ...callees] = live.state.legs;
    const owner = answers?.line?.id;
    const targets: Target[] = [];
    for (const leg of callees) {
      const shows = noted(known(await features.of(leg.line), callerNumber(caller), hidden));
      targets.push({ leg: leg.id, ...rung(leg.line, leg.to, leg.governedBy ?? owner), ...shows });
    }
    const ringFor = ringsFor(own);
    return ok({
      do: 'ring' as const,
      session: id,
      callerLeg: callerLeg?.id ?? '',
      targets,
      ...(mayGoOn(own) ? { again: true } : {}),
      ...(ringFor === undefined ? {} : { ringFor }),
      ...(hidden && !emergency ? { hidden: true } : {}),
      ...(diverted.length === 0 ? {} : { diverted }),
    });
  }

  /** What keeps this line from calling there; inside its own home nothing does. */
  function barred(who: PartyFacts | undefined, to: PartyFacts, pin?: string): Promise<Fault | undefined> | undefined {
    const number = to.line?.number ?? to.outside;
    if (who?.line === undefined || number === undefined || to.line?.home === who.line.home) return undefined;
    return barredThere(who.line, number, pin);
  }

  async function barredThere({ id, number: own }: LineFacts, number: string, pin?: string): Promise<Fault | undefined> {
    const found = barredFor(await features.of(id), number, own, pin);
    return found === undefined ? undefined : fault('destination_barred', `This line is barred for ${found} numbers.`);
  }

  /** Whom the called line wants rung too, as far as it may call them itself. */
  async function ringingAlong(to: PartyFacts, { ringAlso = [] }: LineFeatures): Promise<Also[]> {
    const look = async (name: string): Promise<Also[]> => {
      const party = await resolver.party(name);
      return (await barred(to, party)) === undefined ? [{ party, features: await features.of(party.line?.id) }] : [];
    };
    return (await Promise.all(ringAlso.map(look))).flat();
  }

  /** Journals a call without making it wait; a journal that fails is logged by its store's caller here. */
  function begin(id: string, plan: Plan, { callId, ...request }: Route) {
    const begun = runtime.begin(id, plan, { ...request, callId });
    begun.durable.catch((error) => world.log.error('session.begin-failed', { session: id, error: String(error) }));
    return begun;
  }

  async function play(request: Route, caller: PartyFacts, index: number) {
    const library = await bus.request('media.list', {}, SELF);
    if (!library.ok) return library;
    const item = library.value.items[index];
    if (item === undefined) return err(fault('media_item_unknown', `No item has the short code ${request.to}.`));
    const plan = planMedia(caller, item.id, await resolver.facts(), request.call);
    if (!plan.ok) return plan;
    const full = overLimit(runtime, plan.value);
    if (full !== undefined) return err(full);
    const id = newSession();
    const { live } = begin(id, plan.value, request);
    const taken = await runtime.reserve(live, live.state.legs);
    if (!taken.ok) {
      await runtime.step(id, { on: 'refused', ...taken.fault });
      return err(taken.fault.fault);
    }
    // The softswitch has to hold the call before it can be told to answer it.
    world.clock.at(world.clock.mono(), () => void runtime.step(id, { on: 'reserved', ...taken.value }));
    return ok({ do: 'wait' as const, session: id, leg: live.state.legs[0]?.id ?? '' });
  }

  /** A number that an application answers: the call waits for it, and it is told. */
  async function application(request: Route, caller: PartyFacts) {
    const to = await routes.find(request.to, caller);
    if (to === undefined) return undefined;
    const plan = planWaiting(caller, request, to.home, await resolver.facts(true));
    if (!plan.ok) return plan;
    const full = overLimit(runtime, plan.value);
    if (full !== undefined) return err(full);
    const id = newSession();
    const leg = plan.value.legs[0]?.id ?? '';
    const event = incomingEvent(world, { ...to, session: id, leg }, request, caller.line?.number ?? caller.asked);
    await runtime.begin(id, plan.value, request, [event]).durable;
    bus.publish('event.appended', { home: to.home, session: id });
    return ok({ do: 'wait' as const, session: id, leg, ring: true });
  }

  /** A star code: the setting is made, and the phone hears a tone that says whether it was. */
  async function change(request: Route, caller: PartyFacts, changes: Changes | undefined) {
    const line = caller.line?.id ?? '';
    const made =
      changes === undefined
        ? err(fault('bad_request'))
        : await changeFeatures(context, features, resolver, line, changes);
    const plan = planWaiting(caller, request, caller.line?.home ?? '', await resolver.facts(true));
    if (!plan.ok) return plan;
    const id = newSession();
    const { live } = begin(id, plan.value, request);
    const leg = live.state.legs[0]?.id ?? '';
    const sound = newId('cmd', world.clock.wall(), world.random.bytes(10));
    const heard = { id: sound, verb: 'call.play' as const, legs: [leg], room: false, queue: false };
    const say = async () => {
      const taken = await runtime.reserve(live, live.state.legs);
      if (!taken.ok) return runtime.step(id, { on: 'refused', ...taken.fault });
      await runtime.step(id, { on: 'reserved', ...taken.value });
      await runtime.step(id, { on: 'command', plan: { ...heard, tone: made.ok ? 'dial' : 'busy', loop: true } });
      world.clock.at(world.clock.mono() + CONFIRM_FOR, () =>
        quietly(runtime.step(id, { on: 'end', reason: 'hangup' })),
      );
    };
    // The softswitch has to hold the call before it can be told to answer it.
    world.clock.at(world.clock.mono(), () => quietly(say()));
    return ok({ do: 'wait' as const, session: id, leg });
  }

  /** Somebody takes a call that rings elsewhere in the home. */
  async function pickup(caller: PartyFacts, line: { readonly id: string; readonly home: string }, at?: string) {
    const wanted = at === undefined ? undefined : ((await resolver.party(at)).line?.id ?? '');
    const ringing = ringingAt(runtime.lives.values(), line, wanted);
    return ringing === undefined ? err(fault('callee_unknown', 'No call rings there.')) : take(ringing, caller);
  }

  /** The caller takes this call, which rings in its home. */
  async function take(ringing: Ringing, caller: PartyFacts) {
    const planned = planRoute(undefined, caller, await resolver.facts(true));
    const plan = planned.ok ? planned.value.legs[1] : undefined;
    if (plan === undefined) return planned.ok ? err(fault('internal')) : planned;
    const added = await addLeg(ringing.live, takingLeg(plan, ringing.leg, caller), []);
    if (!added.ok) return added;
    const { id: session } = ringing.live.state;
    return ok({ do: 'take' as const, session, ringing: ringing.leg.id, leg: plan.id });
  }

  /** One more leg of a call that goes on, with its reservations. */
  async function addLeg(live: Live, plan: LegPlan, homes: string[]): Promise<Result<LegState, Fault>> {
    const { id } = live.state;
    await runtime.step(id, { on: 'added', plan, homes });
    const leg = findLeg(live.state, plan.id);
    if (leg === undefined) return err(fault('not_found', 'The call has just ended.'));
    const taken = await runtime.reserve(live, [leg]);
    if (!taken.ok) {
      await runtime.step(id, { on: 'leg-refused', leg: plan.id, fault: taken.fault.fault });
      return err(taken.fault.fault);
    }
    await runtime.step(id, { on: 'reserved', ...taken.value });
    return ok(leg);
  }

  /** What fails is in the runtime's log. */
  function quietly(work: Promise<unknown>): void {
    work.catch(() => undefined);
  }

  async function route(asked: Route): Promise<Outcome<'session.route'>> {
    const caller = asked.line === undefined ? stranger(asked.from) : await resolver.caller(asked.line, asked.direct);
    const emergency = resolver.dialled(asked.to)?.kind === 'emergency';
    if (emergency || caller?.line === undefined) return ring(asked, caller, emergency, asked.hidden === true);
    const { replaces } = asked;
    if (replaces !== undefined) {
      const [pickUp, facts] = [(ringing: Ringing) => take(ringing, caller), () => resolver.facts(true)];
      return takePlace({ runtime, finder, facts, pickUp }, { ...asked, replaces }, caller);
    }
    const { id: line, home, number } = caller.line;
    const meant = meaning(await features.of(line), asked.to, asked.hidden === true, number);
    if (meant.do === 'last') {
      const to = await lastOfLine({ runtime, store: context.store }, { id: line, home }, meant.of);
      return to === undefined ? err(fault('callee_unknown')) : ring({ ...asked, to }, caller, false, meant.hidden);
    }
    if (meant.do === 'wait') {
      await sleep(world.clock, meant.seconds * 1000);
      return route({ ...asked, to: meant.to });
    }
    if (meant.do === 'pickup') return pickup(caller, { id: line, home }, meant.at);
    if (meant.do === 'together')
      return bringTogether(
        { ...tools, facts: () => resolver.facts(true), begin: (plan) => begin(newSession(), plan, asked).live },
        asked,
        caller,
      );
    if (meant.do !== 'call') return change(asked, caller, meant.do === 'change' ? meant.changes : undefined);
    const request = meant.to === asked.to ? asked : { ...asked, to: meant.to };
    const dialled = resolver.dialled(request.to);
    const waits = await application(request, caller);
    if (waits !== undefined) return waits;
    if (dialled?.kind === 'media') return play(request, caller, dialled.index);
    return ring(request, caller, dialled?.kind === 'emergency', meant.hidden, meant.pin);
  }

  return {
    'session.route': route,

    async 'session.reroute'({ session, leg, reason, diversions = 0, to }, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const live = runtime.lives.get(session);
      const old = live === undefined ? undefined : findLeg(live.state, leg);
      if (live === undefined || old === undefined || old.state === 'ended') return err(fault('not_found'));
      // What a phone says it says for its own line.
      const governs = (to === undefined ? old.governedBy : undefined) ?? old.line ?? '';
      const own = await features.of(governs);
      const rang = live.state.legs.map((one) => one.line ?? one.to);
      const names = to === undefined ? onward(own, reason) : await sentTo(governs, own, to);
      const way = await nextLine(names, rang);
      const times = Math.max(diversions, live.state.legs.filter((one) => one.replaces !== undefined).length);
      if (way === undefined || times >= FORWARD_LIMIT) return err(fault('callee_offline'));
      const forwarder = await resolver.party(governs);
      const no = await barred(forwarder, way);
      if (no !== undefined) return err(no);
      const planned = planRoute(forwarder, way, await resolver.facts(true));
      const plan = planned.ok ? planned.value.legs[1] : undefined;
      if (!planned.ok || plan === undefined) return planned.ok ? err(fault('internal')) : planned;
      const added: LegPlan = {
        ...plan,
        ...{ role: 'forwarded to', from: old.from, replaces: leg, governedBy: governs },
        ...(old.verstat === undefined ? {} : { verstat: old.verstat }),
        why: `${plan.why}; forwarded by ${forwarder?.line?.number ?? governs}: ${reason}`,
      };
      const homes = way.line === undefined ? [] : [way.line.home];
      const next = await addLeg(live, added, homes);
      if (!next.ok) return next;
      const ringFor = ringsFor(own);
      const rings = rung(next.value.line, way.outside, forwarder.line?.id);
      const diverted = [sentOnBy(forwarder.line?.number ?? governs, own, divertedAfter(reason))];
      return ok({ leg: added.id, ...rings, again: true, diverted, ...(ringFor === undefined ? {} : { ringFor }) });
    },
  };

  /** What a phone of the line means by what it dials for the caller: no code, nor anything else but a number. */
  async function sentTo(line: string, own: LineFeatures, to: string): Promise<string[]> {
    const { line: row } = await resolver.party(line);
    const meant = row === undefined ? undefined : meaning(own, to, false, row.number);
    return meant?.do === 'call' ? [meant.to] : [];
  }

  /** The next line, or number outside, that has not rung in this call. */
  async function nextLine(names: readonly string[], rang: readonly string[]): Promise<PartyFacts | undefined> {
    for (const name of names) {
      const party = await resolver.party(name);
      const id = party.outside ?? party.line?.id;
      if (id !== undefined && !rang.includes(id)) return party;
    }
    return undefined;
  }
}
