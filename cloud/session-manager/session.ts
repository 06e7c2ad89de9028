/**
 * A service session as the fold of its journal (TINA's four sessions: the access session is the principal in `request`,
 * the user session a home in `homes`, the service session this, the communication session a leg).
 *
 * `apply` is total and deterministic: an event that does not fit the state (a second answer, anything after the end)
 * changes nothing but `seq`. The same rows always give the same state.
 */
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import {
  begin as beginCommand,
  type CommandState,
  end as endCommand,
  findCommand,
  newCommand,
  openCommands,
  takeDigit,
} from './command-state.ts';
import type {
  Carried,
  JournalRow,
  LegPlan,
  LegView,
  Reserved,
  SessionEvent,
  SessionKind,
  SessionView,
} from './events.ts';

export interface LegState extends Omit<LegPlan, 'dscp' | 'channel' | 'reserve'> {
  channel: LegPlan['channel'];
  reserve: LegPlan['reserve'];
  held?: boolean;
  muted?: boolean;
  state: LegView['state'];
  startedAt: number;
  answeredAt?: number;
  endedAt?: number;
  reason?: string;
  callId?: string;
  dscp?: string;
  reserved: Reserved;
}

export interface SessionState {
  readonly id: string;
  readonly kind: SessionKind;
  readonly request: unknown;
  readonly createdAt: number;
  /** Parties that its room holds; absent: it needs none. */
  roomSize?: number;
  state: SessionView['state'];
  reason?: string;
  endedAt?: number;
  homes: string[];
  legs: LegState[];
  room?: string;
  instructions: SessionView['instructions'];
  /** Live commands so far, and digits that were journalled. */
  commands?: CommandState[];
  digits?: number;
  /** Of the newest row folded in. */
  seq: number;
}

/** Folds all rows of one session, oldest first; undefined for none. */
export function fold(rows: readonly JournalRow[]): SessionState | undefined {
  let state: SessionState | undefined;
  for (const row of rows) state = apply(state, row);
  return state;
}

/** Folds one row into the state, in place; a session begins with `created` and with nothing else. */
export function apply(state: SessionState | undefined, row: JournalRow): SessionState | undefined {
  if (state === undefined) return row.type === 'created' ? begin(row) : undefined;
  state.seq = row.seq;
  if (state.state === 'ended') return state;
  if ('carried' in row.data) carry(state, row.data.carried);
  change(state, row);
  return state;
}

/** Takes in what rides on a row. */
export function carry(state: SessionState, carried: Carried | undefined): void {
  if (carried?.legs !== undefined) takeReserved(state, carried.legs);
  for (const leg of state.legs) {
    const note =
      carried?.notes !== undefined && Object.hasOwn(carried.notes, leg.id) ? carried.notes[leg.id] : undefined;
    if (note !== undefined) leg.dscp = note;
  }
}

function begin(row: JournalRow & { type: 'created' }): SessionState {
  const { kind, request, homes, legs, roomSize } = row.data;
  return {
    id: row.session,
    kind,
    request,
    createdAt: row.at,
    ...(roomSize === undefined ? {} : { roomSize }),
    state: 'created',
    homes: [...homes],
    legs: legs.map((plan) => newLeg(plan, row.at)),
    instructions: [],
    seq: row.seq,
  };
}

/** A leg at its planning. */
export function newLeg(plan: LegPlan, at: number): LegState {
  // A channel that the softswitch makes by itself exists from the start; a device leg has none.
  const state = plan.channel === 'switched' ? 'starting' : 'planned';
  return { ...plan, state, startedAt: at, reserved: {} };
}

function change(state: SessionState, event: SessionEvent): void {
  switch (event.type) {
    case 'created':
      return;
    case 'added':
      if (state.state === 'ending' || findLeg(state, event.data.plan.id) !== undefined) return;
      state.legs.push(newLeg(event.data.plan, event.at));
      if (event.data.roomSize !== undefined) state.roomSize ??= event.data.roomSize;
      for (const home of event.data.homes) if (!state.homes.includes(home)) state.homes.push(home);
      return;
    case 'reserved':
      if (event.data.room !== undefined) state.room = event.data.room;
      takeReserved(state, event.data.legs);
      return;
    case 'ending':
    case 'ended':
      for (const command of openCommands(state)) endCommand(command, 'hangup', event.at);
      end(state, event);
      return;
    case 'taken':
      takeOver(state, event.data.legs);
      return;
    case 'commanded':
    case 'command-started':
    case 'prompted':
    case 'digit':
    case 'command-ended':
      changeCommand(state, event);
      return;
    case 'leg-ended':
      endLegs(state, event.data.records);
      return;
    default:
      changeLeg(state, event);
  }
}

function changeLeg(
  state: SessionState,
  event: Extract<SessionEvent, { type: 'instructed' | 'opened' | 'ringing' | 'answered' | 'noted' | 'flagged' }>,
): void {
  const leg = findLeg(state, event.leg ?? '');
  if (leg === undefined || leg.state === 'ended') return;
  switch (event.type) {
    case 'instructed':
      leg.state = 'starting';
      leg.startedAt = event.at;
      state.instructions.push({ at: event.at, verb: event.data.verb, server: event.data.server, leg: leg.id });
      return;
    case 'opened':
      setCallId(state, leg, event.data.callId);
      return;
    case 'ringing':
      setCallId(state, leg, event.data.callId);
      if (leg.state !== 'up') leg.state = 'ringing';
      return;
    case 'answered':
      setCallId(state, leg, event.data.callId);
      for (const up of [leg, ...(event.data.also ?? []).map((id) => findLeg(state, id))]) answer(up, event.data.at);
      if (state.state === 'created' && isActive(state)) state.state = 'active';
      return;
    case 'noted':
      leg.dscp = event.data.dscp;
      return;
    case 'flagged':
      if (event.data.held !== undefined) leg.held = event.data.held;
      if (event.data.muted !== undefined) leg.muted = event.data.muted;
  }
}

/** Legs of a call that phones made are channels like any others from now on, with endpoints that are ours to give back. */
function takeOver(state: SessionState, legs: Readonly<Record<string, { readonly endpoint: string }>>): void {
  for (const leg of state.legs) {
    const taken = Object.hasOwn(legs, leg.id) ? legs[leg.id] : undefined;
    if (taken === undefined || leg.state === 'ended' || leg.channel !== 'switched') continue;
    leg.channel = 'instructed';
    leg.reserve = [...leg.reserve, 'endpoint'];
    leg.reserved = { ...leg.reserved, endpoint: taken.endpoint };
  }
}

function changeCommand(
  state: SessionState,
  event: Extract<SessionEvent, { type: 'commanded' | 'command-started' | 'prompted' | 'digit' | 'command-ended' }>,
): void {
  if (event.type === 'commanded') {
    state.commands ??= [];
    state.commands.push(newCommand(event.data.command, event.at, event.data.queued));
    return;
  }
  if (event.type === 'digit') {
    state.digits = (state.digits ?? 0) + 1;
    takeDigit(state, event.leg ?? '', event.data.digit, event.at);
    return;
  }
  const command = findCommand(state, event.data.command);
  if (command === undefined) return;
  if (event.type === 'command-started') beginCommand(command, event.at);
  else if (event.type === 'prompted') command.since = event.at;
  else endCommand(command, event.data.result, event.at);
}

function answer(leg: LegState | undefined, at: number): void {
  if (leg === undefined || leg.state === 'up' || leg.state === 'ended') return;
  leg.state = 'up';
  leg.answeredAt = at;
}

/** A call is active once two parties talk, any other session once its first leg is up. */
function isActive(state: SessionState): boolean {
  const up = state.legs.filter((leg) => leg.state === 'up').length;
  return up >= (state.kind === 'call' || state.kind === 'house-call' ? 2 : 1);
}

function setCallId(state: SessionState, leg: LegState, callId: string | undefined): void {
  if (callId === undefined) return;
  leg.callId = callId;
  const instruction = state.instructions.findLast((entry) => entry.leg === leg.id);
  if (instruction !== undefined) instruction.callId = callId;
}

function takeReserved(state: SessionState, legs: Readonly<Record<string, Reserved>>): void {
  for (const leg of state.legs) {
    const reserved = Object.hasOwn(legs, leg.id) ? legs[leg.id] : undefined;
    if (reserved === undefined || leg.state === 'ended') continue;
    leg.reserved = { ...leg.reserved, ...reserved };
    if (reserved.dscp !== undefined) leg.dscp = `${reserved.dscp.name} (${reserved.dscp.value}) reserved`;
    if (leg.state === 'planned') leg.state = 'reserved';
  }
}

function endLegs(state: SessionState, records: readonly LegRecord[]): void {
  for (const record of records) {
    const leg = findLeg(state, record.leg);
    if (leg === undefined || leg.state === 'ended') continue;
    leg.state = 'ended';
    leg.reason = record.reason;
    leg.endedAt = record.end;
  }
}

function end(state: SessionState, event: Extract<SessionEvent, { type: 'ending' | 'ended' }>): void {
  endLegs(state, event.data.records);
  state.reason ??= event.cause ?? 'hangup';
  state.state = event.type;
  if (event.type === 'ended') state.endedAt = event.at;
}

export function findLeg(state: SessionState, id: string): LegState | undefined {
  for (const leg of state.legs) if (leg.id === id) return leg;
  return undefined;
}

export function liveLegs(state: SessionState): LegState[] {
  return state.legs.filter((leg) => leg.state !== 'ended');
}

/** The call detail facts of a leg that ends now with this reason. */
export function recordOf(leg: LegState, end: number, reason: string): LegRecord {
  const { id, home, payer, from, to, startedAt, answeredAt, verstat } = leg;
  const record: { -readonly [K in keyof LegRecord]: LegRecord[K] } = {
    leg: id,
    from,
    to,
    start: startedAt,
    end: Math.max(end, answeredAt ?? startedAt),
    reason,
  };
  if (home !== undefined) record.home = home;
  if (payer !== undefined) record.payer = payer;
  if (answeredAt !== undefined) record.answer = answeredAt;
  if (verstat !== undefined) record.verstat = verstat;
  return record;
}
