import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Party, request } from '../schema.ts';
import { verbTable } from '../verb.ts';
import { Diverted, Verstat } from './identity.ts';

/** A communication session inside a service session: one channel, voice or not, towards a home, trunk or room. */
export const Leg = Type.Object({
  id: Id,
  /** The home that the leg goes to; absent for a number outside. */
  home: Type.Optional(Id),
  kind: literals('voice', 'media', 'message', 'still', 'qos', 'device'),
  orientation: literals('voice', 'non-voice'),
  server: Type.String(),
  /** Why this server was chosen. */
  why: Type.String(),
  party: Type.Optional(Type.String()),
  /** What the leg is for: `conference channel`, `media channel`, `caller` … */
  role: Type.String(),
  state: literals('planned', 'reserved', 'starting', 'ringing', 'up', 'ended'),
  reason: Type.Optional(Type.String()),
  /** SIP Call-ID of the channel, once it has one. */
  callId: Type.Optional(Type.String()),
  item: Type.Optional(Type.String()),
  dscp: Type.Optional(Type.String()),
  muted: Type.Optional(Type.Boolean()),
  held: Type.Optional(Type.Boolean()),
  startedAt: Type.Optional(At),
  answeredAt: Type.Optional(At),
  endedAt: Type.Optional(At),
});

export const Session = Type.Object({
  id: Id,
  kind: literals('call', 'media', 'conference', 'conference-with-media', 'house-call'),
  state: literals('created', 'active', 'ending', 'ended'),
  reason: Type.Optional(Type.String()),
  createdAt: At,
  endedAt: Type.Optional(At),
  legs: Type.Array(Leg),
  /** The request as it was understood, and the instruction that the softswitch got for it. */
  request: Type.Unknown(),
  instructions: Type.Array(
    Type.Object({
      at: At,
      verb: Type.String(),
      server: Type.String(),
      leg: Type.Optional(Id),
      callId: Type.Optional(Type.String()),
    }),
  ),
});

/**
 * Whom a leg rings: a line, or the outside at that number (E.164); `owner` is the line that answers for such a call, `ownerHidden` where it
 * withholds its number.
 */
const Target = Type.Object({
  leg: Id,
  line: Type.Optional(Id),
  number: Type.Optional(Type.String()),
  owner: Type.Optional(Id),
  ownerHidden: Type.Optional(Type.Boolean()),
  /** What the line's owner noted of the caller. */
  callerName: Type.Optional(Type.String()),
  ring: Type.Optional(Type.Union([Type.Literal('family'), Type.Literal('friend')])),
});

/** One row of the journal as a client sees it. */
export const SessionEvent = Type.Object({
  seq: Type.Integer(),
  session: Id,
  at: At,
  type: Type.String(),
  leg: Type.Optional(Id),
  data: Type.Unknown(),
});

const Accepted = Type.Object({ id: Id, state: literals('created', 'active', 'ending', 'ended') });
const planFaults = [
  'callee_unknown',
  'callee_offline',
  'uplink_full',
  'insufficient_credit',
  'media_item_unknown',
  'room_full',
  'limit_reached',
] as const;

export const sessionManagerVerbs = verbTable({
  'call.create': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'Calls two parties and joins them: `from` rings first (30 s), then `to`.',
    request: request({ from: Party, to: Party }),
    reply: Accepted,
    faults: [...planFaults],
    scope: 'calls:write',
    http: { method: 'POST', path: '/v1/calls', status: 202 },
    cli: 'call create',
    gateway: ['req'],
    example: { from: 'line_1', to: '+15550100002' },
  },
  'conference.create': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'Opens a conference channel to every participant; with `media` also a media channel to every home (or one into the room).',
    request: request({
      participants: Type.Array(Party, { minItems: 1, maxItems: 32 }),
      media: Type.Optional(
        Type.Union([
          Type.String({ minLength: 1, maxLength: 64 }),
          request({
            item: Type.String({ minLength: 1, maxLength: 64 }),
            to: literals('homes', 'room'),
            sinks: Type.Optional(Type.Array(Party, { maxItems: 32 })),
          }),
        ]),
      ),
    }),
    reply: Accepted,
    faults: [...planFaults],
    scope: 'conferences:write',
    http: { method: 'POST', path: '/v1/conferences', status: 202 },
    cli: 'conference create',
    gateway: ['req'],
    example: { participants: ['line_1', 'line_2'], media: { item: 'morning-birds', to: 'homes' } },
  },
  'media.play': {
    family: 'broadband',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'Media on demand: opens a channel from the media server to a phone of a home and plays an item.',
    request: request({ to: Party, item: Type.String({ minLength: 1, maxLength: 64 }) }),
    reply: Accepted,
    faults: [...planFaults],
    scope: 'media:write',
    http: { method: 'POST', path: '/v1/media-sessions', status: 202 },
    cli: 'media play',
    gateway: ['req'],
    example: { to: 'line_1', item: 'morning-birds' },
  },
  'session.list': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'Lists sessions, newest first.',
    request: request({ ...Cursor.properties, live: Type.Optional(Type.Boolean()), home: Type.Optional(Id) }),
    reply: listOf(Session),
    faults: [],
    scope: 'sessions:read',
    http: { method: 'GET', path: '/v1/sessions', status: 200 },
    cli: 'session list',
    columns: ['id', 'kind', 'state', 'reason', 'createdAt', 'endedAt', 'legs'],
    example: { live: true },
  },
  'session.get': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'Shows a session, its legs and what the softswitch was told.',
    request: request({ session: Id }),
    reply: Session,
    faults: [],
    scope: 'sessions:read',
    http: { method: 'GET', path: '/v1/sessions/{session}', status: 200 },
    cli: 'session show',
    gateway: ['req'],
    example: { session: 'ses_1' },
  },
  'session.end': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'Ends a session and all its legs; a guest, who did not begin it, leaves it with its own.',
    request: request({ session: Id }),
    reply: Accepted,
    faults: [],
    scope: 'sessions:write',
    http: { method: 'DELETE', path: '/v1/sessions/{session}', status: 202 },
    cli: 'session end',
    gateway: ['req'],
    example: { session: 'ses_1' },
  },
  'leg.add': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about:
      'Adds a leg to a living session: a party (voice), an item for a party or the room (media), a device to list or wake (device), or a text (message) or a picture (still) for a party or all others.',
    request: request({
      session: Id,
      kind: literals('voice', 'media', 'device', 'message', 'still'),
      party: Type.Optional(Party),
      item: Type.Optional(Type.String({ maxLength: 64 })),
      home: Type.Optional(Id),
      device: Type.Optional(Type.String({ maxLength: 128 })),
      action: Type.Optional(literals('list', 'wake')),
      /** For a message, to `party` or to `all` others of the session; for a still a picture as a `data:` URL in base 64. */
      text: Type.Optional(Type.String({ minLength: 1, maxLength: 10_240 })),
    }),
    reply: Type.Object({ leg: Leg, result: Type.Optional(Type.Unknown()) }),
    faults: [...planFaults, 'gateway_offline', 'queue_full'],
    scope: 'sessions:write',
    http: { method: 'POST', path: '/v1/sessions/{session}/legs', status: 202 },
    cli: 'leg add',
    example: { session: 'ses_1', kind: 'voice', party: 'line_3' },
  },
  'leg.remove': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'Ends one leg; the others go on. Who did not begin the session ends only legs of the own home.',
    request: request({ session: Id, leg: Id }),
    reply: Empty,
    faults: [],
    scope: 'sessions:write',
    http: { method: 'DELETE', path: '/v1/sessions/{session}/legs/{leg}', status: 204 },
    cli: 'leg remove',
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'session.events': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'session-manager',
    about: 'The session’s events from `after` on, then live until it ends (server-sent events; id = seq).',
    request: request({ session: Id, after: Type.Optional(Type.Integer({ minimum: 0 })) }),
    reply: listOf(SessionEvent),
    faults: [],
    scope: 'sessions:read',
    http: { method: 'GET', path: '/v1/sessions/{session}/events', status: 200, stream: true },
    example: { session: 'ses_1' },
  },
  'session.route': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'The softswitch asks what to do with an INVITE: ring these lines, or wait for an instruction (media on demand).',
    request: request({
      /** The softswitch’s own name for the waiting call. */
      call: Id,
      callId: Type.String({ maxLength: 256 }),
      line: Type.Optional(Id),
      /** The number that calls, for a call from outside. */
      from: Type.Optional(Type.String({ maxLength: 64 })),
      to: Type.String({ maxLength: 256 }),
      at: At,
      direct: Type.Boolean(),
      /** The phone asks for privacy. */
      hidden: Type.Optional(Type.Boolean()),
      /** Those who help call back: no wish of the line stands in their way. */
      callBack: Type.Optional(Type.Boolean()),
      /** What the caller's number proved to be, for a call from outside. */
      verstat: Type.Optional(Verstat),
      /** Times that the call was sent on before it came here. */
      diversions: Type.Optional(Type.Integer({ minimum: 0 })),
      /** The number of the line of the caller's home whose phone sends the caller there: such a call is that line's. */
      sentOn: Type.Optional(Type.String({ maxLength: 64 })),
      /** Where the phones of the line are that was dialled, as `registration.list` says it: one question less. */
      reach: Type.Optional(
        Type.Object({ line: Id, contacts: Type.Integer(), direct: Type.Boolean(), gateway: Type.Optional(Id) }),
      ),
      /** The leg whose place the caller takes (Replaces, RFC 3891), as the softswitch found it. */
      replaces: Type.Optional(Type.Object({ session: Id, leg: Id })),
    }),
    reply: Type.Union([
      Type.Object({
        do: Type.Literal('ring'),
        session: Id,
        callerLeg: Id,
        targets: Type.Array(Target),
        /** Ask again (`session.reroute`) where nobody takes the call; ring for so long, ms; withhold the caller’s number. */
        again: Type.Optional(Type.Boolean()),
        ringFor: Type.Optional(Type.Integer()),
        hidden: Type.Optional(Type.Boolean()),
        diverted: Type.Optional(Diverted),
      }),
      /** `ring`: the caller hears ringing meanwhile. */
      Type.Object({ do: Type.Literal('wait'), session: Id, leg: Id, ring: Type.Optional(Type.Boolean()) }),
      /** The caller takes the call that rings at `ringing` of that session, as `leg`. */
      Type.Object({ do: Type.Literal('take'), session: Id, ringing: Id, leg: Id }),
    ]),
    faults: [...planFaults, 'destination_barred', 'conflict'],
    example: { call: 'chn_1', callId: 'a@b', line: 'line_1', to: '+15550100002', at: 0, direct: false },
  },
  'leg.report': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'A server says what became of a leg. `answered` is durable before the reply, and the reply comes before the caller’s 2xx.',
    request: request({
      session: Id,
      leg: Id,
      event: literals('ringing', 'answered', 'ended', 'item-ended'),
      at: At,
      callId: Type.Optional(Type.String({ maxLength: 256 })),
      reason: Type.Optional(Type.String({ maxLength: 64 })),
      /** The final SIP response with which it was refused. */
      status: Type.Optional(Type.Integer({ minimum: 400, maximum: 699 })),
    }),
    /** `over`: the whole session has ended; nothing more of it need be told. */
    reply: Type.Object({ over: Type.Optional(Type.Boolean()) }),
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1', event: 'answered', at: 0 },
  },
  'voice.report': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'A call that was switched without the session manager (inside a house, or while it was away): its facts, with ids derived from the call, folded in exactly once.',
    request: request({
      callId: Type.String({ maxLength: 256 }),
      home: Type.Optional(Id),
      from: Type.String({ maxLength: 256 }),
      to: Type.String({ maxLength: 256 }),
      startedAt: At,
      answeredAt: Type.Optional(At),
      endedAt: At,
      reason: Type.String({ maxLength: 64 }),
      /** The caller withheld its number. */
      hidden: Type.Optional(Type.Boolean()),
      /** Others that were rung and did not take the call. */
      also: Type.Optional(
        Type.Array(
          request({ to: Type.String({ maxLength: 256 }), endedAt: At, reason: Type.String({ maxLength: 64 }) }),
          { maxItems: 32 },
        ),
      ),
    }),
    reply: Type.Object({ session: Id }),
    faults: [],
    gateway: ['event'],
    example: {
      callId: 'a@b',
      from: '+15550100001',
      to: '+15550100002',
      startedAt: 0,
      answeredAt: 0,
      endedAt: 0,
      reason: 'hangup',
    },
  },
});
