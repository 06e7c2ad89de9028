import type { Migration } from '../migration.ts';

/** Calls to the outside of the last hour, where several softswitch processes keep one account of what a home spends. */
export const outsideCallSchema: Migration = {
  name: '0022-outside-call',
  statements: [
    'CREATE TABLE outside_call (id TEXT PRIMARY KEY, home TEXT NOT NULL, kind TEXT NOT NULL, per_minute INTEGER NOT NULL, begun_at INTEGER NOT NULL, answered_at INTEGER, ended_at INTEGER)',
    'CREATE INDEX outside_call_home ON outside_call (home)',
  ],
};
