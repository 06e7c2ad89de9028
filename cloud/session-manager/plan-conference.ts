/**
 * Conferences: a room and one conference channel per participant; with media either a media channel to every home, mixed
 * in by its gateway, or one stream into the room. Never both: a home would hear the music twice. Pure.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { choose, type Facts, FULL, firstMissing, homesOf, type PartyFacts, unknownParty } from './choice.ts';
import type { LegPlan } from './events.ts';
import { planMessage } from './message-leg.ts';
import { instructed, mediaChannel, type Plan } from './plan.ts';
import { findLeg, type SessionState } from './session.ts';

/** What a phone shows as the caller when the conference calls. */
const CONFERENCE_CALLER = { number: '800', name: 'Conference' } as const;
/** Who a leg is from where it is nobody's but the room's: that of whoever invites. */
const ROOM = 'conference';
/** Parties that a room holds at the most; legs may be added up to it. */
export const ROOM_SIZE = 64;

/** The media wish of a conference, both writings in one. */
export interface MediaWish {
  readonly item: string;
  readonly to: 'homes' | 'room';
  readonly sinks: readonly PartyFacts[];
}

export function planConference(
  parties: readonly PartyFacts[],
  media: MediaWish | undefined,
  facts: Facts,
): Result<Plan, Fault> {
  const unknown = unknownParty([...parties, ...(media?.sinks ?? [])]);
  if (unknown !== undefined) return err(unknown);
  if (new Set(parties.map((party) => party.line?.id)).size !== parties.length) {
    return err(fault('bad_request', 'A line stands twice among the participants.', { pointer: '/participants' }));
  }
  const homes = homesOf(parties);
  if (media?.sinks.some((sink) => sink.line !== undefined && !homes.includes(sink.line.home))) {
    return err(fault('bad_request', 'A sink is at no participant’s home.', { pointer: '/media/sinks' }));
  }
  const missing = firstMissing(['conference', 'softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const channels: LegPlan[] = [];
  for (const party of parties) {
    const leg = conferenceChannel(party, parties[0] ?? party, facts);
    if (!leg.ok) return leg;
    channels.push(leg.value);
  }
  const streams = media === undefined ? ok([]) : mediaLegs(parties, channels, media, facts);
  if (!streams.ok) return streams;
  return ok({
    kind: media === undefined ? 'conference' : 'conference-with-media',
    homes,
    legs: [...channels, ...streams.value],
    roomSize: ROOM_SIZE,
  });
}

/** One participant's channel; the home of the first participant invites, so it pays. */
function conferenceChannel(party: PartyFacts, host: PartyFacts, facts: Facts): Result<LegPlan, Fault> {
  const server = choose('a room', facts);
  if (!server.ok) return server;
  const from = party === host ? ROOM : (host.line?.number ?? host.asked);
  const leg = instructed(party, facts, {
    kind: 'voice',
    channel: 'instructed',
    ...server.value,
    role: 'conference channel',
    from,
    to: party.line?.number ?? party.asked,
    caller: CONFERENCE_CALLER,
    ...(host.line === undefined ? {} : { payer: host.line.home }),
  });
  return ok({ ...leg, reserve: ['billing', ...leg.reserve] });
}

function mediaLegs(
  parties: readonly PartyFacts[],
  channels: readonly LegPlan[],
  media: MediaWish,
  facts: Facts,
): Result<LegPlan[], Fault> {
  const server = choose('an item of the library', facts);
  if (!server.ok) return server;
  const instead = media.to === 'room' ? 'asked for' : roomInstead(parties, facts);
  if (instead !== undefined) return ok([roomStream(media.item, instead, channels[0], facts, server.value)]);
  return ok(
    homesOf(parties).flatMap((home) => {
      const channel = channels.find((leg) => leg.home === home);
      const party = parties.find((one) => one.line?.home === home);
      return channel === undefined || party === undefined
        ? []
        : [homeStream(party, channel, media, facts, server.value)];
    }),
  );
}

/** Why the music goes into the room although it was wanted per home; undefined where it need not. */
function roomInstead(parties: readonly PartyFacts[], facts: Facts): string | undefined {
  const direct = parties.filter((party) => party.direct).map((party) => party.line?.number ?? party.asked);
  if (direct.length > 0) {
    return `${direct.join(', ')} registered at the softswitch itself: no gateway there can mix two channels`;
  }
  const load = facts.servers.get('media')?.load ?? 0;
  return load >= FULL
    ? `the media server is at ${Math.round(load * 100)} %: one stream instead of one per home`
    : undefined;
}

type Chosen = Pick<LegPlan, 'server' | 'orientation' | 'why'>;

/** A media channel to a home, beside its conference channel: mixed in by the gateway, or ending at a sink of that home. */
function homeStream(party: PartyFacts, channel: LegPlan, media: MediaWish, facts: Facts, server: Chosen): LegPlan {
  const sink = media.sinks.find((one) => one.line?.home === channel.home);
  const where =
    sink === undefined ? 'the gateway mixes it with the conference channel (Join)' : 'ends at the sink named';
  return mediaChannel(sink ?? party, media.item, facts, {
    ...server,
    role: 'media channel',
    why: `${server.why}; into the home: ${where}`,
    after: channel.id,
    ...(sink === undefined ? { join: channel.id } : {}),
  });
}

function roomStream(item: string, reason: string, first: LegPlan | undefined, facts: Facts, server: Chosen): LegPlan {
  return {
    id: facts.legId(),
    kind: 'media',
    channel: 'room',
    ...server,
    why: `${server.why}; into the room: ${reason}`,
    role: 'media channel into the room',
    party: 'room',
    item,
    from: `media:${item}`,
    to: 'room',
    ...(first?.payer === undefined ? {} : { payer: first.payer }),
    reserve: ['player'],
  };
}

/** A leg for a session that lives: a voice leg into its room, an item for a party or the room, a device, a text. */
export function planAdded(
  session: SessionState,
  request: VerbRequest<'leg.add'>,
  party: PartyFacts | undefined,
  facts: Facts,
): Result<LegPlan, Fault> {
  const unknown = party === undefined ? undefined : unknownParty([party]);
  if (unknown !== undefined) return err(unknown);
  switch (request.kind) {
    case 'voice':
      return addVoice(session, party, facts);
    case 'media':
      return addMedia(session, request.item, party, facts);
    case 'device':
      return addDevice(request, facts);
    case 'message':
    case 'still':
      return planMessage(request.kind, request, party, facts);
  }
}

function addVoice(session: SessionState, party: PartyFacts | undefined, facts: Facts): Result<LegPlan, Fault> {
  if (party === undefined) return err(fault('bad_request', 'A voice leg needs a party.', { pointer: '/party' }));
  if (session.legs.some((leg) => leg.kind === 'voice' && leg.line === party.line?.id && leg.state !== 'ended')) {
    return err(fault('conflict', 'This line is in the conference already.'));
  }
  const missing = firstMissing(['conference', 'softswitch', 'media', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const leg = conferenceChannel(party, party, facts);
  if (!leg.ok) return leg;
  // Who is asked in does not pay: the home that pays for the others does, or the one that the session began with.
  const [first] = session.legs;
  const payer = session.legs.find((one) => one.payer !== undefined)?.payer ?? first?.home;
  const { payer: _, ...free } = leg.value;
  const from = first?.from === ROOM ? first.to : (first?.from ?? free.from);
  return ok({ ...free, from, ...(payer === undefined ? {} : { payer }) });
}

function addMedia(
  session: SessionState,
  item: string | undefined,
  party: PartyFacts | undefined,
  facts: Facts,
): Result<LegPlan, Fault> {
  if (item === undefined) return err(fault('bad_request', 'A media leg needs an item.', { pointer: '/item' }));
  const missing = firstMissing(['media', 'softswitch', 'billing'], facts);
  if (missing !== undefined) return err(missing);
  const server = choose('an item of the library', facts);
  if (!server.ok) return server;
  const beside = session.legs.find((leg) => leg.kind === 'voice' && leg.line === party?.line?.id && leg.state === 'up');
  const intoRoom = party === undefined || (beside !== undefined && party.direct);
  if (intoRoom) {
    if (session.roomSize === undefined) {
      return err(fault('conflict', 'This session has no room; name a party whose gateway can mix.'));
    }
    const reason = party === undefined ? 'asked for' : `${party.asked.slice(0, 64)} has no gateway that can mix`;
    return ok(roomStream(item, reason, findLeg(session, session.legs[0]?.id ?? ''), facts, server.value));
  }
  const where = beside === undefined ? 'a channel of its own' : 'the gateway mixes it with the voice leg (Join)';
  return ok(
    mediaChannel(party, item, facts, {
      ...server.value,
      role: 'media channel',
      why: `${server.value.why}; into the home: ${where}`,
      ...(beside === undefined ? {} : { join: beside.id, after: beside.id }),
    }),
  );
}

function addDevice(request: VerbRequest<'leg.add'>, facts: Facts): Result<LegPlan, Fault> {
  const server = choose('a device', facts);
  if (!server.ok) return server;
  const { home, device, action = device === undefined ? 'list' : 'wake' } = request;
  if (home === undefined) return err(fault('bad_request', 'A device leg needs a home.', { pointer: '/home' }));
  if (action === 'wake' && device === undefined) {
    return err(fault('bad_request', 'Waking needs a device.', { pointer: '/device' }));
  }
  return ok({
    id: facts.legId(),
    kind: 'device',
    channel: 'none',
    ...server.value,
    role: action === 'wake' ? 'wake a device' : 'list the devices',
    home,
    party: device ?? 'all devices',
    from: 'session',
    to: `device:${device ?? 'all'}`,
    reserve: [],
  });
}
