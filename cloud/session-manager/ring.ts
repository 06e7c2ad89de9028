/**
 * An ordinary call: whom it rings in the end, whether it may, its plan, and the legs for the softswitch. What is known in memory goes on in the
 * same turn, as of nearly all calls everything is.
 */
import type { Outcome } from '#cloud/bus/bus.ts';
import { barredFor } from '#shared/call/features/barring.ts';
import { hop } from '#shared/call/features/destination.ts';
import { divertedAtOnce, type SentOn, sentOnBy } from '#shared/call/features/diverted.ts';
import type { LineFeatures } from '#shared/call/features/document.ts';
import { FORWARD_LIMIT, mayGoOn, ringsFor } from '#shared/call/features/forwarding.ts';
import { known } from '#shared/call/features/presentation.ts';
import type { Caller } from '#shared/call/features/screening.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { PartyFacts } from './choice.ts';
import { overLimit } from './create.ts';
import type { FeaturesOf } from './feature-documents.ts';
import type { Live } from './live.ts';
import { type Plan, planRoute } from './plan.ts';
import type { Resolver } from './resolve.ts';
import { calledBy, callerNumber, described, rung, verified } from './route-plan.ts';
import type { Runtime } from './runtime.ts';
import { liveLegs } from './session.ts';
import { type Also, together } from './together.ts';

type Route = VerbRequest<'session.route'>;
type Ringing = Extract<VerbReply<'session.route'>, { do: 'ring' }>;
type Target = Ringing['targets'][number];

/** Who calls whom. */
export interface Calling {
  readonly request: Route;
  readonly caller: PartyFacts | undefined;
  readonly emergency: boolean;
  readonly hidden: boolean;
  /** Dialled with a code, against what bars the line. */
  readonly pin?: string | undefined;
  /** Whose phone sent the call there. */
  readonly by?: PartyFacts | undefined;
}

/** Whom a call rings in the end: the line, its document, and the home that pays where it was sent on. */
interface Destination {
  readonly to: PartyFacts;
  readonly features: LineFeatures;
  readonly forwarder: PartyFacts | undefined;
  /** Who sent it on, the oldest first. */
  readonly diverted: readonly SentOn[];
}

/** The way of a call from line to line. */
interface Trail {
  readonly caller: Caller;
  /** Times that it was sent on before it came here. */
  readonly before: number;
  /** Lines that sent it on. */
  readonly seen: Set<string>;
  readonly diverted: SentOn[];
  forwarder: PartyFacts | undefined;
}

export interface Ringer {
  /** Rings whom the call is for. */
  ring(calling: Calling): Soon<Outcome<'session.route'>>;
}

export interface RingTools {
  readonly runtime: Runtime;
  readonly resolver: Resolver;
  readonly features: { known(): Soon<FeaturesOf> };
  readonly newSession: () => string;
}

const NOTHING: LineFeatures = {};
const NOBODY: readonly SentOn[] = [];

/** What keeps this line from calling there; inside its own home nothing does. */
export function barred(of: FeaturesOf, who: PartyFacts | undefined, to: PartyFacts, pin?: string): Fault | undefined {
  const number = to.line?.number ?? to.outside;
  if (who?.line === undefined || number === undefined || to.line?.home === who.line.home) return undefined;
  const found = barredFor(of(who.line.id), number, who.line.number, pin);
  return found === undefined ? undefined : fault('destination_barred', `This line is barred for ${found} numbers.`);
}

/** Calls that a line has. */
export function talkingOf(lives: Iterable<Pick<Live, 'state'>>, line: string): number {
  let count = 0;
  for (const { state } of lives) for (const leg of liveLegs(state)) if (leg.line === line) count++;
  return count;
}

export function createRinger({ runtime, resolver, features, newSession }: RingTools): Ringer {
  /** Follows forwarding that holds always, and what a line does with a call before any phone rings. */
  function destination(of: FeaturesOf, calling: Calling): Soon<Result<Destination, Fault>> {
    const { request, caller, emergency, hidden, by } = calling;
    const first = resolver.party(request.to, request.reach);
    if (emergency || request.callBack === true)
      return soon(first, (to) => ok({ to, features: NOTHING, forwarder: undefined, diverted: NOBODY }));
    const number = callerNumber(caller);
    const trail: Trail = {
      caller: number === undefined ? { hidden } : { hidden, number },
      before: request.diversions ?? 0,
      seen: new Set(by?.line === undefined ? undefined : [by.line.id]),
      diverted: [],
      forwarder: by,
    };
    return soon(first, (to) => follow(of, trail, to));
  }

  function follow(of: FeaturesOf, trail: Trail, to: PartyFacts): Soon<Result<Destination, Fault>> {
    const { seen, diverted, forwarder } = trail;
    const { line } = to;
    const own = of(line?.id);
    if (line === undefined) return ok({ to, features: own, forwarder, diverted });
    const next = hop(
      line.id,
      own,
      trail.caller,
      own.noWaiting === true ? talkingOf(runtime.lives.values(), line.id) : 0,
      seen,
    );
    if (next.at === 'here') return ok({ to, features: own, forwarder, diverted });
    if (next.at === 'refused') return err(fault(next.reason));
    const often = seen.size + trail.before >= FORWARD_LIMIT;
    if (next.at === 'circle' || often) return err(fault('callee_unknown', 'This number is forwarded in a circle.'));
    seen.add(line.id);
    diverted.push(sentOnBy(line.number, own, divertedAtOnce(own)));
    trail.forwarder = to;
    return soon(resolver.party(next.to), (further) => follow(of, trail, further));
  }

  /** Whom the called line wants rung too, as far as it may call them itself. */
  async function ringingAlong(of: FeaturesOf, to: PartyFacts, names: readonly string[]): Promise<Also[]> {
    const parties = await Promise.all(names.map((name) => resolver.party(name)));
    const welcome = parties.filter((party) => barred(of, to, party) === undefined);
    return welcome.map((party) => ({ party, features: of(party.line?.id) }));
  }

  function ringThere(of: FeaturesOf, calling: Calling, there: Destination): Soon<Outcome<'session.route'>> {
    const { request, caller, emergency, hidden, pin } = calling;
    const { to, forwarder, features: own } = there;
    const no = emergency ? undefined : (barred(of, caller, forwarder ?? to, pin) ?? barred(of, forwarder, to));
    if (no !== undefined) return err(no);
    // Who sends a call on answers for the way outside.
    const answers = to.outside === undefined ? caller : (forwarder ?? caller);
    const facts = resolver.atOnce();
    const planned = planRoute(answers, to, facts, emergency);
    if (!planned.ok) return planned;
    const named = answers === caller ? planned.value : calledBy(planned.value, caller);
    const alone = described(named, hidden && !emergency, forwarder);
    const begin = (plan: Plan) => begun(of, calling, there, verified(plan, request.verstat), answers?.line?.id);
    if (emergency || own.ringAlso === undefined) return begin(alone);
    return ringingAlong(of, to, own.ringAlso).then((also) =>
      begin(also.length === 0 ? alone : together(alone, to, also, facts)),
    );
  }

  /** The session begins; `owner`: the line that answers for the way. */
  function begun(
    of: FeaturesOf,
    calling: Calling,
    there: Destination,
    plan: Plan,
    owner: string | undefined,
  ): Soon<Outcome<'session.route'>> {
    const { request, caller, emergency } = calling;
    const full = emergency || caller?.line?.metered === false ? undefined : overLimit(runtime, plan);
    if (full !== undefined) return err(full);
    const { reach: _, ...said } = request;
    const live = runtime.attempt(newSession(), plan, said);
    // Most calls of lines without a meter need nothing.
    const taking = plan.legs.some(({ reserve }) => reserve.length > 0) ? reserved(live) : undefined;
    return soon(taking, (no) => (no === undefined ? ok(ringing(of, calling, there, live, owner)) : err(no)));
  }

  async function reserved(live: Live): Promise<Fault | undefined> {
    const { id, legs: planned } = live.state;
    const taken = await runtime.reserve(live, planned);
    if (!taken.ok) {
      await runtime.step(id, { on: 'refused', ...taken.fault });
      return taken.fault.fault;
    }
    const { legs } = taken.value;
    const metered = Object.values(legs).some((leg) => leg.metered);
    // What is metered has to be known before the phone rings; that takes the first row along.
    const written = runtime.step(id, metered ? { on: 'reserved', legs } : { on: 'admitted', legs });
    if (metered) await written;
    // What fails is in the runtime's log.
    else written?.catch(() => undefined);
    return undefined;
  }

  /** What the softswitch is told. */
  function ringing(
    of: FeaturesOf,
    { caller, emergency, hidden }: Calling,
    { features: own, diverted }: Destination,
    { state }: Live,
    owner: string | undefined,
  ): Ringing {
    const [callerLeg, ...callees] = state.legs;
    const number = callerNumber(caller);
    const hides = (id: string): boolean => of(id).hideNumber === true;
    const targets: Target[] = callees.map((leg) => {
      const target: Mutable<Target> = rung(leg.id, leg.line, leg.to, leg.governedBy ?? owner, hides);
      const { name, ring } = known(of(leg.line), number, hidden);
      if (name !== undefined) target.callerName = name;
      if (ring !== undefined) target.ring = ring;
      return target;
    });
    const told: Mutable<Ringing> = { do: 'ring', session: state.id, callerLeg: callerLeg?.id ?? '', targets };
    const ringFor = ringsFor(own);
    if (mayGoOn(own)) told.again = true;
    if (ringFor !== undefined) told.ringFor = ringFor;
    if (hidden && !emergency) told.hidden = true;
    if (diverted.length > 0) told.diverted = [...diverted];
    return told;
  }

  return {
    ring: (calling) =>
      soon(features.known(), (of) =>
        soon(destination(of, calling), (there) => (there.ok ? ringThere(of, calling, there.value) : there)),
      ),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
