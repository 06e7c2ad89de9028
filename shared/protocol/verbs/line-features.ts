import Type, { type Static } from 'typebox';
import { At, Dialled, E164, Id, request } from '../schema.ts';
import { verbTable } from '../verb.ts';
import { Diverted } from './identity.ts';

/** What a call to a number costs, roughly; the classes by which lines are barred. */
const DestinationClass = Type.Union([
  Type.Literal('local'),
  Type.Literal('national'),
  Type.Literal('mobile'),
  Type.Literal('international'),
  Type.Literal('premium'),
  Type.Literal('free'),
]);
export type DestinationClass = Static<typeof DestinationClass>;

const numbers = Type.Array(E164, { maxItems: 100 });

/** The features of a line; what is absent is off. Documented in `shared/call/features/document.ts`. */
export const LineFeatures = request({
  hideNumber: Type.Optional(Type.Boolean()),
  doNotDisturb: Type.Optional(Type.Boolean()),
  rejectAnonymous: Type.Optional(Type.Boolean()),
  noWaiting: Type.Optional(Type.Boolean()),
  noHoldMusic: Type.Optional(Type.Boolean()),
  forward: Type.Optional(
    request({
      always: Type.Optional(Dialled),
      busy: Type.Optional(Dialled),
      noAnswer: Type.Optional(Dialled),
      offline: Type.Optional(Dialled),
    }),
  ),
  noAnswerAfter: Type.Optional(Type.Integer({ minimum: 5, maximum: 60, description: 'seconds' })),
  block: Type.Optional(numbers),
  allow: Type.Optional(numbers),
  hunt: Type.Optional(Type.Array(Dialled, { maxItems: 8 })),
  ringAlso: Type.Optional(Type.Array(Dialled, { maxItems: 8 })),
  hotLine: Type.Optional(Dialled),
  hotLineAfter: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 4, description: 'seconds in which something may be dialled instead' }),
  ),
  bar: Type.Optional(Type.Array(DestinationClass, { maxItems: 6 })),
  pin: Type.Optional(Type.String({ pattern: '^[0-9]{4,8}$' })),
  contacts: Type.Optional(
    Type.Array(
      request({
        number: E164,
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
        ring: Type.Optional(Type.Union([Type.Literal('family'), Type.Literal('friend')])),
      }),
      { maxItems: 200 },
    ),
  ),
  short: Type.Optional(
    Type.Array(request({ code: Type.String({ pattern: '^[0-9]{1,2}$' }), to: Dialled }), { maxItems: 100 }),
  ),
});

/** When a phone or an owner changed what star codes can change, by field; `shared/call/features/merge.ts`. */
export const FeatureStamps = request({
  hideNumber: Type.Optional(At),
  doNotDisturb: Type.Optional(At),
  rejectAnonymous: Type.Optional(At),
  noWaiting: Type.Optional(At),
  noHoldMusic: Type.Optional(At),
  'forward.always': Type.Optional(At),
  'forward.busy': Type.Optional(At),
  'forward.noAnswer': Type.Optional(At),
  'forward.offline': Type.Optional(At),
  hotLine: Type.Optional(At),
  hotLineAfter: Type.Optional(At),
  bar: Type.Optional(At),
  pin: Type.Optional(At),
  noAnswerAfter: Type.Optional(At),
  contacts: Type.Optional(At),
  block: Type.Optional(At),
  allow: Type.Optional(At),
  hunt: Type.Optional(At),
  ringAlso: Type.Optional(At),
  short: Type.Optional(At),
});

/** What a line does with its calls, and what becomes of one that nobody takes. */
export const lineFeatureVerbs = verbTable({
  'line.features.get': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'Shows the features of a line.',
    request: request({ home: Id, line: Id }),
    reply: LineFeatures,
    faults: ['not_found'],
    scope: 'lines:read',
    http: { method: 'GET', path: '/v1/homes/{home}/lines/{line}/features', status: 200 },
    cli: 'line features',
    example: { home: 'home_1', line: 'line_1' },
  },
  'line.features.set': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about: 'Sets the features of a line as a whole: what is left out is off. Phones do the same by star codes.',
    request: request({ home: Id, line: Id, features: LineFeatures }),
    reply: LineFeatures,
    faults: ['not_found', 'callee_unknown'],
    scope: 'lines:write',
    http: { method: 'PUT', path: '/v1/homes/{home}/lines/{line}/features', status: 200 },
    cli: 'line set-features',
    example: { home: 'home_1', line: 'line_1', features: { doNotDisturb: true } },
  },
  'line.features.tell': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'A gateway tells what its phones set by star codes while the WAN was cut. Of each field the later change stands; only fields with a stamp are taken.',
    request: request({ line: Id, features: LineFeatures, stamps: FeatureStamps }),
    reply: Type.Object({}),
    faults: ['not_found'],
    gateway: ['event'],
    example: { line: 'line_1', features: { doNotDisturb: true }, stamps: { doNotDisturb: 0 } },
  },
  'session.reroute': {
    family: 'narrowband',
    orientation: 'voice',
    server: 'session-manager',
    about:
      'The softswitch asks where a call goes that this leg did not take: forwarding, the next line of a hunt, or where its phone sends it (SIP 302).',
    /** `diversions`: times that the call was sent on so far; `to`: what the phone dials for it. */
    request: request({
      ...{ session: Id, leg: Id, reason: Type.String({ maxLength: 64 }), at: At },
      diversions: Type.Optional(Type.Integer({ minimum: 0 })),
      to: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    }),
    /** With `number` the leg goes outside; `owner` is the line that answers for it. `instructed`: its channel is opened by an instruction of its own. */
    reply: Type.Object({
      leg: Id,
      line: Type.Optional(Id),
      number: Type.Optional(Type.String()),
      owner: Type.Optional(Id),
      instructed: Type.Optional(Type.Boolean()),
      again: Type.Boolean(),
      ringFor: Type.Optional(Type.Integer()),
      diverted: Type.Optional(Diverted),
    }),
    faults: [
      'callee_unknown',
      'callee_offline',
      'destination_barred',
      'insufficient_credit',
      'uplink_full',
      'not_found',
    ],
    example: { session: 'ses_1', leg: 'leg_1', reason: 'no_answer', at: 0 },
  },
});
