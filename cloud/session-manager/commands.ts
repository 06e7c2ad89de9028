/** Which request reserves, opens, joins and releases what, for a leg of a session. Pure; the verbs are in `shared/protocol`. */
import type { FarmServerName } from '#shared/protocol/servers.ts';
import { type VerbName, type VerbRequest, verbs } from '#shared/protocol/verbs/index.ts';
import { openCommands } from './command-state.ts';
import type { Command, Reserved, ReserveStep } from './events.ts';
import type { LegState, SessionState } from './session.ts';

/** Milliseconds that a phone rings before its leg ends with `no_answer`. */
export const RING_FOR = 30_000;
/** Bit rate reserved for one G.711 leg: 64 kbit/s of sound, 50 packets/s of RTP, UDP, IP and Ethernet headers. */
export const LEG_KBITS = 100;

export function command<V extends VerbName>(verb: V, request: VerbRequest<V>): Command {
  return { verb, request } as unknown as Command;
}

/** The server that obeys a command. */
export function serverOf(verb: VerbName): FarmServerName {
  return verbs[verb].server as FarmServerName;
}

/** The request that carries out a reservation step of a leg. */
export function reserveCommand(session: SessionState, leg: LegState, step: ReserveStep): Command {
  const owner = { session: session.id, leg: leg.id };
  switch (step) {
    case 'billing':
      return command('billing.reserve', {
        ...owner,
        home: leg.payer ?? leg.home ?? 'none',
        to: leg.to,
        pays: leg.payer !== undefined,
      });
    case 'qos':
      return command('qos.reserve', {
        ...owner,
        home: leg.home ?? 'none',
        kbits: LEG_KBITS,
        kind: leg.kind === 'media' ? 'media' : 'voice',
        ...(leg.emergency ? { emergency: true } : {}),
      });
    case 'endpoint':
      return command('media.endpoint.offer', { ...owner, ...dscpOf(leg) });
    case 'player':
      return command('media.prepare', {
        ...owner,
        item: leg.item ?? '',
        // Music beside talk goes on for as long as the talk; media on demand ends with its item.
        ...(session.kind === 'conference-with-media' || leg.channel === 'room' ? { loop: true } : {}),
        ...(leg.channel === 'room' && session.room !== undefined ? { into: session.room } : {}),
      });
  }
}

function dscpOf(leg: LegState): { dscp?: number } {
  return leg.reserved.dscp === undefined ? {} : { dscp: leg.reserved.dscp.value };
}

/** The instruction to the softswitch that opens a leg's channel, or brings one of another session. */
export function openCommand(session: SessionState, leg: LegState): Command {
  if (leg.moves !== undefined) return command('channel.move', { session: session.id, leg: leg.id, from: leg.moves });
  return command('channel.open', {
    session: session.id,
    leg: leg.id,
    endpoint: leg.reserved.endpoint ?? 'none',
    ...(leg.waiting !== undefined
      ? { waiting: leg.waiting }
      : leg.outward !== undefined
        ? { outward: leg.outward }
        : { line: leg.line ?? 'none' }),
    caller: leg.caller ?? { number: leg.from },
    ...(leg.referredBy === undefined ? {} : { referredBy: leg.referredBy }),
    ...(leg.join === undefined ? {} : { join: leg.join }),
    ringFor: RING_FOR,
  });
}

/** What gives back one reservation step; each is harmless when there is nothing to give back. */
export function undoCommands({ session, leg }: { session: string; leg: string }, step: ReserveStep): Command[] {
  const owner = { session, leg };
  switch (step) {
    case 'billing':
      return [command('billing.release', owner)];
    case 'qos':
      return [command('qos.release', owner)];
    case 'endpoint':
      return [command('media.endpoint.release', owner)];
    case 'player':
      return [command('media.stop', owner), command('media.endpoint.release', owner)];
  }
}

/** All that must be undone when a leg ends, in reverse order of its making. `closed`: its channel has ended already. */
export function releaseCommands(session: SessionState, leg: LegState, reason: string, closed: boolean): Command[] {
  const owner = { session: session.id, leg: leg.id };
  const commands: Command[] = [];
  if (session.room !== undefined && leg.state === 'up') commands.push(command('conference.party.remove', owner));
  // A call that waits for an application is held by the softswitch from its start.
  const opened =
    leg.channel === 'switched' ||
    leg.waiting !== undefined ||
    (leg.channel === 'instructed' && !['planned', 'reserved'].includes(leg.state));
  if (opened && !closed) commands.push(command('channel.close', { ...owner, reason: reason.slice(0, 64) }));
  for (const step of leg.reserve.toReversed()) commands.push(...undoCommands(owner, step));
  return commands;
}

/** What gives back the session's own things once its legs are gone. */
export function sessionReleaseCommands(session: SessionState): Command[] {
  return session.roomSize === undefined ? [] : [command('conference.room.close', { session: session.id })];
}

/** What lets the sound of a leg flow that has just been answered, in order. */
export function joinCommands(session: SessionState, leg: LegState): Command[] {
  const owner = { session: session.id, leg: leg.id };
  const { endpoint, player } = leg.reserved;
  if (leg.kind === 'media') {
    if (leg.channel !== 'room' || player === undefined) return [command('media.start', owner)];
    const name = (leg.item ?? 'media').slice(0, 64);
    return [
      command('conference.party.add', { ...owner, node: player, kind: 'media', name }),
      command('media.start', owner),
    ];
  }
  if (leg.channel !== 'instructed' || endpoint === undefined) return [];
  if (session.room !== undefined) return [seat(session, leg, endpoint)];
  return [];
}

function seat(session: SessionState, leg: LegState, node: string): Command {
  const name = (leg.party ?? leg.id).slice(0, 64);
  return command('conference.party.add', { session: session.id, leg: leg.id, node, kind: 'voice', name });
}

/** A call becomes a conference: who talks is parted from the other and takes a seat in the room. */
export function enterCommands(session: SessionState): { leg: string; command: Command }[] {
  const talking = session.legs.filter((leg) => leg.kind === 'voice' && leg.state === 'up');
  return talking.flatMap((leg) => {
    const { endpoint } = leg.reserved;
    if (endpoint === undefined) return [];
    const others = talking.flatMap((one) => (one === leg ? [] : (one.reserved.endpoint ?? [])));
    const commands = [
      command('media.tone', { endpoint, tone: 'none' }),
      ...others.map((to) => command('media.endpoint.connect', { from: endpoint, to, connected: false })),
      seat(session, leg, endpoint),
    ];
    return commands.map((one) => ({ leg: leg.id, command: one }));
  });
}

/** Has the home's gateway mark a leg's packets; undefined where nothing was reserved or no gateway is there. */
export function markCommand(session: SessionState, leg: LegState, { dscp }: Reserved): Command | undefined {
  if (dscp === undefined || leg.gateway === undefined) return undefined;
  return command('qos.mark', { session: session.id, leg: leg.id, gateway: leg.gateway, dscp: dscp.value });
}

/** The sound of a leg on hold. */
export const holdSound = (leg: string): string => `hold_${leg}`.slice(0, 64);

/** What stops every sound of a session that ends. */
export function silence(state: SessionState): Command[] {
  const running = openCommands(state).filter((one) => one.state === 'running');
  const commands = running.map(({ id: sound, recording }) =>
    recording === undefined
      ? command('media.sound.stop', { session: state.id, sound })
      : command('media.record.stop', { session: state.id, recording }),
  );
  const held = state.legs.filter((leg) => leg.held === true && leg.state !== 'ended');
  return [...commands, ...held.map((leg) => holdEnd(state, leg))];
}

/** What stops the music of a held leg that ends. */
export function holdEnd(state: SessionState, leg: LegState): Command {
  return command('media.sound.stop', { session: state.id, sound: holdSound(leg.id) });
}
