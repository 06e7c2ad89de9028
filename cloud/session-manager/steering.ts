/** What live commands do to a session: sounds begin, queue, end and make room; digits fill a gather; legs hold and come back. Pure. */
import { NEVER } from '#shared/kernel/machine.ts';
import {
  type CommandPlan,
  type CommandResult,
  type CommandState,
  DIGITS_PER_SESSION,
  findCommand,
  gatherDeadline,
  gatherOf,
  openCommands,
} from './command-state.ts';
import { command, holdSound } from './commands.ts';
import { type Out, record } from './endings.ts';
import type { Command } from './events.ts';
import type { Input, Live } from './live.ts';
import { findLeg, type LegState, type SessionState } from './session.ts';

/** What a held leg hears unless an item is named. */
export const HOLD_MUSIC = 'music-box';

type Steering = Extract<Input, { on: 'command' | 'sound' | 'digit' | 'stop-command' | 'flag' | 'taken' }>;

export function steer(live: Live, input: Steering, to: Out): void {
  switch (input.on) {
    case 'command':
      begin(live, input.plan, to);
      return;
    case 'sound':
      soundEnded(live, input.sound, input.failed, to);
      return;
    case 'digit':
      digit(live, input, to);
      return;
    case 'stop-command': {
      const open = findCommand(live.state, input.command);
      if (open !== undefined) finish(live, open, input.result, to);
      return;
    }
    case 'flag':
      flag(live, input, to);
      return;
    case 'taken':
      record(live, to, { type: 'taken', data: { legs: input.legs } });
  }
}

/** Commands that fill a leg's ear; a recording goes beside. */
const isHeard = (one: CommandPlan): boolean => one.verb !== 'call.record';

function inTheWay(state: SessionState, plan: CommandPlan): CommandState[] {
  if (!isHeard(plan)) return [];
  const shares = (one: CommandState) =>
    one.room === plan.room && (plan.room || one.legs.some((leg) => plan.legs.includes(leg)));
  return openCommands(state).filter((one) => one.id !== plan.id && isHeard(one) && shares(one));
}

function begin(live: Live, plan: CommandPlan, to: Out): void {
  const before = inTheWay(live.state, plan);
  const queued = plan.queue && before.length > 0;
  if (!queued) for (const one of before) finish(live, one, 'interrupted', to, false);
  record(live, to, { type: 'commanded', ...legOf(plan), data: { command: plan, queued } });
  if (!queued) start(live.state, plan, to);
}

const legOf = ({ legs: [leg] }: CommandPlan) => (leg === undefined ? {} : { leg });

function start(state: SessionState, plan: CommandPlan, to: Out): void {
  const { id: sound, item, tone, loop = false, gain, recording, home, limit } = plan;
  const owner = { session: state.id, sound };
  const room = plan.room && state.room !== undefined ? { room: state.room } : {};
  const legs = plan.room ? [] : [...plan.legs];
  if (recording !== undefined) {
    const mine = home === undefined ? {} : { home };
    send(to, command('media.record.start', { ...owner, recording, ...mine, legs, ...room, limit: limit ?? 0 }));
  } else if (item !== undefined || tone !== undefined) {
    const source = tone === undefined ? { item: item ?? '' } : { tone };
    const loud = gain === undefined ? {} : { gain };
    send(to, command('media.sound.start', { ...owner, ...source, legs, ...room, loop, ...loud }));
  }
}

function send(to: Out, what: Command): void {
  to.list.push({ do: 'send', purpose: 'sound', command: what });
}

/** Ends a command, stops what it sounds, and lets the next of its legs begin. */
export function finish(live: Live, one: CommandState, result: CommandResult, to: Out, next = true): void {
  if (one.state === 'done') return;
  const wasRunning = one.state === 'running';
  const { id, verb, recording, gather } = one;
  const digits = gather === undefined ? {} : { digits: one.digits };
  const data = { command: id, verb, result, ...digits, ...(recording === undefined ? {} : { recording }) };
  const sounding = wasRunning && (gather === undefined || one.since === undefined);
  record(live, to, { type: 'command-ended', ...legOf(one), cause: result, data });
  if (sounding) stopSound(live.state, one, to);
  if (next && wasRunning) startNext(live, to);
}

function stopSound(state: SessionState, { id: sound, recording }: CommandState, to: Out): void {
  const { id: session } = state;
  if (recording !== undefined) send(to, command('media.record.stop', { session, recording }));
  else send(to, command('media.sound.stop', { session, sound }));
}

function startNext(live: Live, to: Out): void {
  for (const one of openCommands(live.state)) {
    if (one.state !== 'queued') continue;
    const before = inTheWay(live.state, one);
    const first = before.every((other) => other.state === 'queued' && isLater(live.state, other, one));
    if (!first) continue;
    record(live, to, { type: 'command-started', ...legOf(one), data: { command: one.id } });
    start(live.state, one, to);
  }
}

function isLater(state: SessionState, one: CommandState, other: CommandState): boolean {
  const all = state.commands ?? [];
  return all.indexOf(one) > all.indexOf(other);
}

function soundEnded(live: Live, sound: string, failed: boolean, to: Out): void {
  const one = findCommand(live.state, sound);
  if (one === undefined || one.state !== 'running') return;
  // A prompt that cannot be heard does not keep anybody from pressing digits.
  if (one.gather !== undefined) {
    if (one.since === undefined) record(live, to, { type: 'prompted', ...legOf(one), data: { command: sound } });
  } else finish(live, one, failed ? 'failed' : 'completed', to);
}

function digit(live: Live, input: Extract<Input, { on: 'digit' }>, to: Out): void {
  const { state } = live;
  const leg = findLeg(state, input.leg);
  const gather = gatherOf(state, input.leg);
  // What two phones press in their own call is nobody's business.
  if (leg === undefined || leg.state === 'ended' || (leg.channel === 'switched' && gather === undefined)) return;
  if ((state.digits ?? 0) >= DIGITS_PER_SESSION) return;
  const prompting = gather !== undefined && gather.since === undefined && gather.item !== undefined;
  const finishing = gather?.gather?.finish === input.digit;
  record(live, to, { type: 'digit', leg: leg.id, data: { digit: input.digit, duration: input.duration } });
  if (gather?.gather === undefined) return;
  if (prompting) stopSound(state, gather, to);
  if (finishing) finish(live, gather, 'finished', to);
  else if (gather.digits.length >= gather.gather.max) finish(live, gather, 'completed', to);
}

function flag(live: Live, input: Extract<Input, { on: 'flag' }>, to: Out): void {
  const { state } = live;
  const leg = findLeg(state, input.leg);
  if (leg === undefined || leg.state !== 'up') return;
  const { held, muted } = input;
  if ((held === undefined || held === (leg.held ?? false)) && (muted === undefined || muted === (leg.muted ?? false)))
    return;
  const data = { ...(held === undefined ? {} : { held }), ...(muted === undefined ? {} : { muted }) };
  record(live, to, { type: 'flagged', leg: leg.id, data });
  if (held !== undefined) hold(state, leg, held, input.item ?? HOLD_MUSIC, to);
  if (muted !== undefined && state.room !== undefined)
    sendLeg(to, leg, command('conference.mute', { session: state.id, leg: leg.id, muted }));
}

function hold(state: SessionState, leg: LegState, on: boolean, item: string, to: Out): void {
  const owner = { session: state.id, leg: leg.id };
  const sound = holdSound(leg.id);
  const { endpoint } = leg.reserved;
  if (on) {
    if (state.room !== undefined) sendLeg(to, leg, command('conference.party.remove', owner));
    const request = { session: state.id, sound, item, legs: [leg.id], loop: true };
    sendLeg(to, leg, command('media.sound.start', request));
    return;
  }
  sendLeg(to, leg, command('media.sound.stop', { session: state.id, sound }));
  if (state.room === undefined || endpoint === undefined) return;
  const name = (leg.party ?? leg.id).slice(0, 64);
  sendLeg(to, leg, command('conference.party.add', { ...owner, node: endpoint, kind: 'voice', name }));
}

function sendLeg(to: Out, leg: LegState, what: Command): void {
  to.list.push({ do: 'send', leg: leg.id, purpose: 'other', command: what });
}

/** The next moment (mono, ms) at which a gather runs out. */
export function steeringDue(live: Live): number {
  let earliest = NEVER;
  for (const one of openCommands(live.state)) {
    const at = gatherDeadline(one);
    if (at !== undefined) earliest = Math.min(earliest, at - live.offset);
  }
  return earliest;
}

export function steeringTick(live: Live, to: Out): void {
  for (const one of openCommands(live.state)) {
    const at = gatherDeadline(one);
    if (at !== undefined && at - live.offset <= to.now) {
      finish(live, one, one.digits.length >= (one.gather?.min ?? 1) ? 'completed' : 'timeout', to);
    }
  }
}

/** Commands whose legs have all ended are over. */
export function settleCommands(live: Live, to: Out): void {
  for (const one of openCommands(live.state)) {
    if (one.room) continue;
    if (one.legs.every((leg) => findLeg(live.state, leg)?.state === 'ended')) finish(live, one, 'hangup', to);
  }
}
