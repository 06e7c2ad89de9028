/** The verbs that begin a session by request: look up, plan, journal, reserve, then let the machine open its channels. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { notTheirs } from './access.ts';
import type { Facts, PartyFacts } from './choice.ts';
import { type Plan, planCall, planMedia } from './plan.ts';
import { type MediaWish, planConference } from './plan-conference.ts';
import type { Resolver } from './resolve.ts';
import type { Runtime } from './runtime.ts';

/** Living sessions per home, and in all. */
export const SESSIONS_PER_HOME = 64;
export const SESSIONS = 50_000;

type Verbs = 'call.create' | 'conference.create' | 'media.play';
type Accepted = Outcome<Verbs>;

export function createHandlers(
  context: PartContext,
  runtime: Runtime,
  resolver: Resolver,
): Pick<Handlers<'session-manager'>, Verbs> {
  const begin = (plan: Result<Plan, Fault>, request: unknown, asked: Context) =>
    beginSession(context, runtime, plan, request, asked);

  return {
    async 'call.create'(request, asked) {
      const before = await repeated<'call.create'>(context.store, asked);
      if (before !== undefined) return before;
      const [parties, facts] = await Promise.all([resolver.parties([request.from, request.to]), resolver.facts()]);
      const [from, to] = parties as [PartyFacts, PartyFacts];
      const refused = notTheirs(asked.principal, from);
      return refused === undefined ? begin(planCall(from, to, facts), request, asked) : err(refused);
    },

    async 'media.play'(request, asked) {
      const before = await repeated<'media.play'>(context.store, asked);
      if (before !== undefined) return before;
      const [to, facts] = await Promise.all([resolver.party(request.to), resolver.facts()]);
      const refused = notTheirs(asked.principal, to);
      return refused === undefined ? begin(planMedia(to, request.item, facts), request, asked) : err(refused);
    },

    async 'conference.create'(request, asked) {
      const before = await repeated<'conference.create'>(context.store, asked);
      if (before !== undefined) return before;
      const plan = await conferencePlan(request, asked, resolver);
      return begin(plan, request, asked);
    },
  };
}

async function conferencePlan(
  request: VerbRequest<'conference.create'>,
  asked: Context,
  resolver: Resolver,
): Promise<Result<Plan, Fault>> {
  const wish = typeof request.media === 'string' ? { item: request.media, to: 'homes' as const } : request.media;
  const [parties, sinks, facts]: [PartyFacts[], PartyFacts[], Facts] = await Promise.all([
    resolver.parties(request.participants),
    resolver.parties(wish !== undefined && 'sinks' in wish ? (wish.sinks ?? []) : []),
    resolver.facts(),
  ]);
  // Others may be invited; somebody of one's own takes part, and music goes to one's own sinks alone.
  const host = parties.find((party) => notTheirs(asked.principal, party) === undefined);
  if (host === undefined) return err(fault('not_found', 'No participant is a line of yours.'));
  for (const sink of sinks) {
    const refused = notTheirs(asked.principal, sink);
    if (refused !== undefined) return err(refused);
  }
  const media: MediaWish | undefined = wish === undefined ? undefined : { item: wish.item, to: wish.to, sinks };
  // The first one invites and pays, which nobody does for others than their own.
  return planConference([host, ...parties.filter((party) => party !== host)], media, facts);
}

/** Begins what was planned. A refusal by a server ends the session with its reason and is the answer. */
async function beginSession(
  { world }: PartContext,
  runtime: Runtime,
  plan: Result<Plan, Fault>,
  request: unknown,
  asked: Context,
): Promise<Accepted> {
  if (!plan.ok) return plan;
  const full = overLimit(runtime, plan.value);
  if (full !== undefined) return err(full);
  const wall = world.clock.wall();
  const id = newId('ses', wall, world.random.bytes(10));
  const accepted: Accepted = ok({ id, state: 'created' });
  const { live, durable } = runtime.begin(id, plan.value, request, remember(asked, accepted, wall));
  await durable;
  const taken = await runtime.reserve(live, live.state.legs);
  if (taken.ok) {
    await runtime.step(id, { on: 'reserved', ...taken.value });
    return accepted;
  }
  const refused: Accepted = err(taken.fault.fault);
  await runtime.step(id, { on: 'refused', ...taken.fault }, correct(asked, refused));
  return refused;
}

/** The outcome kept for the key was the hope; this is what came of it. */
export function correct(asked: Context, outcome: Result<unknown, Fault>): Statement[] {
  const key = asked.idempotency;
  if (key === undefined) return [];
  const reply = JSON.stringify(outcome.ok ? { value: outcome.value } : { fault: outcome.fault });
  return [sql('UPDATE idempotency SET reply = ? WHERE scope = ? AND key = ?', reply, key.scope, key.key)];
}

/** The fault of a session that would be one too many. */
export function overLimit(runtime: Runtime, plan: Plan): Fault | undefined {
  if (runtime.lives.size >= SESSIONS) return fault('limit_reached', `${SESSIONS} sessions are alive.`);
  const home = plan.homes.find((one) => runtime.liveOf(one) >= SESSIONS_PER_HOME);
  return home === undefined
    ? undefined
    : fault('limit_reached', `A home may have ${SESSIONS_PER_HOME} sessions at once.`);
}
