import Type from 'typebox';
import { literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** A domain name, in lower case or not, without a dot at its ends. */
const Domain = Type.String({ pattern: '^[A-Za-z0-9_-]{1,63}(\\.[A-Za-z0-9_-]{1,63}){0,9}$', maxLength: 200 });
/** A domain, one with everything below it (`.example.net`), or an address. */
const Peer = Type.String({ pattern: '^\\.?[A-Za-z0-9_:-]{1,63}(\\.[A-Za-z0-9_-]{1,63}){0,9}$', maxLength: 200 });
const Digits = Type.String({ pattern: '^\\+[0-9]{0,15}$' });
const digits = Type.Optional(Type.Array(Digits, { maxItems: 64 }));

const settings = {
  /** Zones that are asked, in this order (`e164.arpa`, or one of the operator's own); none: ENUM is off. */
  suffixes: Type.Optional(Type.Array(Domain, { maxItems: 4 })),
  /** Whom a call may be sent to, whatever DNS says; nobody else is ever called by it. */
  peers: Type.Optional(Type.Array(Peer, { maxItems: 256 })),
  /** E.164 prefixes for which it is asked (default all), and for which it never is. */
  prefixes: digits,
  except: digits,
  /** Calls by it at once; default 1,000. */
  maxCalls: Type.Optional(Type.Integer({ minimum: 1, maximum: 20_000 })),
  /** How callers are named there, as with a trunk. */
  identity: Type.Optional(
    request({
      header: Type.Optional(literals('asserted', 'from', 'both')),
      out: Type.Optional(literals('plain', 'sign')),
    }),
  ),
} as const;

export const EnumSettings = request(settings);
export type EnumSettings = Type.Static<typeof EnumSettings>;

const roles = ['operator'] as const;

/** ENUM (RFC 6116): numbers that DNS knows a SIP address for are called there, before any trunk. */
export const enumVerbs = verbTable({
  'enum.get': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Shows which zones of DNS are asked for the SIP addresses of numbers outside.',
    request: request({}),
    reply: EnumSettings,
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/enum', status: 200 },
    cli: 'enum show',
    example: {},
  },
  'enum.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Sets as a whole which zones are asked, for which numbers, and whom calls may go to by that.',
    request: EnumSettings,
    reply: EnumSettings,
    faults: ['bad_request'],
    scope: 'trunks:write',
    roles,
    http: { method: 'PUT', path: '/v1/enum', status: 200 },
    cli: 'enum set',
    example: { suffixes: ['e164.example.net'], peers: ['.carrier.example'] },
  },
  'enum.find': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Asks for the SIP addresses of a number, as a call to it would, and says which of them would be called.',
    request: request({ number: Type.String({ pattern: '^\\+[0-9]{1,15}$' }) }),
    reply: Type.Object({
      found: Type.Array(Type.Object({ uri: Type.String(), called: Type.Boolean() })),
      /** Why nobody was asked, or what went wrong. */
      why: Type.Optional(Type.String()),
    }),
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/enum/{number}', status: 200 },
    cli: 'enum find',
    example: { number: '+442071838750' },
  },
});
