import Type from 'typebox';
import { At, literals, Name, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** What the caller's number proved to be (3GPP TS 24.229 section 7.2A.20). */
export const Verstat = literals('TN-Validation-Passed', 'TN-Validation-Failed', 'No-TN-Validation');

/** Times that a call was sent on, the oldest first; the words of RFC 5806. `hidden`: the number is withheld from those who are called. */
export const Diverted = Type.Array(
  Type.Object({
    number: Type.String(),
    reason: literals(
      'unconditional',
      'user-busy',
      'no-answer',
      'unavailable',
      'do-not-disturb',
      'deflection',
      'unknown',
    ),
    hidden: Type.Optional(Type.Boolean()),
  }),
);

/** One or more PEM blocks. */
const pem = (maxLength: number) => Type.String({ minLength: 1, maxLength, pattern: '^[\\n\\r\\t -~]*$' });
/** An https address without credentials, query or fragment. */
const Https = Type.String({ maxLength: 512, pattern: '^https://[A-Za-z0-9.:\\[\\]-]{1,255}/[A-Za-z0-9._~/%-]*$' });
/** A host of certificates, with its port where it is not 443. */
const Repository = Type.String({ pattern: '^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$' });
/** A provider's code, or numbers as `15550100000-15550100999`, digits alone. */
const Numbers = Type.String({ pattern: '^(spc:[A-Za-z0-9]{1,64}|[0-9]{1,15}(-[0-9]{1,15})?)$' });

const settings = {
  /** Where others fetch `chain`. */
  x5u: Type.Optional(Https),
  /** The certificate that signs, then those of its issuers, PEM; with `x5u` calls are signed. */
  chain: Type.Optional(pem(16_384)),
  /** Certificates of those whose signers are believed, PEM. */
  authorities: Type.Optional(pem(262_144)),
  /** Hosts from which the certificates of other signers are fetched; no other is ever asked. */
  hosts: Type.Optional(Type.Array(Repository, { maxItems: 256 })),
  /** Who is believed as to those hosts' own certificates, PEM; default: whom the web believes. */
  webAuthorities: Type.Optional(pem(65_536)),
} as const;

export const IdentitySettings = request(settings);
export type IdentitySettings = Type.Static<typeof IdentitySettings>;

export const CallerIdentity = Type.Object({
  /** Calls on trunks with `identity.out: sign` are signed now; else why not. */
  signs: Type.Boolean(),
  why: Type.Optional(Type.String()),
  x5u: Type.Optional(Type.String()),
  subject: Type.Optional(Type.String()),
  expiresAt: Type.Optional(At),
  numbers: Type.Optional(Type.Array(Type.String())),
  /** Certificates of authorities. */
  authorities: Type.Integer(),
  hosts: Type.Array(Type.String()),
});

const roles = ['operator'] as const;

/** Signed callers (RFC 8224 to 8226, 8588): what the operator signs with, and whom it believes. */
export const identityVerbs = verbTable({
  'identity.get': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about: 'Shows with what callers’ numbers are signed towards trunks, and whose signatures are believed.',
    request: request({}),
    reply: CallerIdentity,
    faults: [],
    scope: 'trunks:read',
    roles,
    http: { method: 'GET', path: '/v1/identity', status: 200 },
    cli: 'identity show',
    example: {},
  },
  'identity.set': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about:
      'Sets as a whole with what callers’ numbers are signed, and whom to believe; the key stays unless a new one is given, and is never shown.',
    request: request({ ...settings, key: Type.Optional(pem(4_096)) }),
    reply: CallerIdentity,
    faults: ['bad_request'],
    scope: 'trunks:write',
    roles,
    http: { method: 'PUT', path: '/v1/identity', status: 200 },
    cli: 'identity set',
    example: { hosts: ['certificates.example.net'] },
  },
  'identity.key.create': {
    family: 'operations',
    orientation: 'voice',
    server: 'softswitch',
    about:
      'Makes a key for signing and the request for its certificate (PKCS #10); the old key signs on until a chain of the new one is set.',
    request: request({ subject: Name, numbers: Type.Optional(Type.Array(Numbers, { maxItems: 64 })) }),
    reply: Type.Object({ request: Type.String() }),
    faults: ['bad_request'],
    scope: 'trunks:write',
    roles,
    http: { method: 'POST', path: '/v1/identity/keys', status: 201 },
    cli: 'identity request',
    example: { subject: 'SHAKEN 1234', numbers: ['spc:1234'] },
  },
});
