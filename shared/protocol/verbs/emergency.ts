import Type from 'typebox';
import { At, Cursor, Id, listOf, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

const Words = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });

/** Where a home is; `shared/call/location.ts` says which element of a civic address each field is. */
export const HomeLocation = request({
  country: Type.String({ pattern: '^[A-Z]{2}$', description: 'ISO 3166-1' }),
  region: Type.Optional(Words),
  city: Type.Optional(Words),
  postalCode: Type.Optional(Words),
  street: Type.Optional(Words),
  houseNumber: Type.Optional(Words),
  unit: Type.Optional(Words),
  floor: Type.Optional(Words),
  place: Type.Optional(Words),
  latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
  longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
});

const Host = Type.String({ pattern: '^[A-Za-z0-9.:-]{1,64}$' });

/** What is called there: `urn`, the service's URN; `dialled`, the code; or this number. Default `urn`. */
const Called = Type.String({ pattern: '^(urn|dialled|\\+?[0-9]{2,15})$' });

/** Where a gateway sends an emergency call by itself when the cloud is out of reach. */
export const FallbackTrunk = request({
  /** A literal address. */
  host: Host,
  port: Type.Integer({ minimum: 1, maximum: 65_535 }),
  transport: literals('udp', 'tcp'),
  call: Type.Optional(Called),
});

/** One way to the people who answer calls for help. */
const EmergencyRoute = request({
  trunk: Id,
  /** Only for these services (`urn:service:sos.fire`); default all. */
  services: Type.Optional(
    Type.Array(Type.String({ pattern: '^urn:service:sos(\\.[a-z0-9-]{1,32}){0,4}$' }), { maxItems: 16 }),
  ),
  /** Only for homes of these countries; default all. */
  countries: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Z]{2}$' }), { maxItems: 64 })),
  call: Type.Optional(Called),
});

export const EmergencyPolicy = request({
  /** Country of homes without an address. */
  country: Type.Optional(Type.String({ pattern: '^[A-Z]{2}$' })),
  /** Tried in this order, whatever the failure. */
  routes: Type.Array(EmergencyRoute, { maxItems: 64 }),
  fallback: Type.Optional(FallbackTrunk),
});

const EmergencyCall = Type.Object({
  id: Id,
  at: At,
  home: Type.Optional(Id),
  line: Type.Optional(Id),
  from: Type.String(),
  dialled: Type.String(),
  service: Type.String(),
  /** How the caller was known: its credential, its gateway, the address of an earlier registration, or not at all (refused). */
  by: literals('credential', 'gateway', 'address', 'none'),
  trunk: Type.Optional(Id),
  outcome: Type.Optional(Type.String()),
  endedAt: Type.Optional(At),
});

const roles = ['operator'] as const;

/** Calls for help: where homes are, which way the calls go, and what became of them. */
export const emergencyVerbs = verbTable({
  'home.location.get': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Shows where a home is, as emergency calls say it.',
    request: request({ home: Id }),
    reply: HomeLocation,
    faults: ['not_found'],
    scope: 'homes:read',
    http: { method: 'GET', path: '/v1/homes/{home}/location', status: 200 },
    cli: 'home location',
    example: { home: 'home_1' },
  },
  'home.location.set': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Says where a home is. Emergency calls from it carry this.',
    request: request({ home: Id, location: HomeLocation }),
    reply: HomeLocation,
    faults: ['not_found'],
    scope: 'homes:write',
    http: { method: 'PUT', path: '/v1/homes/{home}/location', status: 200 },
    cli: 'home set-location',
    example: {
      home: 'home_1',
      location: { country: 'US', region: 'CA', city: 'Springfield', street: 'Elm Street', houseNumber: '1' },
    },
  },
  'emergency.policy.get': {
    family: 'operations',
    orientation: 'voice',
    server: 'oamp',
    about: 'Shows which way emergency calls go.',
    request: request({}),
    reply: EmergencyPolicy,
    faults: [],
    scope: 'emergency:read',
    roles,
    http: { method: 'GET', path: '/v1/emergency/policy', status: 200 },
    cli: 'emergency policy',
    example: {},
  },
  'emergency.policy.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'oamp',
    about:
      'Sets which way emergency calls go. Without a route they go to the line that has the code as its number, if any.',
    request: EmergencyPolicy,
    reply: EmergencyPolicy,
    faults: [],
    scope: 'emergency:write',
    roles,
    http: { method: 'PUT', path: '/v1/emergency/policy', status: 200 },
    cli: 'emergency set-policy',
    example: { country: 'US', routes: [{ trunk: 'trk_1' }] },
  },
  'emergency.call.list': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Lists the emergency calls, newest first, also those that were refused.',
    request: request({ ...Cursor.properties }),
    reply: listOf(EmergencyCall),
    faults: [],
    scope: 'emergency:read',
    roles,
    http: { method: 'GET', path: '/v1/emergency/calls', status: 200 },
    cli: 'emergency calls',
    example: {},
  },
});
