import Type from 'typebox';
import { At, Empty, Id, listOf, Micro, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

const Barring = Type.Object({ home: Id, reason: Type.String(), at: At });
const count = (what: string) => Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, description: what }));
const OutsideLimits = request({
  atOnce: count('calls of a home to the outside at once'),
  costlyAtOnce: count('of these to other countries and premium numbers'),
  internationalPerHour: count('new calls to other countries in an hour'),
  premiumPerHour: count('new calls to premium numbers in an hour'),
  spendPerHour: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000_000_000, description: 'micro-units' })),
});

const roles = ['operator'] as const;

/** What homes may do outside: caps, and homes that went beyond. */
export const outsideVerbs = verbTable({
  'outside.limits.get': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Shows how much a home may call outside before it is barred.',
    request: Empty,
    reply: Type.Object({
      atOnce: Type.Integer(),
      costlyAtOnce: Type.Integer(),
      internationalPerHour: Type.Integer(),
      premiumPerHour: Type.Integer(),
      spendPerHour: Micro,
    }),
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/outside-limits', status: 200 },
    cli: 'barring limits',
    example: {},
  },
  'outside.limits.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Sets how much a home may call outside before it is barred; what is left out has its default.',
    request: OutsideLimits,
    reply: Type.Object({
      atOnce: Type.Integer(),
      costlyAtOnce: Type.Integer(),
      internationalPerHour: Type.Integer(),
      premiumPerHour: Type.Integer(),
      spendPerHour: Micro,
    }),
    faults: [],
    scope: 'trunks:write',
    roles,
    http: { method: 'PUT', path: '/v1/outside-limits', status: 200 },
    cli: 'barring set-limits',
    example: { premiumPerHour: 2, spendPerHour: 20_000_000 },
  },
  'barring.list': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Lists the homes that may not call outside.',
    request: Empty,
    reply: listOf(Barring),
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/barrings', status: 200 },
    cli: 'barring list',
    example: {},
  },
  'barring.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Bars a home from calling outside; emergency calls and calls between the operator’s numbers go on.',
    request: request({ home: Id, reason: Type.Optional(Type.String({ pattern: '^[a-z -]{1,64}$' })) }),
    reply: Barring,
    faults: ['not_found'],
    scope: 'trunks:write',
    roles,
    http: { method: 'POST', path: '/v1/homes/{home}/barring', status: 201 },
    cli: 'barring set',
    example: { home: 'home_1', reason: 'unpaid' },
  },
  'barring.lift': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Lets a home call outside again; what counts within an hour begins anew.',
    request: request({ home: Id }),
    reply: Empty,
    faults: ['not_found'],
    scope: 'trunks:write',
    roles,
    http: { method: 'DELETE', path: '/v1/homes/{home}/barring', status: 204 },
    cli: 'barring lift',
    example: { home: 'home_1' },
  },
});
