import Type from 'typebox';
import { At, Empty, Id, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** The softswitch: registrations, calls, and channels that the session manager instructs (third-party call control, RFC 3725). */
export const softswitchVerbs = verbTable({
  'channel.open': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about:
      'Opens a channel between a media endpoint and a line: rings the line, or answers a call that waits. Returns at once; `leg.report` tells the rest.',
    request: request({
      session: Id,
      leg: Id,
      endpoint: Id,
      /** The line to ring; or `waiting`, the call that asked for it. */
      line: Type.Optional(Id),
      waiting: Type.Optional(Id),
      /** Or a number outside, by a trunk; the line `owner` answers for the call. */
      outward: Type.Optional(
        request({
          number: Type.String({ maxLength: 64 }),
          owner: Id,
          /** The owner's number is withheld from who is called. */
          hidden: Type.Optional(Type.Boolean()),
        }),
      ),
      /** What the phone shows as the caller; `hidden`: nobody. */
      caller: Type.Object({
        number: Type.String(),
        name: Type.Optional(Type.String()),
        hidden: Type.Optional(Type.Boolean()),
      }),
      /** The number of the line whose transfer this is, where that may be known (RFC 3892). */
      referredBy: Type.Optional(Type.String({ maxLength: 64 })),
      /** The leg whose channel at the same home the gateway mixes this one with (Join, RFC 3911). */
      join: Type.Optional(Id),
      ringFor: Type.Integer({ minimum: 1000, maximum: 180_000, description: 'milliseconds' }),
    }),
    reply: Type.Object({ channel: Id, callId: Type.String() }),
    faults: ['callee_offline', 'callee_unknown', 'no_codec', 'destination_barred'],
    example: {
      session: 'ses_1',
      leg: 'leg_1',
      endpoint: 'ep_1',
      line: 'line_1',
      caller: { number: '+15550100700', name: 'Media' },
      ringFor: 30_000,
    },
  },
  'channel.close': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Ends a channel whatever its state (CANCEL, BYE or a refusal); harmless when it is gone.',
    request: request({ session: Id, leg: Id, reason: Type.String({ maxLength: 64 }) }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1', reason: 'hangup' },
  },
  'channel.part': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about:
      'Takes over a call that phones made: each side becomes a channel with a media endpoint of its own. Once more gives the same endpoints.',
    request: request({ session: Id }),
    reply: Type.Object({ legs: Type.Array(Type.Object({ leg: Id, endpoint: Id })) }),
    faults: ['not_found', 'conflict'],
    example: { session: 'ses_1' },
  },
  'channel.move': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about:
      'Brings a channel of another session into this one: its phone is offered the endpoint of the new leg by re-INVITE.',
    request: request({ session: Id, leg: Id, from: request({ session: Id, leg: Id }) }),
    reply: Type.Object({ channel: Id, callId: Type.String() }),
    faults: ['not_found', 'conflict'],
    example: { session: 'ses_1', leg: 'leg_1', from: { session: 'ses_2', leg: 'leg_2' } },
  },
  'channel.notify': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Tells the phone of a leg by NOTIFY what became of the transfer that it asked for (RFC 3515).',
    request: request({ session: Id, leg: Id, status: Type.Integer({ minimum: 100, maximum: 699 }) }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1', status: 200 },
  },
  'channel.list': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about: 'The channels that exist, for reconciliation.',
    request: Empty,
    reply: Type.Object({
      items: Type.Array(
        Type.Object({
          session: Id,
          leg: Id,
          callId: Type.String(),
          state: literals('ringing', 'up'),
          autonomous: Type.Boolean(),
          since: At,
        }),
      ),
    }),
    faults: [],
    example: {},
  },
  'registration.list': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Which lines have a phone registered, through a gateway or directly.',
    request: request({ lines: Type.Optional(Type.Array(Id)) }),
    reply: Type.Object({
      items: Type.Array(
        Type.Object({
          line: Id,
          contacts: Type.Integer(),
          direct: Type.Boolean(),
          gateway: Type.Optional(Id),
          /** The phones themselves, those behind a gateway too. */
          devices: Type.Array(Id),
        }),
      ),
    }),
    faults: [],
    example: {},
  },
  'message.deliver': {
    family: 'messaging',
    orientation: 'non-voice',
    server: 'softswitch',
    about:
      'Sends a SIP MESSAGE (RFC 3428) to one phone of a line, or to any where none is named; inside its dialog of a session where it has one.',
    request: request({
      line: Id,
      device: Type.Optional(Id),
      session: Type.Optional(Id),
      /** The same for every try of one message to one phone, so that a phone can tell a repetition. */
      callId: Type.String({ maxLength: 200 }),
      cseq: Type.Integer({ minimum: 1, maximum: 2_147_483_647 }),
      from: Type.Object({ number: Type.String(), name: Type.Optional(Type.String()) }),
      contentType: Type.String({ maxLength: 128 }),
      body: Type.String(),
    }),
    /** `unreachable`: another try may succeed. `status` is the phone’s answer, 0 for none. */
    reply: Type.Object({ outcome: literals('delivered', 'refused', 'unreachable'), status: Type.Integer() }),
    faults: [],
    example: {
      line: 'line_1',
      callId: 'msg_1.i_1',
      cseq: 1,
      from: { number: '+15550100002' },
      contentType: 'text/plain;charset=utf-8',
      body: 'Dinner is ready.',
    },
  },
});
