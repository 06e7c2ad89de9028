/**
 * What a session does next: a pure machine over the folded state. Every change of the state is an event that goes to the
 * journal; every act on a server is a command that goes to the outbox in the same commit. After a crash the state
 * comes back from the journal and the machine goes on from there; its deadlines start anew.
 *
 * Times in the state are monotonic milliseconds; `offset` (wall clock minus monotonic) dates the events.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';
import { command, enterCommands, joinCommands, markCommand, openCommand, RING_FOR, serverOf } from './commands.ts';
import { endLeg, endSession, finish, type Out, record, settle, tellReferrer } from './endings.ts';
import type { Command } from './events.ts';
import type { Input, Live, Output, Purpose, Report, Reservations } from './live.ts';
import { placeOf, standIn } from './moved.ts';
import { findLeg, type LegState, liveLegs, type SessionState } from './session.ts';
import { soundCommands, soundPlan } from './sound.ts';
import { settleCommands, steer, steeringDue, steeringTick } from './steering.ts';

/** Milliseconds that a leg may be missing at its server before it counts as lost. */
export const LEASE = 30_000;
/** Milliseconds that a conference waits for its first (or next) home leg. */
export const ALONE_FOR = 60_000;
/** Milliseconds beyond `RING_FOR` after which the softswitch's own report is no longer awaited. */
const RING_GRACE = 5_000;
/** Milliseconds of talk left at which a prepaid leg asks for more. */
const CREDIT_MARGIN = 20_000;

export const sessionMachine: Machine<Live, Input, Output> = { name: 'session', step, due };

function due(live: Live): number {
  let earliest = Math.min(live.alone, live.closing, steeringDue(live));
  // Of most calls nothing is waited for.
  if (live.ring.size > 0) for (const at of live.ring.values()) earliest = Math.min(earliest, at);
  if (live.lease.size > 0) for (const at of live.lease.values()) earliest = Math.min(earliest, at);
  if (live.credit.size > 0) {
    for (const { ask, end } of live.credit.values()) earliest = Math.min(earliest, ask, end);
  }
  return earliest;
}

function step(live: Live, input: Input | Tick, now: number, out: Output[]): void {
  const to: Out = { now, list: out };
  if (live.state.state === 'ended') return;
  if (live.state.state === 'ending') {
    if (input.on === 'released' || (input.on === 'tick' && now >= live.closing)) finish(live, to);
    return;
  }
  const [before, room] = [soundPlan(live.state), live.state.room];
  take(live, input, to);
  settle(live, to);
  if (isAlive(live.state)) advance(live, to);
  if (isAlive(live.state)) settleCommands(live, to);
  // Taking seats in a room has its own order; what ends takes its sound with it.
  if (room !== live.state.room || !isAlive(live.state)) return;
  for (const one of soundCommands(live.state, before, soundPlan(live.state))) send(to, 'join', one.command, one.leg);
}

const isAlive = ({ state }: SessionState): boolean => state === 'created' || state === 'active';

function take(live: Live, input: Input | Tick, to: Out): void {
  switch (input.on) {
    case 'tick':
      tick(live, to);
      return;
    case 'reserved':
      reserved(live, input, to);
      return;
    case 'admitted':
      live.carried = { ...live.carried, legs: input.legs };
      mark(live, input.legs, to);
      return;
    case 'refused':
      endSession(live, to, input.fault.code, { started: input.started });
      return;
    case 'added':
      added(live, input, to);
      return;
    case 'end':
      endSession(live, to, input.reason);
      return;
    case 'recovered':
      recovered(live, to);
      return;
    case 'released':
      return;
    case 'command':
    case 'stop-command':
    case 'sound':
    case 'digit':
    case 'flag':
    case 'taken':
      steer(live, input, to);
      return;
    case 'report':
      withLeg(live, input.leg, (leg) => report(live, leg, input, to));
      return;
    default:
      withLeg(live, input.leg, (leg) => takeForLeg(live, leg, input, to));
  }
}

function reserved(live: Live, { legs, room }: Extract<Input, { on: 'reserved' }>, to: Out): void {
  const entering = live.state.room === undefined && room !== undefined;
  record(live, to, { type: 'reserved', data: { legs, ...(room === undefined ? {} : { room }) } });
  if (entering) for (const { leg, command: entry } of enterCommands(live.state)) send(to, 'join', entry, leg);
  mark(live, legs, to);
}

function added(live: Live, { plan, homes, roomSize }: Extract<Input, { on: 'added' }>, to: Out): void {
  const data = { plan, homes, ...(roomSize === undefined ? {} : { roomSize }) };
  record(live, to, { type: 'added', leg: plan.id, data });
}

function withLeg(live: Live, id: string, run: (leg: LegState) => void): void {
  const leg = findLeg(live.state, id);
  if (leg !== undefined && leg.state !== 'ended') run(leg);
}

function takeForLeg(live: Live, leg: LegState, input: Extract<Input, { leg: string }>, to: Out): void {
  switch (input.on) {
    case 'opened':
      live.seen.set(leg.id, to.now);
      if (leg.callId !== input.callId)
        record(live, to, { type: 'opened', leg: leg.id, data: { callId: input.callId } });
      return;
    case 'leg-refused':
    case 'failed':
      endLeg(live, to, leg, input.fault.code);
      return;
    case 'noted':
      if (leg.channel === 'switched') {
        live.carried = { ...live.carried, notes: { ...live.carried?.notes, [leg.id]: input.dscp } };
      } else record(live, to, { type: 'noted', leg: leg.id, data: { dscp: input.dscp } });
      return;
    case 'credit':
      setCredit(live, leg, input.until);
      return;
    case 'remove':
      endLeg(live, to, leg, input.reason);
      return;
    case 'seen':
      live.seen.set(leg.id, to.now);
      live.lease.delete(leg.id);
      if (input.up && leg.state !== 'up') answered(live, leg, to, to.now + live.offset, input.callId);
      return;
    case 'missing':
      if (!live.lease.has(leg.id)) live.lease.set(leg.id, (live.seen.get(leg.id) ?? to.now) + LEASE);
  }
}

function report(live: Live, leg: LegState, input: Report, to: Out): void {
  live.seen.set(leg.id, to.now);
  live.lease.delete(leg.id);
  switch (input.event) {
    case 'ringing': {
      if (leg.state === 'up' || leg.state === 'ringing') return;
      const data = input.callId === undefined ? {} : { callId: input.callId };
      record(live, to, { type: 'ringing', leg: leg.id, data });
      return;
    }
    case 'answered':
      if (leg.state !== 'up') answered(live, leg, to, input.at, input.callId);
      return;
    case 'ended':
      endLeg(live, to, leg, input.reason ?? 'hangup', { closed: true, status: input.status });
      return;
    case 'item-ended':
      endLeg(live, to, leg, 'item-ended');
  }
}

/** The leg talks: the row first, then what lets its sound flow. A switched call's caller is up by the same fact. */
function answered(live: Live, leg: LegState, to: Out, at: number, callId: string | undefined): void {
  const state = live.state;
  const isSwitched = (one: LegState) => one.channel === 'switched' && one.role === 'caller';
  const also = liveLegs(state).filter((one) => isSwitched(one) && leg.channel === 'switched' && one !== leg);
  live.ring.delete(leg.id);
  record(live, to, {
    type: 'answered',
    leg: leg.id,
    data: {
      // Whoever says so goes by the clock on the wall, which may have been set since.
      at: Math.max(state.createdAt, Math.min(at, Math.round(to.now + live.offset))),
      ...(callId === undefined ? {} : { callId }),
      ...(also.length === 0 ? {} : { also: also.map((one) => one.id) }),
    },
  });
  for (const one of [leg, ...also]) {
    live.seen.set(one.id, to.now);
    if (one.reserved.metered && one.reserved.until !== undefined) setCredit(live, one, one.reserved.until);
    for (const join of joinCommands(state, one)) send(to, 'join', join, one.id);
  }
  takePlace(live, leg, to);
}

/** The party that a transfer brought is there: the one whose place it takes goes, and a phone that asked for it is told. */
function takePlace(live: Live, leg: LegState, to: Out): void {
  const old = placeOf(live.state, leg);
  if (old === undefined || old.state === 'ended') return;
  if (leg.referred === true) tellReferrer(live.state, leg, 200, to);
  endLeg(live, to, old, 'transferred');
}

/** Has gateways mark what was admitted, before the first packet comes. */
function mark(live: Live, legs: Reservations, to: Out): void {
  for (const leg of liveLegs(live.state)) {
    const reserved = Object.hasOwn(legs, leg.id) ? legs[leg.id] : undefined;
    const marking = reserved && markCommand(live.state, leg, reserved);
    if (marking !== undefined) send(to, 'mark', marking, leg.id);
  }
}

/** `until` counts from the answer; a reservation that does not reach further than before leaves no time to ask again. */
function setCredit(live: Live, leg: LegState, until: number): void {
  const end = (leg.answeredAt ?? 0) - live.offset + until;
  const grew = end > (live.credit.get(leg.id)?.end ?? 0);
  live.credit.set(leg.id, { ask: grew ? end - CREDIT_MARGIN : NEVER, end });
}

/** Opens what is reserved and may open now. */
function advance(live: Live, to: Out): void {
  const { state } = live;
  for (const leg of state.legs) {
    if (leg.state !== 'reserved') continue;
    const after = leg.after === undefined ? undefined : standIn(state, leg.after);
    if (leg.after !== undefined && after?.state !== 'up') {
      // What it waits for is gone: so is the leg.
      if (after === undefined || after.state === 'ended')
        endLeg(live, to, leg, after?.reason ?? 'lost', { closed: true });
      continue;
    }
    if (leg.channel === 'instructed') open(live, leg, to);
    else if (leg.channel !== 'room' || talks(state)) answered(live, leg, to, to.now + live.offset, undefined);
  }
  if (state.roomSize !== undefined) watchRoom(live, to.now);
  settle(live, to);
}

function open(live: Live, leg: LegState, to: Out): void {
  const opening = openCommand(live.state, leg);
  record(live, to, { type: 'instructed', leg: leg.id, data: { verb: opening.verb, server: serverOf(opening.verb) } });
  live.ring.set(leg.id, to.now + RING_FOR + RING_GRACE);
  live.seen.set(leg.id, to.now);
  send(to, 'open', opening, leg.id);
}

/** Under one home leg for a minute, the conference ends. */
function watchRoom(live: Live, now: number): void {
  if (talks(live.state)) live.alone = NEVER;
  else if (live.alone === NEVER) live.alone = now + ALONE_FOR;
}

function talks(state: SessionState): boolean {
  return state.legs.some((leg) => leg.kind === 'voice' && leg.state === 'up');
}

function tick(live: Live, to: Out): void {
  const passed = (map: ReadonlyMap<string, number>) => [...map].filter(([, at]) => to.now >= at).map(([leg]) => leg);
  for (const id of passed(live.ring)) {
    live.ring.delete(id);
    withLeg(live, id, (leg) => leg.state !== 'up' && endLeg(live, to, leg, 'no_answer'));
  }
  for (const id of passed(live.lease)) {
    live.lease.delete(id);
    withLeg(live, id, (leg) => endLeg(live, to, leg, 'lost'));
  }
  for (const [id, { ask, end }] of live.credit) {
    if (to.now >= end) withLeg(live, id, (leg) => endLeg(live, to, leg, 'insufficient_credit'));
    else if (to.now >= ask) withLeg(live, id, (leg) => askCredit(live, leg, to));
  }
  steeringTick(live, to);
  if (to.now >= live.alone) endSession(live, to, 'no_answer');
}

function askCredit(live: Live, leg: LegState, to: Out): void {
  const known = live.credit.get(leg.id);
  if (known !== undefined) known.ask = NEVER;
  const talked = Math.max(0, Math.round(to.now + live.offset - (leg.answeredAt ?? 0)));
  const owner = { session: live.state.id, leg: leg.id };
  const home = leg.payer ?? 'none';
  send(to, 'credit', command('billing.reserve', { ...owner, home, to: leg.to, pays: true, talked }), leg.id);
}

/** What was planned and not reserved when the process died: nobody was told of it, so it ends now. */
function recovered(live: Live, to: Out): void {
  const { state } = live;
  if (state.legs.every((leg) => leg.state === 'planned')) {
    endSession(live, to, 'lost');
    return;
  }
  for (const leg of state.legs) if (leg.state === 'planned') endLeg(live, to, leg, 'lost');
  for (const leg of state.legs) if (leg.state === 'ringing') live.ring.set(leg.id, to.now + RING_FOR + RING_GRACE);
  for (const leg of state.legs) {
    if (leg.state === 'up' && leg.reserved.until !== undefined) restoreCredit(live, leg, leg.reserved.until, to.now);
  }
}

/** The journal knows the first reservation alone: how far the money goes by now is asked before anybody is cut off for it. */
function restoreCredit(live: Live, leg: LegState, until: number, now: number): void {
  setCredit(live, leg, until);
  const soonest = now + CREDIT_MARGIN;
  if ((live.credit.get(leg.id)?.end ?? soonest) < soonest)
    live.credit.set(leg.id, { ask: now + CREDIT_MARGIN / 2, end: soonest });
}

function send(to: Out, purpose: Purpose, what: Command, leg: string): void {
  to.list.push({ do: 'send', leg, purpose, command: what });
}
