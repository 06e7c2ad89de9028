import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Micro, Payment, request } from '../schema.ts';
import { verbTable } from '../verb.ts';
import { Verstat } from './identity.ts';

export const Cdr = Type.Object({
  id: Id,
  session: Id,
  leg: Id,
  home: Type.Optional(Id),
  from: Type.String(),
  to: Type.String(),
  start: At,
  answer: Type.Optional(At),
  end: At,
  seconds: Type.Integer(),
  reason: Type.String(),
  price: Micro,
  /** What the number of a caller from outside proved to be, where its trunk checks signatures. */
  verstat: Type.Optional(Verstat),
});

/** Billing: one record per leg from the journal, rated by prefix, paid from a prepaid balance or afterwards. */
export const billingVerbs = verbTable({
  'cdr.list': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about: 'Lists call detail records, newest first; one per leg, unanswered ones too.',
    request: request({ ...Cursor.properties, session: Type.Optional(Id), home: Type.Optional(Id) }),
    reply: listOf(Cdr),
    faults: [],
    scope: 'cdrs:read',
    http: { method: 'GET', path: '/v1/cdrs', status: 200 },
    cli: 'cdr list',
    columns: ['start', 'from', 'to', 'seconds', 'reason', 'price', 'session'],
    example: {},
  },
  'balance.get': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about: 'A home’s balance, what of it is reserved, and how it pays.',
    request: request({ home: Id }),
    reply: Type.Object({ home: Id, mode: literals('prepaid', 'postpaid'), balance: Micro, reserved: Micro }),
    faults: [],
    scope: 'billing:read',
    http: { method: 'GET', path: '/v1/homes/{home}/balance', status: 200 },
    cli: 'balance show',
    example: { home: 'home_1' },
  },
  'balance.set': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about: 'Makes a home pay in advance (with an amount added to its balance) or afterwards.',
    request: request({ home: Id, mode: literals('prepaid', 'postpaid'), add: Type.Optional(Payment) }),
    reply: Type.Object({ home: Id, mode: literals('prepaid', 'postpaid'), balance: Micro, reserved: Micro }),
    faults: ['limit_reached'],
    scope: 'billing:write',
    roles: ['operator'],
    http: { method: 'POST', path: '/v1/homes/{home}/balance', status: 200 },
    cli: 'balance set',
    example: { home: 'home_1', mode: 'prepaid', add: 5_000_000 },
  },
  'billing.reserve': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about:
      'Rates a leg and, for a prepaid home, reserves its first minutes. The same leg again gives the same answer; with `talked` it covers some minutes more.',
    request: request({
      session: Id,
      leg: Id,
      home: Id,
      to: Type.String({ maxLength: 256 }),
      pays: Type.Boolean(),
      /** Milliseconds of talk so far: extends the reservation beyond them. */
      talked: Type.Optional(Type.Integer({ minimum: 0 })),
    }),
    reply: Type.Object({
      perMinute: Micro,
      reserved: Micro,
      metered: Type.Boolean(),
      until: Type.Optional(Type.Integer({ description: 'milliseconds of talk that the reservation covers' })),
    }),
    faults: ['insufficient_credit'],
    example: { session: 'ses_1', leg: 'leg_1', home: 'home_1', to: '+15550100002', pays: true },
  },
  'billing.release': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about: 'Gives back what a leg reserved and did not use; harmless when it is gone.',
    request: request({ session: Id, leg: Id }),
    reply: Empty,
    faults: [],
    example: { session: 'ses_1', leg: 'leg_1' },
  },
  'billing.reservation.list': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'billing',
    about: 'The reservations that exist, for reconciliation.',
    request: Empty,
    reply: Type.Object({ items: Type.Array(Type.Object({ session: Id, leg: Id, home: Id, amount: Micro })) }),
    faults: [],
    example: {},
  },
});
