import Type from 'typebox';
import { At, Empty, request } from '../schema.ts';
import { verbTable } from '../verb.ts';

const Days = Type.Integer({ minimum: 0, maximum: 36_500, description: 'days; 0 keeps for ever' });

const Kept = Type.Object({
  days: Days,
  /** Rows of sessions or records that have gone so far, and when the last of them went. */
  removed: Type.Integer(),
  at: Type.Optional(At),
  /** The end of the oldest record, or the beginning of the oldest session. */
  oldestAt: Type.Optional(At),
});
/** `needed`: old ones that the last look had to leave, since something still counts on them. */
const Sessions = Type.Object({ ...Kept.properties, needed: Type.Integer() });

const Retention = Type.Object({
  sessions: Sessions,
  records: Kept,
  /** `free`: of these octets, those that what comes next is written into. */
  database: Type.Object({ octets: Type.Integer(), free: Type.Integer() }),
});

const roles = ['operator'] as const;

/** How long what happened is kept. */
export const retentionVerbs = verbTable({
  'retention.get': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about:
      'Shows how long sessions and call detail records are kept, how many have gone, and how large the database is.',
    request: Empty,
    reply: Retention,
    faults: [],
    scope: 'farm:read',
    roles,
    http: { method: 'GET', path: '/v1/retention', status: 200 },
    cli: 'retention show',
    example: {},
  },
  'retention.set': {
    family: 'operations',
    orientation: 'non-voice',
    server: 'oamp',
    about:
      'Sets how many days sessions and call detail records are kept after their end; 0 for ever. What is left out stays as it is. What is older goes within hours and does not come back.',
    request: request({ sessions: Type.Optional(Days), records: Type.Optional(Days) }),
    reply: Retention,
    faults: [],
    scope: 'farm:write',
    roles,
    http: { method: 'PUT', path: '/v1/retention', status: 200 },
    cli: 'retention set',
    example: { sessions: 90, records: 400 },
  },
});
