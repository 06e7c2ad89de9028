import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, Name, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

const DAY = 24 * 3_600_000;
/** How long a claim is good when nobody says otherwise, at the least and at the most, in ms. */
export const CLAIM_LIFETIME = { usual: 30 * DAY, least: 60_000, most: 365 * DAY } as const;

/** `hlc_` and 160 random bits in base 32: what stands in `hearthline.json`. */
export const ClaimText = Type.String({ pattern: '^hlc_[0-9a-hjkmnp-tv-z]{32}$' });

/** A claim pairs one gateway with its home without a code. Its text stands only in the reply that creates it. */
export const Claim = Type.Object({
  id: Id,
  home: Id,
  name: Type.Optional(Name),
  state: literals('open', 'used', 'expired'),
  createdAt: At,
  expiresAt: At,
  /** The gateway that has used it, and when. */
  gateway: Type.Optional(Id),
  usedAt: Type.Optional(At),
  claim: Type.Optional(ClaimText),
});

/** Claims made beforehand: a gateway whose boot partition carries one pairs at its first boot by itself. */
export const claimVerbs = verbTable({
  'claim.create': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Makes a claim for one new gateway of a home, to be put on its card. Its text is shown this once.',
    request: request({
      home: Id,
      name: Type.Optional(Name),
      lifetime: Type.Optional(
        Type.Integer({
          minimum: CLAIM_LIFETIME.least,
          maximum: CLAIM_LIFETIME.most,
          description: 'milliseconds; default 30 days',
        }),
      ),
    }),
    reply: Claim,
    faults: ['limit_reached'],
    scope: 'gateways:write',
    http: { method: 'POST', path: '/v1/homes/{home}/claims', status: 201 },
    cli: 'claim create',
    example: { home: 'home_1', name: 'Cellar' },
  },
  'claim.list': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Lists a home’s claims, without their texts.',
    request: request({ home: Id, ...Cursor.properties }),
    reply: listOf(Claim),
    faults: [],
    scope: 'gateways:read',
    http: { method: 'GET', path: '/v1/homes/{home}/claims', status: 200 },
    cli: 'claim list',
    columns: ['id', 'state', 'name', 'expiresAt', 'gateway'],
    example: { home: 'home_1' },
  },
  'claim.remove': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Takes a claim away: it pairs nothing from now on. A gateway that it has paired stays paired.',
    request: request({ home: Id, claim: Id }),
    reply: Empty,
    faults: [],
    scope: 'gateways:write',
    http: { method: 'DELETE', path: '/v1/homes/{home}/claims/{claim}', status: 204 },
    cli: 'claim remove',
    example: { home: 'home_1', claim: 'clm_1' },
  },
  'pairing.claim': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'An unpaired gateway shows a claim from its boot partition, in place of a person who types its code.',
    request: request({
      claim: ClaimText,
      profile: literals('residential-gateway', 'personal-computer', 'ip-appliance'),
      version: Type.String({ maxLength: 32 }),
    }),
    reply: Type.Object({ gateway: Id, home: Id }),
    faults: ['claim_unknown', 'claim_used', 'claim_expired', 'limit_reached', 'rate_limited'],
    gateway: ['apply'],
    example: { claim: `hlc_${'a'.repeat(32)}`, profile: 'residential-gateway', version: '0.1.0' },
  },
});
