import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Name, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** A host name or a literal address, without brackets. */
const Host = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,128}$' });
const Digits = Type.String({ pattern: '^\\+?[0-9]{0,15}$' });
/** Numbers that begin with `prefix` get `replace` in its place; of several rules the longest prefix wins. */
const Rule = request({ prefix: Digits, replace: Digits });
const rules = Type.Optional(Type.Array(Rule, { maxItems: 64 }));

/** What the operator says of a trunk: a way to the numbers of the world outside, at some carrier. */
const settings = {
  name: Name,
  /** Off: nothing goes out or comes in. */
  enabled: Type.Optional(Type.Boolean()),
  /** Where its requests go: an address, or a name whose servers DNS tells (RFC 3263). Over UDP a name needs `--sip-dns`. */
  host: Host,
  port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
  /** Default: what DNS says of the name, else UDP. */
  transport: Type.Optional(literals('udp', 'tcp', 'tls')),
  /**
   * Over TLS the carrier's certificate has to speak for the host's name (RFC 5922). `ca`: the only authorities believed (PEM; default the
   * web's). `mutual`: we show our own certificate, and the carrier may call over the same connection (RFC 5923).
   */
  tls: Type.Optional(
    request({
      ca: Type.Optional(Type.String({ minLength: 1, maxLength: 65_536 })),
      mutual: Type.Optional(Type.Boolean()),
    }),
  ),
  /** Requests of more than 1,300 octets, which UDP would cut, go over TCP where the trunk takes that; default yes. */
  largeByTcp: Type.Optional(Type.Boolean()),
  /**
   * Where requests inside its calls go over UDP: where its Contact or Record-Route leads (RFC 3261 section 12.2.1.1), or, with `false`, back to
   * where its messages come from. Default: there too where what it says is an address of its own network alone, which `true` follows.
   */
  followContact: Type.Optional(Type.Boolean()),
  /** `register`: we register there, with username and password. `address`: both sides know each other by their addresses. */
  mode: literals('register', 'address'),
  /** The domain in Request-URI, From and To; default the host. */
  domain: Type.Optional(Host),
  username: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9+._-]{1,64}$' })),
  /** Realm of its challenges; default the domain. */
  realm: Type.Optional(Type.String({ minLength: 1, maxLength: 128, pattern: '^[^"\\\\\\u0000-\\u001f\\u007f]*$' })),
  expires: Type.Optional(Type.Integer({ minimum: 60, maximum: 3600, description: 'seconds' })),
  /** Further addresses, with or without a port, from which its calls come. */
  addresses: Type.Optional(Type.Array(Host, { maxItems: 32 })),
  /** The lowest is tried first; of equals one is drawn by weight. */
  priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  weight: Type.Optional(Type.Integer({ minimum: 0, maximum: 65_535 })),
  /** E.164 prefixes that it takes; default all. The longest that fits decides before the priority. */
  prefixes: Type.Optional(Type.Array(Digits, { maxItems: 64 })),
  maxCalls: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000 })),
  /** Called numbers, from E.164 as the carrier wants them, and its own to E.164. */
  outRules: rules,
  inRules: rules,
  /**
   * How callers are named: in P-Asserted-Identity, in From, or in both (default); `number` stands for every caller. `out: sign`: a call
   * that leaves here carries our signature over the caller's number (RFC 8224). `in`: the signature of a call that comes in is checked and
   * the result told to the phone (`verify`), or such a call is refused where it does not pass (`require`). `sentOn`: a call that one of our
   * numbers sends on is signed as its own (`own`, default), or goes in the name of who calls, with what proved that and our word for who
   * sent it on (`chain`, RFC 8946), or with all of that in one header field, each with what came before in it (`nested`, section 5 there).
   */
  identity: Type.Optional(
    request({
      header: Type.Optional(literals('asserted', 'from', 'both')),
      number: Type.Optional(Digits),
      out: Type.Optional(literals('plain', 'sign')),
      in: Type.Optional(literals('ignore', 'verify', 'require')),
      sentOn: Type.Optional(literals('own', 'chain', 'nested')),
    }),
  ),
  /** Where a call that was sent on says by whom: Diversion (RFC 5806, default), History-Info (RFC 7044), both or nowhere. */
  forwarded: Type.Optional(literals('diversion', 'history-info', 'both', 'none')),
  /** Where the called number of a call that comes in stands; default the Request-URI, then To. */
  calledIn: Type.Optional(literals('uri', 'to')),
  /** Names of codecs that are offered there; default all. */
  codecs: Type.Optional(Type.Array(Type.String({ pattern: '^[A-Za-z0-9-]{1,24}$' }), { maxItems: 16 })),
  /** Seconds between OPTIONS; 0: none. */
  probeEvery: Type.Optional(Type.Integer({ minimum: 0, maximum: 3600 })),
} as const;

const password = Type.Optional(Type.String({ minLength: 1, maxLength: 128 }));

export const TrunkSettings = request(settings);
export type TrunkSettings = Type.Static<typeof TrunkSettings>;

export const Trunk = Type.Object({
  id: Id,
  ...settings,
  /** A password is kept, sealed; it is never shown. */
  hasPassword: Type.Boolean(),
  createdAt: At,
  /** `up`: it answers; `down`: it does not, with why; `unknown`: nobody has asked it yet. */
  state: literals('up', 'down', 'unknown', 'off'),
  cause: Type.Optional(Type.String()),
  registered: Type.Optional(Type.Boolean()),
  calls: Type.Integer(),
});

const roles = ['operator'] as const;

/** Trunks: how calls leave the operator's own numbers, and come in. */
export const trunkVerbs = verbTable({
  'trunk.create': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Adds a trunk to a carrier: with a registration there, or by mutual knowledge of addresses.',
    request: request({ ...settings, password }),
    reply: Trunk,
    faults: ['limit_reached', 'bad_request'],
    scope: 'trunks:write',
    roles,
    http: { method: 'POST', path: '/v1/trunks', status: 201 },
    cli: 'trunk create',
    example: { name: 'Carrier A', host: '192.0.2.10', mode: 'register', username: 'hearth', password: 'secret' },
  },
  'trunk.list': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Lists the trunks, with their health and the calls on them.',
    request: Cursor,
    reply: listOf(Trunk),
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/trunks', status: 200 },
    cli: 'trunk list',
    columns: ['id', 'name', 'state', 'registered', 'calls', 'priority', 'host'],
    example: {},
  },
  'trunk.get': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Shows one trunk.',
    request: request({ trunk: Id }),
    reply: Trunk,
    faults: ['not_found'],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/trunks/{trunk}', status: 200 },
    cli: 'trunk show',
    example: { trunk: 'trk_1' },
  },
  'trunk.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Sets a trunk as a whole; its password stays unless a new one is given. Calls on it go on.',
    request: request({ trunk: Id, ...settings, password }),
    reply: Trunk,
    faults: ['not_found', 'bad_request'],
    scope: 'trunks:write',
    roles,
    http: { method: 'PUT', path: '/v1/trunks/{trunk}', status: 200 },
    cli: 'trunk set',
    example: { trunk: 'trk_1', name: 'Carrier A', host: '192.0.2.10', mode: 'address', enabled: false },
  },
  'trunk.delete': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Removes a trunk; calls on it go on.',
    request: request({ trunk: Id }),
    reply: Empty,
    faults: ['not_found'],
    scope: 'trunks:write',
    roles,
    http: { method: 'DELETE', path: '/v1/trunks/{trunk}', status: 204 },
    cli: 'trunk delete',
    example: { trunk: 'trk_1' },
  },
});
