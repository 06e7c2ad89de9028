/** Transfers: by API and by a phone's REFER, to a number (blind) or to the far party of another call (attended), by our own third-party call control (RFC 3725). */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { barredFor } from '#shared/call/features/barring.ts';
import { WITHHELD } from '#shared/call/features/recent.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { choose, type Facts, firstMissing, type PartyFacts, unknownParty } from './choice.ts';
import { correct } from './create.ts';
import type { LegPlan } from './events.ts';
import type { Features } from './feature-documents.ts';
import type { Live } from './live.ts';
import { LEGS_PER_SESSION } from './manage.ts';
import { SELF } from './outbox.ts';
import { instructed } from './plan.ts';
import type { Resolver } from './resolve.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState, type SessionState } from './session.ts';
import { type Finder, maySteer, voices } from './take-over.ts';

type Verbs = 'call.transfer' | 'leg.refer';

interface Wish {
  readonly session: string;
  readonly leg: string;
  readonly to?: string;
  readonly with?: { readonly session: string; readonly leg: string };
  /** The transferor wants not to be named. */
  readonly hidden?: boolean;
}

/** Who is in a transfer to somebody who is rung. */
interface Roles {
  readonly to: PartyFacts;
  /** The line that answers for a call outside. */
  readonly owner?: string | undefined;
  readonly ownerHidden: boolean;
  readonly payer?: string | undefined;
  readonly stays?: LegState | undefined;
  readonly staysHidden: boolean;
  /** Whom the new party is told of. */
  readonly referredBy?: string | undefined;
}

export function transferHandlers(
  { store, world }: PartContext,
  runtime: Runtime,
  resolver: Resolver,
  finder: Finder,
  features: Features,
): Pick<Handlers<'session-manager'>, Verbs> {
  async function transfer(wish: Wish, asked: Context, referred: boolean): Promise<Outcome<'call.transfer'>> {
    const found = await finder.talking(wish.session, wish.leg, asked);
    if (!found.ok) return found;
    const { live, leg } = found.value;
    const refused = leg === undefined ? fault('not_found') : hindrance(live.state, leg);
    if (leg === undefined || refused !== undefined) return err(refused ?? fault('not_found'));
    const facts = await resolver.facts();
    const plan =
      wish.with === undefined
        ? await sent(live.state, leg, wish, facts, asked, referred)
        : await attended(live.state, leg, wish.with, facts, asked, referred);
    if (!plan.ok) return plan;
    // Another one may have begun while this one was looked up.
    const late = hindrance(live.state, leg);
    return late === undefined ? carryOut(live, plan.value, asked) : err(late);
  }

  /** A party that is rung for this one's leg. Outside, it is a call of the line whose leg that is. */
  async function sent(
    state: SessionState,
    leg: LegState,
    wish: Wish,
    facts: Facts,
    asked: Context,
    referred: boolean,
  ): Promise<Result<LegPlan, Fault>> {
    const to = await resolver.party(wish.to ?? '');
    const answers = leg.line === undefined ? state.legs[0] : leg;
    const owner = to.outside === undefined ? undefined : answers?.line;
    if (to.outside !== undefined && owner !== undefined) {
      const own = await resolver.party(owner);
      const found = barredFor(await features.of(owner), to.outside, own.line?.number);
      if (found !== undefined) return err(fault('destination_barred', `This line is barred for ${found} numbers.`));
    }
    const stays = voices(state).find((one) => one !== leg);
    const ownerHidden = wish.hidden === true || (await withheld(answers));
    const roles = {
      ...{ to, owner, ownerHidden, payer: payerOf(asked, state, leg) },
      ...{ stays, staysHidden: await withheld(stays) },
      referredBy: referred ? await referrer(leg, wish.hidden) : undefined,
    };
    return blind(state, leg, roles, facts, referred);
  }

  /** Whether that party's number is not for others: by its line's wish, or in this call. */
  async function withheld(leg: LegState | undefined): Promise<boolean> {
    return leg?.party === WITHHELD || (await features.of(leg?.line)).hideNumber === true;
  }

  /** The number under which a line transfers (RFC 3892): what its phone says of itself counts for nothing. */
  async function referrer(leg: LegState, hidden = false): Promise<string | undefined> {
    if (leg.line === undefined || hidden || (await withheld(leg))) return undefined;
    return (await resolver.party(leg.line)).line?.number;
  }

  /** The far party of the other call, which this one's leg is to be. */
  async function attended(
    state: SessionState,
    leg: LegState,
    other: { readonly session: string; readonly leg: string },
    facts: Facts,
    asked: Context,
    referred: boolean,
  ): Promise<Result<LegPlan, Fault>> {
    const found = await finder.talking(other.session, other.leg, asked);
    if (!found.ok) return found;
    const own = found.value.leg;
    const far = voices(found.value.live.state).filter((one) => one !== own);
    const [party] = far;
    if (own === undefined || party === undefined || far.length > 1 || found.value.live.state.room !== undefined) {
      return err(fault('conflict', 'The other call has not exactly one far party.'));
    }
    if (other.session === state.id) return err(fault('bad_request', 'Both legs are of one call.'));
    const server = choose('two parties', facts);
    if (!server.ok) return server;
    return ok({
      id: facts.legId(),
      kind: 'voice',
      channel: 'instructed',
      ...server.value,
      role: 'transferred to',
      ...(party.party === undefined ? {} : { party: party.party }),
      ...(party.home === undefined ? {} : { home: party.home }),
      ...(party.line === undefined ? {} : { line: party.line }),
      from: leg.from,
      to: party.party ?? party.to,
      // Its channel exists and its quality is reserved no more: what it had in the other call ends there.
      reserve: ['endpoint'],
      replaces: leg.id,
      moves: { session: other.session, leg: party.id },
      ...(referred ? { referred } : {}),
    });
  }

  async function carryOut(live: Live, plan: LegPlan, asked: Context): Promise<Outcome<'call.transfer'>> {
    const { id } = live.state;
    const outcome = () => ok({ id, state: live.state.state, leg: plan.id });
    const homes = plan.home === undefined ? [] : [plan.home];
    await runtime.step(
      id,
      { on: 'added', plan, homes },
      remember<'call.transfer'>(asked, outcome(), world.clock.wall()),
    );
    const added = findLeg(live.state, plan.id);
    if (added === undefined) return err(fault('conflict', 'The call has just ended.'));
    const taken = await runtime.reserve(live, [added]);
    if (taken.ok) {
      await runtime.step(id, { on: 'reserved', ...taken.value });
      return outcome();
    }
    const refused = err(taken.fault.fault);
    await runtime.step(id, { on: 'leg-refused', leg: plan.id, fault: taken.fault.fault }, correct(asked, refused));
    return refused;
  }

  return {
    async 'call.transfer'(request, asked) {
      const before = await repeated<'call.transfer'>(store, asked);
      if (before !== undefined) return before;
      if ((request.to === undefined) === (request.with === undefined)) {
        return err(fault('bad_request', 'Give `to` or `with`, one of them.', { pointer: '/to' }));
      }
      return transfer(request, asked, false);
    },

    async 'leg.refer'(request, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      // The phone speaks for its leg: the softswitch knows it by its dialog.
      const begun = await transfer(request, SELF, true);
      return begun.ok ? ok({ leg: begun.value.leg }) : begun;
    },
  };
}

/** Why a leg cannot be replaced now. */
export function hindrance(state: SessionState, leg: LegState): Fault | undefined {
  if (state.kind !== 'call' || state.room !== undefined) {
    return fault('conflict', 'Only a party of a call of two can be transferred; remove the leg and add another.');
  }
  if (state.legs.length >= LEGS_PER_SESSION)
    return fault('limit_reached', `A session may have ${LEGS_PER_SESSION} legs.`);
  if (voices(state).every((one) => one === leg)) return fault('conflict', 'Nobody is at the other end.');
  const pending = state.legs.some((one) => one.replaces !== undefined && one.state !== 'ended' && one.state !== 'up');
  return pending ? fault('conflict', 'Another transfer of this call is under way.') : undefined;
}

/** Who transfers pays for the new way: the leg's home, or the one that steers the call from outside. */
function payerOf({ principal }: Context, state: SessionState, leg: LegState): string | undefined {
  const owner = state.legs[0]?.home;
  if (principal.kind === 'part' || leg.home === undefined) return leg.home ?? owner;
  return sees(principal, leg.home) && maySteer(principal, state, leg) ? leg.home : owner;
}

function blind(
  state: SessionState,
  leg: LegState,
  { to, owner, ownerHidden, payer, stays, staysHidden, referredBy }: Roles,
  facts: Facts,
  referred: boolean,
): Result<LegPlan, Fault> {
  const outward =
    to.outside === undefined || owner === undefined
      ? undefined
      : { number: to.outside, owner, ...(ownerHidden ? { hidden: true } : {}) };
  const unknown = outward === undefined ? unknownParty([to]) : undefined;
  if (unknown !== undefined) return err(unknown);
  const others = state.legs.filter((one) => one.state !== 'ended' && to.line !== undefined && one.line === to.line.id);
  if (others.length > 0) return err(fault('conflict', 'This line is in the call already.'));
  const missing = firstMissing(['softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('two parties', facts);
  if (!server.ok) return server;
  const plan = instructed(to, facts, {
    kind: 'voice',
    channel: 'instructed',
    ...server.value,
    role: 'transferred to',
    from: stays?.party ?? leg.from,
    to: to.line?.number ?? to.outside ?? to.asked,
    caller: { number: stays?.party ?? leg.from, ...(staysHidden ? { hidden: true } : {}) },
    ...(payer === undefined ? {} : { payer }),
  });
  return ok({
    ...plan,
    ...(outward === undefined ? {} : { outward }),
    reserve: ['billing', ...plan.reserve],
    replaces: leg.id,
    ...(referred ? { referred } : {}),
    ...(referredBy === undefined ? {} : { referredBy }),
  });
}
