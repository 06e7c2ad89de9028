/**
 * The manifest of a network application: which halves it has (cloud half, user applet), what each may do, and with which versions of
 * the other half it works. Everything that it does not name is denied.
 */
import Type from 'typebox';
import { literals, request } from './schema.ts';
import { RANGE_LIMIT } from './version.ts';

/** Level of the functions that the hosts offer; a package for a newer level is refused. */
export const API_LEVEL = 1;
/** Octets of a package's canonical text. */
export const PACKAGE_LIMIT = 1_000_000;

/** The id of an application: what a gateway asks the portal by. */
export const AppId = Type.String({ pattern: '^[a-z][a-z0-9-]{1,39}$', description: 'id of an application' });
export const AppVersion = Type.String({
  pattern: '^(0|[1-9][0-9]{0,5})\\.(0|[1-9][0-9]{0,5})\\.(0|[1-9][0-9]{0,5})$',
  description: 'major.minor.patch',
});
const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const words = (most: number) => Type.String({ minLength: 1, maxLength: most, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const few = (item: Type.TSchema, most = 16) => Type.Unsafe<string[]>({ ...Type.Array(item, { maxItems: most }) });

/** What a user applet may be granted, with its arguments. Absent: denied. */
export const Permissions = request({
  /** Starts and ends calls from the home's lines; `numbers`: which may be called (`*` at the end: any that begins so). */
  'call.control': Type.Optional(
    request({ numbers: few(words(32)), concurrent: Type.Integer({ minimum: 1, maximum: 8 }) }),
  ),
  /** Hears of the house's calls: ringing, answered, digits, ended. */
  'call.events': Type.Optional(request({})),
  /** Plays items of the media library to the home's phones; `*`: any item. */
  'media.play': Type.Optional(request({ items: few(words(64)) })),
  /** Sees appliances on the LAN of these types; `*`: any. */
  'lan.discover': Type.Optional(request({ types: few(words(128)) })),
  /** Sends HTTP requests to appliances of the inventory by name or type, to these paths only. */
  'lan.http': Type.Optional(
    request({
      devices: few(words(128)),
      methods: Type.Array(literals('GET', 'POST', 'PUT'), { maxItems: 3 }),
      paths: few(words(128)),
    }),
  ),
  storage: Type.Optional(request({ kb: Type.Integer({ minimum: 1, maximum: 1024 }) })),
  /** Wakes itself; `minimum`: ms between two wakings. */
  timer: Type.Optional(request({ minimum: Type.Integer({ minimum: 1000, maximum: 86_400_000 }) })),
  /** Talks to its own cloud half. */
  'cloud.send': Type.Optional(request({ perSecond: Type.Integer({ minimum: 1, maximum: 20 }) })),
});
export type Permissions = Type.Static<typeof Permissions>;
export type PermissionName = keyof Permissions;

export const Manifest = request({
  format: Type.Literal(1),
  id: AppId,
  version: AppVersion,
  name: words(64),
  about: words(400),
  api: Type.Integer({ minimum: 1, maximum: 1000 }),
  /** Versions of the other half that this version works with. */
  matches: Type.String({ minLength: 1, maxLength: RANGE_LIMIT }),
  /** The cloud half: a bundle for the application server, or an address that it is reached at by webhook. */
  cloud: Type.Optional(
    Type.Union([
      request({ sha256: Sha256 }),
      request({ webhook: Type.String({ maxLength: 512, pattern: '^https?://[^\\s<>"]+$' }) }),
    ]),
  ),
  applet: Type.Optional(request({ sha256: Sha256 })),
  /** Scopes of the open APIs that the cloud half needs. */
  scopes: few(Type.String({ pattern: '^[a-z-]{1,32}:(read|write)$' }), 32),
  /** Events that the cloud half hears: `home.message.v1.delivered`, or `home.message.v1.*`. */
  events: few(Type.String({ pattern: '^home\\.[a-z-]{1,32}\\.v1\\.([a-z.-]{1,32}|\\*)$' }), 32),
  /** Network service applications that it composes. */
  services: few(AppId),
  permissions: Permissions,
});
export type Manifest = Type.Static<typeof Manifest>;

const Signature = request({
  /** SubjectPublicKeyInfo, base 64. */
  key: Type.String({ maxLength: 128 }),
  /** Ed25519 (RFC 8032) over the canonical text of the manifest, base 64. */
  signature: Type.String({ maxLength: 128 }),
});

/** A package as it travels: one JSON document. */
export const AppPackage = request({
  hearthline: Type.Literal('application/1'),
  manifest: Manifest,
  /** The bundles, JavaScript text; their SHA-256 stand in the manifest. */
  bundles: request({
    cloud: Type.Optional(Type.String({ maxLength: PACKAGE_LIMIT })),
    applet: Type.Optional(Type.String({ maxLength: PACKAGE_LIMIT })),
  }),
  developer: Signature,
  /** Added by the e-center once the version is published; the only signature that gateways trust. */
  operator: Type.Optional(Signature),
});
export type AppPackage = Type.Static<typeof AppPackage>;
