/**
 * A phone that calls in for the place of another one (INVITE with Replaces, RFC 3891). A call that rings is picked up. A call that is up
 * becomes ours to steer: the caller waits, gets a channel of its own, and once that is answered whoever sat there is hung up.
 */
import type { Outcome } from '#cloud/bus/bus.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Facts, PartyFacts } from './choice.ts';
import type { LegPlan } from './events.ts';
import { planWaiting } from './incoming.ts';
import type { Live } from './live.ts';
import { SELF } from './outbox.ts';
import type { Runtime } from './runtime.ts';
import { findLeg, type LegState, liveLegs } from './session.ts';
import { type Finder, voices } from './take-over.ts';
import { hindrance } from './transfer.ts';

type Route = VerbRequest<'session.route'>;

export interface ReplacesTools {
  readonly runtime: Runtime;
  readonly finder: Finder;
  readonly facts: () => Facts;
  /** The caller takes this call while it rings. */
  readonly pickUp: (ringing: { readonly live: Live; readonly leg: LegState }) => Promise<Outcome<'session.route'>>;
}

/** `caller` is of the home of the leg that is meant: the softswitch has seen to that. */
export async function takePlace(
  tools: ReplacesTools,
  request: Route & Required<Pick<Route, 'replaces'>>,
  caller: PartyFacts,
): Promise<Outcome<'session.route'>> {
  const { session, leg: name } = request.replaces;
  const live = tools.runtime.lives.get(session);
  const old = live === undefined ? undefined : findLeg(live.state, name);
  if (live === undefined || old === undefined || old.state === 'ended') return GONE;
  if (old.home === undefined || old.home !== caller.line?.home) return err(fault('forbidden'));
  if (old.state !== 'up') {
    const talks = liveLegs(live.state).some((one) => one.state === 'up');
    return talks || old.channel !== 'switched' ? GONE : tools.pickUp({ live, leg: old });
  }
  const refused = hindrance(live.state, old);
  if (refused !== undefined) return err(refused);
  const planned = planWaiting(caller, request, old.home, tools.facts());
  const [waiting] = planned.ok ? planned.value.legs : [];
  if (!planned.ok || waiting === undefined) return planned.ok ? err(fault('internal')) : planned;
  const plan = seated(waiting, old, voices(live.state));
  await tools.runtime.step(session, { on: 'added', plan, homes: [] });
  // The softswitch has to hold the call before it can be told to answer it.
  void seat(tools, live, plan.id, old.id);
  return ok({ do: 'wait', session, leg: plan.id });
}

const GONE = err(fault('callee_unknown', 'There is no such call any more.'));

/** The new party's leg: it costs whom the old one's cost. */
function seated(waiting: LegPlan, old: LegState, talking: readonly LegState[]): LegPlan {
  const stays = talking.find((one) => one !== old);
  const billed = old.payer !== undefined && old.reserve.includes('billing');
  return {
    ...waiting,
    role: 'took the place',
    why: `${waiting.why.split(';')[0]}; took the place of ${old.party ?? old.id}`,
    from: stays?.party ?? old.from,
    to: waiting.party ?? waiting.to,
    replaces: old.id,
    ...(billed && old.payer !== undefined ? { payer: old.payer } : {}),
    reserve: billed ? ['billing', ...waiting.reserve] : waiting.reserve,
  };
}

async function seat({ runtime, finder }: ReplacesTools, live: Live, leg: string, old: string): Promise<void> {
  const { id } = live.state;
  const refuse = (why: Fault) => runtime.step(id, { on: 'leg-refused', leg, fault: why });
  try {
    const taken = await finder.talking(id, old, SELF);
    const added = findLeg(live.state, leg);
    if (!taken.ok) return await refuse(taken.fault);
    if (added === undefined || added.state === 'ended') return;
    const reserved = await runtime.reserve(live, [added]);
    if (!reserved.ok) return await refuse(reserved.fault.fault);
    await runtime.step(id, { on: 'reserved', ...reserved.value });
  } catch {
    // A step that fails is in the runtime's log; the caller's wait runs out.
  }
}
