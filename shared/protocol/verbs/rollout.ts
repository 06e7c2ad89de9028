import Type from 'typebox';
import { At, Cursor, Empty, Id, listOf, literals, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

/** Releases of the gateways' image, and rollouts that bring one of them to the gateways in stages. */
export const ReleaseVersion = Type.String({ pattern: '^(0|[1-9][0-9]{0,5})(\\.(0|[1-9][0-9]{0,5})){2}$' });
/** RAUC's `compatible`: the board that a bundle is made for. */
export const BoardName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' });
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
/** Octets of a bundle, and those of one part of its upload. */
export const BUNDLE_LIMIT = 1024 * 1024 * 1024;
export const UPLOAD_PART = 256 * 1024;
export const BundleSize = Type.Integer({ minimum: 1, maximum: BUNDLE_LIMIT });
const BundleUrl = Type.String({ maxLength: 512, pattern: '^https?://[^\\s"<>]+$' });
const Count = Type.Integer({ minimum: 0 });
const Notes = Type.String({ maxLength: 2000 });

export const Release = Type.Object({
  id: Id,
  version: ReleaseVersion,
  board: BoardName,
  sha256: Sha256,
  size: BundleSize,
  /** Where the bundle lies, if not in the cloud itself. */
  url: Type.Optional(BundleUrl),
  notes: Type.Optional(Notes),
  state: literals('waiting', 'ready', 'withdrawn'),
  /** Octets uploaded so far, while it waits. */
  uploaded: Type.Optional(Count),
  createdAt: At,
});

export const rolloutStates = ['running', 'paused', 'stopped', 'done'] as const;
/** Where a gateway stands in a rollout. `silent`, `failed` and `back` count as failed; `skipped` counts as nothing. */
export const memberStates = [
  'waiting',
  'asked',
  'downloading',
  'installing',
  'rebooting',
  'proving',
  'good',
  'back',
  'failed',
  'silent',
  'skipped',
] as const;

const Stage = Type.Object({ percent: Count, gateways: Count, started: Count, good: Count, failed: Count });

export const Rollout = Type.Object({
  id: Id,
  release: Id,
  version: ReleaseVersion,
  board: BoardName,
  state: literals(...rolloutStates),
  /** Why it stopped or is paused, in plain words. */
  why: Type.Optional(Type.String()),
  /** The stage it is in, counted from 1. */
  stage: Count,
  stages: Type.Array(Stage),
  /** Share of a stage's gateways that may fail, 0 to 1. */
  errorRate: Type.Number(),
  /** Milliseconds without a word after which a gateway counts as failed. */
  silence: Count,
  homes: Type.Optional(Type.Array(Id)),
  gateways: Type.Object({ all: Count, waiting: Count, active: Count, good: Count, failed: Count, skipped: Count }),
  createdAt: At,
  changedAt: At,
});

/** What is known of an update on one gateway. */
const report = {
  version: Type.Optional(Type.String({ maxLength: 32 })),
  from: Type.Optional(Type.String({ maxLength: 32 })),
  state: literals('downloading', 'installing', 'rebooting', 'proving', 'good', 'back', 'failed'),
  /** A fault code. */
  reason: Type.Optional(Type.String({ maxLength: 64 })),
  text: Type.Optional(Type.String({ maxLength: 512 })),
  /** After a way back: how far the new system came, how often it was started, and its last lines. */
  stage: Type.Optional(literals('none', 'kernel', 'init', 'agent', 'session')),
  attempts: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
  lines: Type.Optional(Type.Array(Type.String({ maxLength: 200 }), { maxItems: 50 })),
};

export const UpdateReport = Type.Object({ job: Id, at: At, ...report });
const Job = {
  job: Id,
  version: Type.Optional(ReleaseVersion),
  board: Type.Optional(BoardName),
  sha256: Type.Optional(Sha256),
  size: Type.Optional(BundleSize),
};

/** What a gateway tells of its systems and updates. */
export const UpdateStatus = Type.Object({
  /** False: no image with two systems. */
  possible: Type.Boolean(),
  board: Type.Optional(Type.String()),
  version: Type.Optional(Type.String()),
  slot: Type.Optional(literals('A', 'B')),
  /** The running system has proved itself. */
  good: Type.Optional(Type.Boolean()),
  /** No version older than this is taken. */
  floor: Type.Optional(Type.String()),
  state: Type.String(),
  job: Type.Optional(Id),
  wanted: Type.Optional(Type.String()),
  /** Octets of the bundle that are here. */
  octets: Type.Optional(Count),
  size: Type.Optional(Count),
  /** Bundles on mounted sticks; a technician installs one by name. */
  found: Type.Array(Type.String()),
  history: Type.Array(UpdateReport),
});

const operator = { family: 'operations', orientation: 'non-voice', server: 'oamp', roles: ['operator'] } as const;

export const rolloutVerbs = verbTable({
  'release.create': {
    ...operator,
    about: 'Makes a release of the gateways’ image: a version for one board, named by size and SHA-256 of its bundle.',
    request: request({
      version: ReleaseVersion,
      board: BoardName,
      sha256: Sha256,
      size: BundleSize,
      url: Type.Optional(BundleUrl),
      notes: Type.Optional(Notes),
    }),
    reply: Release,
    faults: ['release_exists', 'limit_reached'],
    scope: 'releases:write',
    http: { method: 'POST', path: '/v1/releases', status: 201 },
    cli: 'release create',
    example: { version: '1.2.0', board: 'hearthline-rpi-arm64', sha256: '0'.repeat(64), size: 118_000_000 },
  },
  'release.list': {
    ...operator,
    about: 'Lists the releases, newest first.',
    request: Cursor,
    reply: listOf(Release),
    faults: [],
    scope: 'releases:read',
    http: { method: 'GET', path: '/v1/releases', status: 200 },
    cli: 'release list',
    columns: ['id', 'version', 'board', 'state', 'size'],
    example: {},
  },
  'release.get': {
    ...operator,
    about: 'Shows one release.',
    request: request({ release: Id }),
    reply: Release,
    faults: [],
    scope: 'releases:read',
    http: { method: 'GET', path: '/v1/releases/{release}', status: 200 },
    cli: 'release show',
    example: { release: 'rel_1' },
  },
  'release.upload': {
    ...operator,
    about: 'Adds the next part of a release’s bundle; the last part makes the release ready if its SHA-256 is right.',
    request: request({
      release: Id,
      offset: Count,
      data: Type.String({
        maxLength: Math.ceil(UPLOAD_PART / 3) * 4,
        pattern: '^[A-Za-z0-9+/]*={0,2}$',
        description: 'base 64 of at most 256 KiB',
      }),
    }),
    reply: Release,
    faults: ['release_not_ready', 'update_damaged', 'update_no_room'],
    scope: 'releases:write',
    http: { method: 'PUT', path: '/v1/releases/{release}/bundle', status: 200, bodyLimit: 2 * UPLOAD_PART },
    example: { release: 'rel_1', offset: 0, data: 'AAAA' },
  },
  'release.withdraw': {
    ...operator,
    about: 'Withdraws a release: no gateway gets it any more, its rollouts stop, its bundle is removed.',
    request: request({ release: Id }),
    reply: Release,
    faults: [],
    scope: 'releases:write',
    http: { method: 'POST', path: '/v1/releases/{release}/withdraw', status: 200 },
    cli: 'release withdraw',
    example: { release: 'rel_1' },
  },
  'release.ticket': {
    ...operator,
    about: 'A gateway that is to install a release asks where its bundle lies; a ticket lasts five minutes.',
    request: request({ release: Id }),
    reply: Type.Object({ path: Type.Optional(Type.String()), url: Type.Optional(BundleUrl) }),
    faults: ['release_not_ready'],
    gateway: ['req'],
    example: { release: 'rel_1' },
  },
  'release.open': {
    ...operator,
    about: 'The open API asks whether a ticket opens a release’s bundle, and how large it is.',
    request: request({ release: Id, ticket: Type.String({ maxLength: 160 }) }),
    reply: Type.Object({ size: BundleSize, sha256: Sha256 }),
    faults: ['ticket_invalid', 'release_not_ready'],
    example: { release: 'rel_1', ticket: '1.gw_1.0' },
  },
  'rollout.create': {
    ...operator,
    about: 'Brings a release to gateways in stages; it stops by itself when too many of them fail or fall silent.',
    request: request({
      release: Id,
      /** Default: every home. */
      homes: Type.Optional(Type.Array(Id, { minItems: 1, maxItems: 1000 })),
      /** Rising percentages; default 1, 10, 100. */
      stages: Type.Optional(Type.Array(Type.Integer({ minimum: 1, maximum: 100 }), { minItems: 1, maxItems: 10 })),
      /** Share of a stage's gateways that may fail; default 0.1. */
      errorRate: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      /** Milliseconds; default 30 minutes. */
      silence: Type.Optional(Type.Integer({ minimum: 60_000, maximum: 86_400_000 })),
    }),
    reply: Rollout,
    faults: ['release_not_ready', 'rollout_running'],
    scope: 'rollouts:write',
    http: { method: 'POST', path: '/v1/rollouts', status: 201 },
    cli: 'rollout create',
    example: { release: 'rel_1', stages: [1, 10, 100], errorRate: 0.1 },
  },
  'rollout.list': {
    ...operator,
    about: 'Lists the rollouts, newest first.',
    request: Cursor,
    reply: listOf(Rollout),
    faults: [],
    scope: 'rollouts:read',
    http: { method: 'GET', path: '/v1/rollouts', status: 200 },
    cli: 'rollout list',
    columns: ['id', 'version', 'state', 'stage', 'why'],
    example: {},
  },
  'rollout.get': {
    ...operator,
    about: 'Shows how far a rollout is.',
    request: request({ rollout: Id }),
    reply: Rollout,
    faults: [],
    scope: 'rollouts:read',
    http: { method: 'GET', path: '/v1/rollouts/{rollout}', status: 200 },
    cli: 'rollout show',
    example: { rollout: 'rol_1' },
  },
  'rollout.gateways': {
    ...operator,
    about: 'Lists the gateways of a rollout with what each has reached and why it failed.',
    request: request({
      rollout: Id,
      ...Cursor.properties,
      state: Type.Optional(literals(...memberStates)),
    }),
    reply: listOf(
      Type.Object({
        gateway: Id,
        home: Id,
        state: literals(...memberStates),
        /** The stage in which it was asked, counted from 1. */
        stage: Type.Optional(Count),
        from: Type.Optional(Type.String()),
        reason: Type.Optional(Type.String()),
        text: Type.Optional(Type.String()),
        reached: Type.Optional(Type.String()),
        attempts: Type.Optional(Count),
        lines: Type.Optional(Type.Array(Type.String())),
        heardAt: Type.Optional(At),
      }),
    ),
    faults: [],
    scope: 'rollouts:read',
    http: { method: 'GET', path: '/v1/rollouts/{rollout}/gateways', status: 200 },
    cli: 'rollout gateways',
    columns: ['gateway', 'state', 'stage', 'reason', 'reached', 'attempts'],
    example: { rollout: 'rol_1' },
  },
  'rollout.pause': act('pause', 'Asks no further gateway until the rollout is resumed; those at work go on.'),
  'rollout.resume': act('resume', 'Goes on with a paused rollout.'),
  'rollout.stop': act('stop', 'Ends a rollout; gateways that still download are told to stop.'),
  'update.report': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'A gateway tells how far an update is, and why one failed or was undone.',
    request: request({ job: Id, at: At, ...report }),
    reply: Empty,
    faults: [],
    gateway: ['event'],
    example: { job: 'rol_1', at: 0, state: 'good', version: '1.2.0' },
  },
  'gateway.updates': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about: 'Lists the updates that a gateway has reported, newest first; also of a gateway that is away.',
    request: request({ gateway: Id, ...Cursor.properties }),
    reply: listOf(UpdateReport),
    faults: [],
    scope: 'diagnosis:read',
    roles: ['operator', 'technician', 'subscriber'],
    http: { method: 'GET', path: '/v1/gateways/{gateway}/updates', status: 200 },
    cli: 'gateway updates',
    columns: ['at', 'state', 'from', 'version', 'reason', 'stage', 'attempts'],
    example: { gateway: 'gw_1' },
  },
  'update.start.local': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'The gateway installs a release of its cloud, or a bundle from a URL or a file; the same job is one update.',
    request: request({
      ...Job,
      release: Type.Optional(Id),
      url: Type.Optional(BundleUrl),
      file: Type.Optional(Type.String({ maxLength: 256, pattern: '^/[^\\u0000-\\u001f\\u007f]+$' })),
    }),
    reply: Type.Object({ state: Type.String(), report: Type.Optional(UpdateReport) }),
    faults: ['update_not_possible', 'update_busy', 'gateway_refused'],
    gateway: ['cmd'],
    example: { job: 'rol_1', release: 'rel_1', version: '1.2.0' },
  },
  'update.stop.local': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'user-agent',
    about: 'The gateway stops an update that is not yet installed.',
    request: request({ job: Id }),
    reply: Type.Object({ stopped: Type.Boolean() }),
    faults: [],
    gateway: ['cmd'],
    example: { job: 'rol_1' },
  },
});

function act<const P extends 'pause' | 'resume' | 'stop'>(word: P, about: string) {
  return {
    ...operator,
    about,
    request: request({ rollout: Id }),
    reply: Rollout,
    faults: ['rollout_over'],
    scope: 'rollouts:write',
    http: { method: 'POST', path: `/v1/rollouts/{rollout}/${word}`, status: 200 },
    cli: `rollout ${word}`,
    example: { rollout: 'rol_1' },
  } as const;
}
