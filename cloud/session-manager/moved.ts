/** A leg that we opened and whose phone sends it elsewhere (302): another leg is opened in its place, as a call of the line whose phone that is. Pure. */
import { MOVED } from '#shared/call/outcome.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { choose, type Facts, firstMissing, type PartyFacts, unknownParty } from './choice.ts';
import type { LegPlan } from './events.ts';
import { instructed, mediaChannel } from './plan.ts';
import { findLeg, type LegState, liveLegs, type SessionState } from './session.ts';

const ROLE = 'forwarded to';

/** Who sends a leg on, and to whom. */
interface Move {
  readonly by: PartyFacts;
  readonly to: PartyFacts;
}

/** The leg in place of `old`; whoever owns the phone pays for it. Not of media that wait for their caller, nor of a channel that a gateway mixes into another. */
export function movedLeg(state: SessionState, old: LegState, { by, to }: Move, facts: Facts): Result<LegPlan, Fault> {
  const unknown = to.outside === undefined ? unknownParty([to]) : undefined;
  const isOurs = old.channel === 'instructed' && old.waiting === undefined && old.join === undefined;
  if (!isOurs || by.line === undefined) return err(fault('callee_offline'));
  const hasRoom = state.roomSize !== undefined && old.kind === 'voice';
  const needed = ['softswitch', 'media', 'billing', ...(hasRoom ? (['conference'] as const) : [])] as const;
  const missing = unknown ?? firstMissing(needed, facts);
  if (missing !== undefined) return err(missing);
  const { id: owner, home: payer, number, name } = by.line;
  const outward = to.outside === undefined ? {} : { outward: { number: to.outside, owner } };
  const after = old.after === undefined ? {} : { after: old.after };
  if (old.kind === 'media') {
    const server = choose('an item of the library', facts);
    if (!server.ok) return server;
    const plan = mediaChannel(to, old.item ?? '', facts, { ...server.value, role: ROLE, ...after });
    // Nobody outside knows our short codes.
    const shows = to.outside === undefined ? {} : { caller: { number, ...(name === undefined ? {} : { name }) } };
    return ok({ ...plan, ...shows, ...outward, payer, to: to.line?.number ?? to.outside ?? to.asked });
  }
  const server = choose(hasRoom ? 'a room' : 'two parties', facts);
  if (!server.ok) return server;
  const caller = hasRoom && to.outside !== undefined ? { number } : old.caller;
  const plan = instructed(to, facts, {
    ...{ kind: 'voice', channel: 'instructed', ...server.value, role: ROLE, payer },
    ...{ from: old.from, to: to.line?.number ?? to.outside ?? to.asked },
    ...(caller === undefined ? {} : { caller }),
    ...after,
  });
  return ok({ ...plan, ...outward, reserve: ['billing', ...plan.reserve] });
}

/** The media channels that were to be mixed into `old`, for the leg in its place; none where no gateway is there that could. */
export function movedMedia(
  state: SessionState,
  old: LegState,
  { by, to, into }: Move & { readonly into: string },
  facts: Facts,
): LegPlan[] {
  const server = choose('an item of the library', facts);
  if (!server.ok || to.direct || to.gateway === undefined) return [];
  const payer = by.line === undefined ? {} : { payer: by.line.home };
  return liveLegs(state)
    .filter((one) => one.join === old.id && one.kind === 'media')
    .map((one) => ({
      ...mediaChannel(to, one.item ?? '', facts, { ...server.value, role: one.role, after: into, join: into }),
      ...payer,
    }));
}

/** The leg of that name, or who rings in its place. */
export function standIn(state: SessionState, id: string): LegState | undefined {
  const leg = findLeg(state, id);
  if (leg?.state !== 'ended' || leg.reason !== MOVED) return leg;
  const next = state.legs.find((one) => one.replaces === id);
  return next === undefined ? leg : standIn(state, next.id);
}

/** Whose place a leg takes, past those whose phones sent it on. */
export function placeOf(state: SessionState, { replaces }: Pick<LegState, 'replaces'>): LegState | undefined {
  const old = replaces === undefined ? undefined : findLeg(state, replaces);
  return old?.state === 'ended' && old.reason === MOVED ? placeOf(state, old) : old;
}

/** How often a leg was sent on already. */
export function timesMoved(state: SessionState, { replaces }: Pick<LegState, 'replaces'>): number {
  const old = replaces === undefined ? undefined : findLeg(state, replaces);
  return old === undefined ? 0 : 1 + timesMoved(state, old);
}
