/**
 * Three parties by a code from the phone: it dials the code while its line has two answered calls, and its new call becomes a seat in a
 * room to which the far parties of both are brought. The two calls end, since nobody is at their other end any more.
 */
import type { Outcome } from '#cloud/bus/bus.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { choose, type Facts, firstMissing, type PartyFacts } from './choice.ts';
import { overLimit } from './create.ts';
import type { LegPlan } from './events.ts';
import { planWaiting } from './incoming.ts';
import type { Live } from './live.ts';
import { SELF } from './outbox.ts';
import type { Plan } from './plan.ts';
import { ROOM_SIZE } from './plan-conference.ts';
import type { Runtime } from './runtime.ts';
import type { LegState, SessionState } from './session.ts';
import { type Finder, voices } from './take-over.ts';
import { hindrance } from './transfer.ts';

type Route = VerbRequest<'session.route'>;

export interface ThreeWayTools {
  readonly runtime: Runtime;
  readonly finder: Finder;
  readonly facts: () => Facts;
  readonly begin: (plan: Plan) => Live;
}

/** An answered call of a line, by its own leg and that of the other end. */
export interface Talk {
  readonly state: SessionState;
  readonly own: LegState;
  readonly far: LegState;
}

/** How many calls the code brings together. */
const TOGETHER = 2;

export async function bringTogether(
  { runtime, finder, facts, begin }: ThreeWayTools,
  request: Route,
  caller: PartyFacts,
): Promise<Outcome<'session.route'>> {
  const states = [...runtime.lives.values()].map(({ state }) => state);
  const talks = talksOf(states, caller.line?.id ?? '');
  const planned = planTogether(talks, caller, request, facts());
  if (!planned.ok) return planned;
  const full = overLimit(runtime, planned.value);
  if (full !== undefined) return err(full);
  const live = begin(planned.value);
  const { id } = live.state;
  // The softswitch has to hold the call before it can be told to answer it.
  void seat({ runtime, finder }, live, talks);
  return ok({ do: 'wait', session: id, leg: live.state.legs[0]?.id ?? '' });
}

/** The answered calls of two that a line has. */
export function talksOf(states: Iterable<SessionState>, line: string): Talk[] {
  const talks: Talk[] = [];
  for (const state of states) {
    if (state.kind !== 'call' || state.state !== 'active') continue;
    const talking = voices(state);
    const own = talking.find((leg) => leg.line === line);
    const [far, ...more] = talking.filter((leg) => leg !== own);
    if (own !== undefined && far !== undefined && more.length === 0) talks.push({ state, own, far });
  }
  return talks;
}

/** The caller's seat, and one for the far party of each call: it costs whom the call has cost. Pure. */
export function planTogether(
  talks: readonly Talk[],
  caller: PartyFacts,
  request: Route,
  facts: Facts,
): Result<Plan, Fault> {
  if (talks.length !== TOGETHER) {
    return err(fault('conflict', `This code brings two answered calls together; this line has ${talks.length}.`));
  }
  const refused = talks.map(({ state, own, far }) =>
    far.emergency === true ? fault('forbidden', 'A call for help is nobody else’s.') : hindrance(state, own),
  );
  const first = refused.find((one) => one !== undefined);
  if (first !== undefined) return err(first);
  const missing = firstMissing(['conference', 'softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('a room', facts);
  if (!server.ok) return server;
  const waiting = planWaiting(caller, request, caller.line?.home ?? '', facts);
  const [seat] = waiting.ok ? waiting.value.legs : [];
  if (!waiting.ok || seat === undefined) return waiting.ok ? err(fault('internal')) : waiting;
  const role = 'conference channel';
  const own: LegPlan = { ...seat, ...server.value, role, to: 'conference' };
  const homes = [...waiting.value.homes, ...talks.flatMap(({ far }) => far.home ?? [])];
  return ok({
    kind: 'call',
    homes: [...new Set(homes)],
    legs: [own, ...talks.map((talk) => ({ ...moved(talk, own, facts), ...server.value, role }))],
    roomSize: ROOM_SIZE,
  });
}

/** The far party's leg: its channel exists, and comes once the caller sits. */
function moved(
  { state, own, far }: Talk,
  seat: LegPlan,
  facts: Facts,
): Omit<LegPlan, 'role' | 'server' | 'orientation' | 'why'> {
  const paying = [far, own].find((leg) => leg.payer !== undefined && leg.reserve.includes('billing'));
  return {
    id: facts.legId(),
    kind: 'voice',
    channel: 'instructed',
    ...(far.party === undefined ? {} : { party: far.party }),
    ...(far.home === undefined ? {} : { home: far.home }),
    ...(far.line === undefined ? {} : { line: far.line }),
    from: seat.from,
    to: far.party ?? far.to,
    ...(paying?.payer === undefined ? {} : { payer: paying.payer }),
    reserve: [...(paying === undefined ? [] : (['billing'] as const)), 'endpoint'],
    after: seat.id,
    moves: { session: state.id, leg: far.id },
  };
}

async function seat(
  { runtime, finder }: Pick<ThreeWayTools, 'runtime' | 'finder'>,
  live: Live,
  talks: readonly Talk[],
): Promise<void> {
  const { id } = live.state;
  const refuse = (why: Fault) => runtime.step(id, { on: 'refused', fault: why, started: [] });
  try {
    for (const { state, own } of talks) {
      const ours = await finder.talking(state.id, own.id, SELF);
      if (!ours.ok) return await refuse(ours.fault);
    }
    const taken = await runtime.reserve(live, live.state.legs);
    if (!taken.ok) return await runtime.step(id, { on: 'refused', ...taken.fault });
    await runtime.step(id, { on: 'reserved', ...taken.value });
  } catch {
    // A step that fails is in the runtime's log; the caller's wait runs out.
  }
}
