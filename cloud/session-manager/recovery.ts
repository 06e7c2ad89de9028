/**
 * Reconciliation: the journal knows what sessions want, each server knows what exists. Pure: both come in, what to do
 * comes out.
 *
 * | wanted | exists | then |
 * |---|---|---|
 * | yes | yes | goes on; the lease is renewed |
 * | yes | no | missing: ends as `lost` when its last lease runs out, never before |
 * | no | yes | a call made without us is adopted (its facts come by `voice.report`); anything else is released |
 * | any | server away | nothing: absence proves nothing |
 */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { openCommands } from './command-state.ts';
import { command, holdSound, reserveCommand, undoCommands } from './commands.ts';
import type { Command } from './events.ts';
import { type LegState, liveLegs, type SessionState } from './session.ts';

/** What the servers have; undefined where one did not answer. */
export interface Existing {
  readonly channels?: VerbReply<'channel.list'>['items'];
  readonly media?: VerbReply<'media.endpoint.list'>['items'];
  readonly rooms?: VerbReply<'conference.room.list'>['items'];
  readonly qos?: VerbReply<'qos.list'>['items'];
  readonly billing?: VerbReply<'billing.reservation.list'>['items'];
}

export type Decision =
  | {
      readonly do: 'seen';
      readonly session: string;
      readonly leg: string;
      readonly up: boolean;
      readonly callId?: string;
    }
  | { readonly do: 'missing'; readonly session: string; readonly leg: string }
  /** What a live command played or recorded is no longer there. */
  | { readonly do: 'silent'; readonly session: string; readonly sound: string; readonly failed: boolean }
  | { readonly do: 'send'; readonly command: Command };

type Owner = { readonly session: string; readonly leg: string };
const keyOf = ({ session, leg }: Owner) => `${session} ${leg}`;
const keys = (items: readonly Owner[] | undefined) => items && new Set(items.map(keyOf));

/** The lists by owner, made once: a busy switch has tens of thousands of legs. */
interface Index {
  readonly channels: ReadonlyMap<string, NonNullable<Existing['channels']>[number]> | undefined;
  /** The media server answered, whatever it has. */
  readonly media: ReadonlySet<string> | undefined;
  readonly qos: ReadonlySet<string> | undefined;
}

const indexOf = ({ channels, media, qos }: Existing): Index => ({
  channels: channels && new Map(channels.map((one) => [keyOf(one), one])),
  media: keys(media),
  qos: keys(qos),
});

export function reconcile(sessions: readonly SessionState[], existing: Existing): Decision[] {
  const decisions: Decision[] = [];
  const wanted = new Set<string>();
  const there = indexOf(existing);
  const rooms = existing.rooms && new Set(existing.rooms.map((room) => room.session));
  for (const session of sessions) {
    decisions.push(...forCommands(session, there, wanted));
    const lostRoom = session.room !== undefined && rooms?.has(session.id) === false;
    for (const leg of liveLegs(session)) {
      wanted.add(keyOf({ session: session.id, leg: leg.id }));
      if (leg.held === true) wanted.add(keyOf({ session: session.id, leg: holdSound(leg.id) }));
      decisions.push(...forLeg(session, leg, there, lostRoom));
    }
  }
  const open = new Set(
    sessions.filter((one) => one.roomSize !== undefined && one.state !== 'ended').map((one) => one.id),
  );
  return [...decisions, ...orphans(existing, wanted), ...orphanRooms(existing, open)];
}

/** What live commands play or record: where it is gone, the command has ended. */
function forCommands(session: SessionState, { media }: Index, wanted: Set<string>): Decision[] {
  return openCommands(session).flatMap(({ id, state, recording, gather, since }): Decision[] => {
    const owner = { session: session.id, leg: id };
    wanted.add(keyOf(owner));
    const silent = gather !== undefined && since !== undefined;
    if (state !== 'running' || silent || media === undefined || media.has(keyOf(owner))) return [];
    return [{ do: 'silent', session: session.id, sound: id, failed: recording === undefined }];
  });
}

function forLeg(session: SessionState, leg: LegState, there: Index, lostRoom: boolean): Decision[] {
  const owner = { session: session.id, leg: leg.id };
  const key = keyOf(owner);
  const begun = leg.state === 'starting' || leg.state === 'ringing' || leg.state === 'up';
  if (!begun) return [];
  const decisions: Decision[] = [];
  const channel = there.channels?.get(key);
  const needsChannel = leg.channel === 'switched' || leg.channel === 'instructed';
  const noChannel = needsChannel && there.channels !== undefined && channel === undefined;
  const needsMedia = leg.reserved.endpoint !== undefined || leg.reserved.player !== undefined;
  const noMedia = needsMedia && there.media?.has(key) === false;
  if (noChannel || noMedia || (lostRoom && leg.kind === 'voice')) decisions.push({ do: 'missing', ...owner });
  else if (channel !== undefined || (!needsChannel && there.media !== undefined)) {
    const { callId } = channel ?? {};
    const up = channel?.state === 'up';
    decisions.push({ do: 'seen', ...owner, up, ...(callId === undefined ? {} : { callId }) });
  }
  // The home's budget is the one thing that is taken again: the leg runs, its bit rate is used.
  if (leg.reserved.dscp !== undefined && there.qos?.has(key) === false) {
    decisions.push({ do: 'send', command: reserveCommand(session, leg, 'qos') });
  }
  return decisions;
}

function orphans(existing: Existing, wanted: ReadonlySet<string>): Decision[] {
  const commands: Command[] = [];
  const adopted = new Set<string>();
  for (const channel of existing.channels ?? []) {
    if (wanted.has(keyOf(channel))) continue;
    if (channel.autonomous) adopted.add(keyOf(channel));
    else commands.push(command('channel.close', { session: channel.session, leg: channel.leg, reason: 'lost' }));
  }
  // Without the list of channels nobody knows which sound belongs to an adopted call.
  for (const item of existing.channels === undefined ? [] : (existing.media ?? [])) {
    if (item.kind === 'room' || wanted.has(keyOf(item)) || adopted.has(keyOf(item))) continue;
    commands.push(...undoMedia(item));
  }
  for (const item of existing.qos ?? []) if (!wanted.has(keyOf(item))) commands.push(...undoCommands(item, 'qos'));
  for (const item of existing.billing ?? []) {
    if (!wanted.has(keyOf(item))) commands.push(...undoCommands(item, 'billing'));
  }
  return commands.map((one) => ({ do: 'send', command: one }));
}

/** Sounds of live commands bear the command's name. */
function undoMedia(item: Owner & { readonly kind: string }): Command[] {
  const { session, leg: sound } = item;
  if (sound.startsWith('cmd_') || sound.startsWith('hold_')) return [command('media.sound.stop', { session, sound })];
  return undoCommands(item, item.kind === 'player' ? 'player' : 'endpoint');
}

function orphanRooms(existing: Existing, open: ReadonlySet<string>): Decision[] {
  return (existing.rooms ?? [])
    .filter((room) => !open.has(room.session))
    .map((room) => ({ do: 'send', command: command('conference.room.close', { session: room.session }) }));
}
