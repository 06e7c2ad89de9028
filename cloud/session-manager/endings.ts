/** How legs and sessions end: which legs go with which, what is released, and when the session itself is over. Pure. */

import { MOVED } from '#shared/call/outcome.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { type FaultCode, faults, sipStatus } from '#shared/protocol/fault.ts';
import { command, holdEnd, releaseCommands, sessionReleaseCommands, silence, undoCommands } from './commands.ts';
import type { Command, JournalRow, SessionEvent } from './events.ts';
import type { Live, Output, Started } from './live.ts';
import { placeOf } from './moved.ts';
import { apply, type LegState, liveLegs, recordOf, type SessionState } from './session.ts';

/** Milliseconds that an ending session waits for its releases. */
export const CLOSING = 30_000;

/** Where outputs go, and the moment of the step. */
export interface Out {
  readonly now: number;
  readonly list: Output[];
}

const CARRIERS: ReadonlySet<string> = new Set(['ringing', 'answered', 'leg-ended', 'ending', 'ended']);

type WithoutAt<E> = E extends unknown ? Omit<E, 'at'> : never;

/** Dates an event, folds it into the state and hands it to the journal. */
export function record(live: Live, to: Out, event: WithoutAt<SessionEvent>): void {
  // Whatever the row says is about this session, so it can carry what waits for one.
  const { carried } = live;
  const takes = carried !== undefined && CARRIERS.has(event.type);
  if (takes) live.carried = undefined;
  const { type, leg, cause, data } = event;
  const row = {
    type,
    session: live.state.id,
    seq: live.state.seq + 1,
    at: Math.round(to.now + live.offset),
    leg,
    cause,
    data: takes ? { ...data, carried } : data,
  } as JournalRow;
  apply(live.state, row);
  to.list.push({ do: 'append', row });
}

/**
 * Ends one leg and those that cannot be without it (the media channel joined to a conference channel). `closed`: the
 * server that had the channel said so itself; `status`: the response with which it was refused.
 */
export function endLeg(
  live: Live,
  to: Out,
  leg: LegState,
  reason: string,
  { closed = false, status }: { readonly closed?: boolean; readonly status?: number | undefined } = {},
): void {
  if (leg.state === 'ended') return;
  const end = Math.round(to.now + live.offset);
  const joined = liveLegs(live.state).filter((one) => one.join === leg.id);
  if (leg.referred === true && leg.state !== 'up' && reason !== MOVED)
    tellReferrer(live.state, leg, status ?? statusOf(reason), to);
  if (endsWith(live, leg)) {
    endSession(live, to, reason, { closed: closed ? leg.id : undefined });
    return;
  }
  const releases = [
    ...(leg.held === true ? [holdEnd(live.state, leg)] : []),
    ...joined.flatMap((one) => releaseCommands(live.state, one, reason, false)),
    ...releaseCommands(live.state, leg, reason, closed),
  ];
  const records = [...joined, leg].map((one) => recordOf(one, end, reason));
  forget(live, [...joined, leg]);
  record(live, to, { type: 'leg-ended', leg: leg.id, cause: reason, data: { records } });
  release(to, releases, leg.id);
}

/** Tells the phone that asked for a transfer what came of it. */
export function tellReferrer(state: SessionState, leg: LegState, status: number, to: Out): void {
  const asker = placeOf(state, leg);
  if (asker === undefined || asker.state === 'ended') return;
  const told = command('channel.notify', { session: state.id, leg: asker.id, status });
  to.list.push({ do: 'send', leg: asker.id, purpose: 'other', command: told });
}

const statusOf = (reason: string): number => (Object.hasOwn(faults, reason) ? sipStatus(reason as FaultCode) : 480);

/** True where this leg's end is the session's: a party of a two-party call, or the last leg that carries sound; of a call with a room the last but one. */
function endsWith(live: Live, leg: LegState): boolean {
  const { state } = live;
  if (leg.kind === 'device') return false;
  if ((state.kind === 'call' || state.kind === 'house-call') && state.room === undefined) return partsWith(state, leg);
  const others = liveLegs(state).filter((one) => one !== leg && one.join !== leg.id);
  if (state.kind === 'media') return !others.some((one) => one.kind === 'media' || one.kind === 'voice');
  const voices = others.filter((one) => one.kind === 'voice').length;
  return leg.kind === 'voice' && voices < (state.kind === 'call' ? 2 : 1);
}

/** Whether a call without a room cannot go on without this leg: not while a transfer brings another party for it. */
function partsWith(state: SessionState, leg: LegState): boolean {
  if (leg.kind !== 'voice') return false;
  const voices = liveLegs(state).filter((one) => one !== leg && one.kind === 'voice');
  if (voices.some((one) => one.replaces === leg.id || placeOf(state, one) === leg)) return false;
  if (leg.state !== 'up' && voices.some((one) => ringTogether(one, leg))) return false;
  // A third party that was asked in and did not come.
  if (leg.state !== 'up' && voices.filter((one) => one.state === 'up').length > 1) return false;
  // A party that was only coming leaves those who talk as they were.
  const place = placeOf(state, leg);
  return place === undefined || leg.state === 'up' || !voices.includes(place);
}

function ringTogether(a: LegState, b: LegState): boolean {
  return a.with === b.id || b.with === a.id || (a.with !== undefined && a.with === b.with);
}

/**
 * Ends the session and every leg of it in one row. It is `ending` until servers have let go of what they hold, and
 * `ended` at once when only paper is left (reservations).
 */
export function endSession(
  live: Live,
  to: Out,
  reason: string,
  how: { readonly closed?: string | undefined; readonly started?: readonly Started[] } = {},
): void {
  const { state } = live;
  const end = Math.round(to.now + live.offset);
  const legs = liveLegs(state);
  const releases =
    how.started === undefined
      ? [...silence(state), ...allReleases(live, reason, how.closed)]
      : undo(state.id, how.started);
  const records = legs.map((leg) => recordOf(leg, end, reason));
  forget(live, legs);
  live.alone = NEVER;
  const paper = releases.every(({ verb }) => verb === 'qos.release' || verb === 'billing.release');
  record(live, to, { type: paper ? 'ended' : 'ending', cause: reason, data: { records } });
  live.closing = paper ? NEVER : to.now + CLOSING;
  release(to, releases);
}

function allReleases(live: Live, reason: string, closed: string | undefined): Command[] {
  const { state } = live;
  // One end of a switched call ended: the softswitch ends the other by itself.
  const switched = state.legs.find((leg) => leg.id === closed)?.channel === 'switched';
  return [
    ...liveLegs(state)
      .toReversed()
      .flatMap((leg) =>
        releaseCommands(state, leg, reason, leg.id === closed || (switched && leg.channel === 'switched')),
      ),
    ...sessionReleaseCommands(state),
  ];
}

/** The undo list of reservations that were started, in reverse. */
function undo(session: string, started: readonly Started[]): Command[] {
  return started
    .toReversed()
    .flatMap(({ leg, step }) =>
      step === 'room'
        ? [{ verb: 'conference.room.close' as const, request: { session } }]
        : undoCommands({ session, leg }, step),
    );
}

/** A conference whose last home leg has gone, or a session with nothing left, ends. */
export function settle(live: Live, to: Out): void {
  const { state } = live;
  if (state.state !== 'created' && state.state !== 'active') return;
  if (liveLegs(state).length === 0) endSession(live, to, state.legs.at(-1)?.reason ?? 'hangup');
}

/** The last row of an ending session. */
export function finish(live: Live, to: Out): void {
  live.closing = NEVER;
  record(live, to, { type: 'ended', cause: live.state.reason ?? 'hangup', data: { records: [] } });
}

function release(to: Out, commands: readonly Command[], leg?: string): void {
  for (const one of commands) {
    to.list.push({ do: 'send', ...(leg === undefined ? {} : { leg }), purpose: 'release', command: one });
  }
}

function forget(live: Live, legs: readonly LegState[]): void {
  for (const { id } of legs) for (const map of [live.ring, live.lease, live.seen, live.credit]) map.delete(id);
}
