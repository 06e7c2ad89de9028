/** A leg that we opened and whose phone sends it elsewhere (302): another leg is opened in its place, as a call of the line whose phone that is. Pure. */
import { MOVED } from '#shared/call/outcome.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { choose, type Facts, firstMissing, type PartyFacts, unknownParty } from './choice.ts';
import type { LegPlan } from './events.ts';
import { instructed } from './plan.ts';
import { findLeg, type LegState, type SessionState } from './session.ts';

/** The leg in place of `old`; whoever owns the phone pays for it. Only of a call of two, and not of media that wait for their caller. */
export function movedLeg(
  state: SessionState,
  old: LegState,
  { by, to }: { readonly by: PartyFacts; readonly to: PartyFacts },
  facts: Facts,
): Result<LegPlan, Fault> {
  const unknown = to.outside === undefined ? unknownParty([to]) : undefined;
  if (state.kind !== 'call' || state.room !== undefined || old.waiting !== undefined || by.line === undefined)
    return err(fault('callee_offline'));
  const missing = unknown ?? firstMissing(['softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('two parties', facts);
  if (!server.ok) return server;
  const { id: owner, home: payer } = by.line;
  const plan = instructed(to, facts, {
    ...{ kind: 'voice', channel: 'instructed', ...server.value, role: 'forwarded to', payer },
    ...{ from: old.from, to: to.line?.number ?? to.outside ?? to.asked },
    ...(old.caller === undefined ? {} : { caller: old.caller }),
    ...(old.after === undefined ? {} : { after: old.after }),
  });
  const outward = to.outside === undefined ? {} : { outward: { number: to.outside, owner } };
  return ok({ ...plan, ...outward, reserve: ['billing', ...plan.reserve] });
}

/** The leg of that name, or who rings in its place. */
export function standIn(state: SessionState, id: string): LegState | undefined {
  const leg = findLeg(state, id);
  if (leg?.state !== 'ended' || leg.reason !== MOVED) return leg;
  const next = state.legs.find((one) => one.replaces === id);
  return next === undefined ? leg : standIn(state, next.id);
}
