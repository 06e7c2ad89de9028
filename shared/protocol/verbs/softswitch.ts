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
      /** What the phone shows as the caller. */
      caller: Type.Object({ number: Type.String(), name: Type.Optional(Type.String()) }),
      /** The leg whose channel at the same home the gateway mixes this one with (Join, RFC 3911). */
      join: Type.Optional(Id),
      ringFor: Type.Integer({ minimum: 1000, maximum: 180_000, description: 'milliseconds' }),
    }),
    reply: Type.Object({ channel: Id, callId: Type.String() }),
    faults: ['callee_offline', 'callee_unknown', 'no_codec'],
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
        Type.Object({ line: Id, contacts: Type.Integer(), direct: Type.Boolean(), gateway: Type.Optional(Id) }),
      ),
    }),
    faults: [],
    example: {},
  },
});
