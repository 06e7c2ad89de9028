/** Where a phone's call goes: to a line, to the media library, to an application, or into its own settings; and on, where nobody takes it. */
import type { Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { type Meant, meaning } from '#shared/call/features/dialling.ts';
import type { Changes } from '#shared/call/features/document.ts';
import { WITHHELD } from '#shared/call/features/recent.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import { sleep } from '#shared/kernel/time.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { PartyFacts } from './choice.ts';
import { overLimit } from './create.ts';
import type { LegPlan } from './events.ts';
import type { Features } from './feature-documents.ts';
import { changeFeatures } from './features.ts';
import { type Answering, type CallRoutes, incomingEvent, planWaiting } from './incoming.ts';
import type { Live } from './live.ts';
import { SELF } from './outbox.ts';
import { type Ringing, ringingAt, takingLeg } from './pickup.ts';
import type { Pins } from './pins.ts';
import { type Plan, planMedia, planRoute } from './plan.ts';
import { lastOfLine } from './recent.ts';
import { takePlace } from './replaces.ts';
import { rerouteHandlers } from './reroute.ts';
import type { Resolver } from './resolve.ts';
import { createRinger } from './ring.ts';
import { described, stranger } from './route-plan.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState } from './session.ts';
import type { Finder } from './take-over.ts';
import { bringTogether } from './three-way.ts';
import { waysOf } from './ways.ts';

type Verbs = 'session.route' | 'session.reroute';
type Route = VerbRequest<'session.route'>;

/** Milliseconds for which a phone hears that its star code was taken, or was not. */
const CONFIRM_FOR = 2_500;

export interface RouteTools {
  readonly runtime: Runtime;
  readonly resolver: Resolver;
  readonly routes: CallRoutes;
  readonly features: Features;
  readonly finder: Finder;
  readonly pins: Pins;
}

export function routeHandlers(context: PartContext, tools: RouteTools): Pick<Handlers<'session-manager'>, Verbs> {
  const { world, bus } = context;
  const { runtime, resolver, routes, features, finder, pins } = tools;
  const ways = waysOf(resolver);
  const newSession = () => newId('ses', world.clock.wall(), world.random.bytes(10));
  const { ring } = createRinger({ runtime, resolver, features, newSession });

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
    world.clock.at(world.clock.mono(), () => quietly(runtime.step(id, { on: 'reserved', ...taken.value })));
    return ok({ do: 'wait' as const, session: id, leg: live.state.legs[0]?.id ?? '' });
  }

  /** A number that an application answers: the call waits for it, and it is told. */
  async function application(
    request: Route,
    caller: PartyFacts,
    to: Answering,
    hidden: boolean,
  ): Promise<Outcome<'session.route'>> {
    const planned = planWaiting(caller, request, to.home, resolver.atOnce());
    if (!planned.ok) return planned;
    const full = overLimit(runtime, planned.value);
    if (full !== undefined) return err(full);
    // At home everybody may know who calls.
    const isWithheld = hidden && to.home !== caller.line?.home;
    const plan = described(planned.value, isWithheld, undefined);
    const id = newSession();
    const leg = plan.legs[0]?.id ?? '';
    const from = isWithheld ? WITHHELD : (caller.line?.number ?? caller.asked);
    const event = incomingEvent(world, { ...to, session: id, leg }, request, from);
    await runtime.begin(id, plan, request, [event]).durable;
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
    const plan = planWaiting(caller, request, caller.line?.home ?? '', resolver.atOnce());
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
    const planned = planRoute(undefined, caller, resolver.atOnce());
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
  function quietly(work: Promise<unknown> | undefined): void {
    work?.catch(() => undefined);
  }

  function route(asked: Route): Soon<Outcome<'session.route'>> {
    const caller = asked.line === undefined ? stranger(asked.from) : resolver.caller(asked.line, asked.direct);
    return soon(caller, (who) => routeOf(asked, who));
  }

  function routeOf(asked: Route, caller: PartyFacts | undefined): Soon<Outcome<'session.route'>> {
    const emergency = resolver.dialled(asked.to)?.kind === 'emergency';
    if (emergency || caller?.line === undefined)
      return ring({ request: asked, caller, emergency, hidden: asked.hidden === true });
    if (asked.sentOn !== undefined) return sentOn({ ...asked, sentOn: asked.sentOn }, caller);
    const { replaces } = asked;
    if (replaces !== undefined) {
      const [pickUp, facts] = [(ringing: Ringing) => take(ringing, caller), () => resolver.atOnce()];
      return takePlace({ runtime, finder, facts, pickUp }, { ...asked, replaces }, caller);
    }
    const { id, home, number } = caller.line;
    return soon(features.of(id), (own) => {
      const meant = meaning(own, asked.to, asked.hidden === true, number);
      return carryOut(asked, caller, { id, home }, pins.taken({ id, home, number }, own.pin, asked.to, meant));
    });
  }

  /** What a line means by what it dialled. */
  function carryOut(
    asked: Route,
    caller: PartyFacts,
    line: { readonly id: string; readonly home: string },
    meant: Meant,
  ): Soon<Outcome<'session.route'>> {
    if (meant.do === 'last') return again(asked, caller, line, meant);
    if (meant.do === 'wait')
      return sleep(world.clock, meant.seconds * 1000).then(() => route({ ...asked, to: meant.to }));
    if (meant.do === 'pickup') return pickup(caller, line, meant.at);
    if (meant.do === 'together')
      return bringTogether(
        { ...tools, facts: () => resolver.atOnce(), begin: (plan) => begin(newSession(), plan, asked).live },
        asked,
        caller,
      );
    if (meant.do !== 'call') return change(asked, caller, meant.do === 'change' ? meant.changes : undefined);
    const request = meant.to === asked.to ? asked : { ...asked, to: meant.to };
    return soon(routes.find(request.to, caller), (answering) => {
      if (answering !== undefined) return application(request, caller, answering, meant.hidden);
      const dialled = resolver.dialled(request.to);
      if (dialled?.kind === 'media') return play(request, caller, dialled.index);
      const { hidden, pin } = meant;
      return ring({ request, caller, emergency: dialled?.kind === 'emergency', hidden, pin });
    });
  }

  /** The line calls whom it called last, or who called it last. */
  async function again(
    asked: Route,
    caller: PartyFacts,
    line: { readonly id: string; readonly home: string },
    { of, hidden }: Extract<Meant, { do: 'last' }>,
  ): Promise<Outcome<'session.route'>> {
    const to = await lastOfLine({ runtime, store: context.store }, line, of);
    if (to === undefined) return err(fault('callee_unknown'));
    return ring({ request: { ...asked, to }, caller, emergency: false, hidden });
  }

  /** A phone of the caller's home sends the caller there: by the rules of its own line, and at its cost. */
  async function sentOn(request: Route & { sentOn: string }, caller: PartyFacts): Promise<Outcome<'session.route'>> {
    const by = await resolver.party(request.sentOn);
    if (by.line === undefined || by.line.home !== caller.line?.home) return err(fault('forbidden'));
    const { id } = by.line;
    const way = await ways.next(await ways.sentTo(id, await features.of(id), request.to), [id]);
    const to = way?.outside ?? way?.line?.number;
    if (to === undefined) return err(fault('callee_offline'));
    return ring({ request: { ...request, to }, caller, emergency: false, hidden: request.hidden === true, by });
  }

  return {
    'session.route': route,

    ...rerouteHandlers({ runtime, resolver, features, ways, addLeg }),
  };
}
