/**
 * Desired and reported documents: the cloud bumps `version` and sends the whole document; the gateway applies it, keeps
 * the last good one on disk, and reports `{applied, state, error?}` with a body of its own.
 */
import Type from 'typebox';
import { At, Id, literals, request } from './schema.ts';

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
});

export const SystemDocument = request({
  home: Id,
  homeName: Type.String({ maxLength: 64 }),
  reportEvery: Type.Integer({ minimum: 5_000 }),
});

/** Documents by name; the version stands beside, not inside. */
export const documents = { voice: VoiceDocument, system: SystemDocument } as const;
export type DocumentName = keyof typeof documents;
export type VoiceDocument = Type.Static<typeof VoiceDocument>;
export type SystemDocument = Type.Static<typeof SystemDocument>;

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
