/**
 * Desired and reported documents: the cloud bumps `version` and sends the whole document; the gateway applies it, keeps
 * the last good one on disk, and reports `{applied, state, error?}` with a body of its own.
 */
import Type from 'typebox';
import { AppId, AppVersion } from './applet-manifest.ts';
import { At, Id, literals, request } from './schema.ts';
import { FallbackTrunk, HomeLocation } from './verbs/emergency.ts';
import { FeatureStamps, LineFeatures } from './verbs/line-features.ts';

/** What a gateway needs to serve its house's phones and to reach the softswitch. HA1 = H(username:realm:password), realm = domain. */
export const VoiceDocument = request({
  domain: Type.String({ maxLength: 128 }),
  /** `host:port` of the softswitch's mutual-TLS listener. */
  sips: Type.String({ maxLength: 160 }),
  lines: Type.Array(
    request({
      id: Id,
      number: Type.String({ maxLength: 16 }),
      username: Type.String({ maxLength: 64 }),
      name: Type.Optional(Type.String({ maxLength: 64 })),
      kind: literals('phone', 'appliance'),
      ha1: request({ md5: Type.String({ maxLength: 32 }), sha256: Type.String({ maxLength: 64 }) }),
    }),
    { maxItems: 64 },
  ),
  /** The operator wants no music on hold. */
  noHoldMusic: Type.Optional(Type.Literal(true)),
  /** What an emergency call needs, also while the cloud is out of reach. */
  emergency: Type.Optional(
    request({
      country: Type.Optional(Type.String({ maxLength: 2 })),
      location: Type.Optional(HomeLocation),
      /** When the location was set. */
      at: Type.Optional(At),
      fallback: Type.Optional(FallbackTrunk),
    }),
  ),
});

export const SystemDocument = request({
  home: Id,
  homeName: Type.String({ maxLength: 64 }),
  reportEvery: Type.Integer({ minimum: 5_000 }),
});

/** The applets that a home's gateways run. */
export const AppletsDocument = request({
  /** Key (SubjectPublicKeyInfo, base 64) whose countersignature a package must carry. */
  operatorKey: Type.String({ maxLength: 128 }),
  installs: Type.Array(
    request({
      install: Id,
      application: AppId,
      version: AppVersion,
      /** Applet versions that the cloud half works with. */
      matches: Type.String({ maxLength: 64 }),
      /** SHA-256 of the package's canonical text. */
      sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      /** Names of the permissions that the subscriber has consented to. */
      grants: Type.Array(Type.String({ maxLength: 32 }), { maxItems: 32 }),
    }),
    { maxItems: 32 },
  ),
});

/**
 * The features of a home's lines, for the calls that its gateway switches; a line that has none is absent. `brief`: the lists of the line
 * are left out, since the document has no room for them; `nameless`: its contacts are.
 */
export const FeaturesDocument = request({
  lines: Type.Array(
    request({
      ...{ line: Id, features: LineFeatures, stamps: FeatureStamps },
      ...{ brief: Type.Optional(Type.Literal(true)), nameless: Type.Optional(Type.Literal(true)) },
    }),
    { maxItems: 64 },
  ),
});

/** Documents by name; the version stands beside, not inside. */
export const documents = {
  voice: VoiceDocument,
  system: SystemDocument,
  applets: AppletsDocument,
  features: FeaturesDocument,
} as const;
export type DocumentName = keyof typeof documents;
export type VoiceDocument = Type.Static<typeof VoiceDocument>;
export type SystemDocument = Type.Static<typeof SystemDocument>;
export type AppletsDocument = Type.Static<typeof AppletsDocument>;
export type FeaturesDocument = Type.Static<typeof FeaturesDocument>;

/** Body of a message of channel `desired`. */
export const Desired = Type.Object({
  doc: Type.String({ maxLength: 32 }),
  version: Type.Integer(),
  body: Type.Unknown(),
});

/** A gateway's own state in `reported/voice`. */
export const VoiceReport = Type.Object({
  flow: literals('up', 'down'),
  registrations: Type.Array(Type.Object({ line: Id, contacts: Type.Integer(), since: At })),
  calls: Type.Integer(),
});
export type VoiceReport = Type.Static<typeof VoiceReport>;
