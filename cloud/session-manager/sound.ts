/**
 * Who hears whom in a call without a room, as a function of its state: what changed from one step to the next becomes requests to the
 * media server. Legs that hold, are muted or are being replaced fall out of it by themselves. Pure.
 */
import { command } from './commands.ts';
import type { Command } from './events.ts';
import { findLeg, type LegState, liveLegs, type SessionState } from './session.ts';

/** Links as `from to`, and the legs that hear ringing. */
export interface SoundPlan {
  readonly links: ReadonlySet<string>;
  readonly ringing: ReadonlySet<string>;
}

const NOTHING: SoundPlan = { links: new Set(), ringing: new Set() };

/** A command with the leg in whose lane it goes: what concerns one endpoint stays in order. */
export interface SoundCommand {
  readonly leg: string;
  readonly command: Command;
}

const NO_COMMANDS: readonly SoundCommand[] = [];

export function soundPlan(state: SessionState): SoundPlan {
  if (state.kind !== 'call' || state.room !== undefined || state.state === 'ending') return NOTHING;
  if (!state.legs.some(takesPart)) return NOTHING;
  const voices = liveLegs(state).filter((leg) => leg.kind === 'voice');
  const replaced = new Set(voices.flatMap((leg) => (waits(leg) ? [] : (leg.replaces ?? []))));
  const talking = voices.filter((leg) => takesPart(leg) && !replaced.has(leg.id));
  if (talking.length === 0) return NOTHING;
  const links = new Set<string>();
  const ringing = new Set<string>();
  for (const leg of talking) {
    const others = voices.filter((one) => one !== leg && !replaced.has(one.id));
    for (const other of others) if (talking.includes(other) && leg.muted !== true) links.add(`${leg.id} ${other.id}`);
    const nobody = others.some((one) => one.state !== 'up') && !others.some((one) => one.state === 'up');
    if (nobody) ringing.add(leg.id);
  }
  return { links, ringing };
}

/** Whoever called in for somebody's place is answered at once: until then that one talks on. */
const waits = (leg: LegState): boolean => leg.waiting !== undefined && leg.state !== 'up';

/** An answered leg whose sound is ours to give, and that is not on hold. */
function takesPart(leg: LegState): boolean {
  return leg.state === 'up' && leg.channel === 'instructed' && leg.reserved.endpoint !== undefined && leg.held !== true;
}

/** What makes the one plan the other; endpoints of legs that have ended are gone with their links. */
export function soundCommands(state: SessionState, before: SoundPlan, after: SoundPlan): readonly SoundCommand[] {
  if (before === NOTHING && after === NOTHING) return NO_COMMANDS;
  const commands: SoundCommand[] = [];
  const endpoint = (id: string): string | undefined => {
    const leg = findLeg(state, id);
    return leg === undefined || leg.state === 'ended' ? undefined : leg.reserved.endpoint;
  };
  const tone = (leg: string, name: 'ringback' | 'none') => {
    const at = endpoint(leg);
    if (at !== undefined) commands.push({ leg, command: command('media.tone', { endpoint: at, tone: name }) });
  };
  const link = (pair: string, connected: boolean) => {
    const [from = '', to = ''] = pair.split(' ');
    const [a, b] = [endpoint(from), endpoint(to)];
    if (a === undefined || b === undefined) return;
    commands.push({ leg: from, command: command('media.endpoint.connect', { from: a, to: b, connected }) });
  };
  for (const leg of before.ringing) if (!after.ringing.has(leg)) tone(leg, 'none');
  for (const pair of before.links) if (!after.links.has(pair)) link(pair, false);
  for (const pair of after.links) if (!before.links.has(pair)) link(pair, true);
  for (const leg of after.ringing) if (!before.ringing.has(leg)) tone(leg, 'ringback');
  return commands;
}
