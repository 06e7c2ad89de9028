import type { Migration } from '../migration.ts';

/** Recordings of calls, numbers that applications answer, and the features of lines. */
export const callSchema: Migration = {
  name: '0012-call',
  statements: [
    'CREATE TABLE recording (id TEXT PRIMARY KEY, session TEXT NOT NULL, sound TEXT NOT NULL, home TEXT, state TEXT NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER, octets INTEGER)',
    'CREATE INDEX recording_session ON recording (session, sound)',
    'CREATE INDEX recording_home ON recording (home, id)',
    // What phones of a home may dial that an application answers; `trigger` rows stand before the callee's own phones.
    'CREATE TABLE call_route (id TEXT PRIMARY KEY, home TEXT NOT NULL, match TEXT NOT NULL, application TEXT NOT NULL, created_at INTEGER NOT NULL, UNIQUE (home, match))',
    // One document per line (`shared/call/features`).
    'CREATE TABLE line_feature (line TEXT PRIMARY KEY, home TEXT NOT NULL, body TEXT NOT NULL, changed_at INTEGER NOT NULL)',
  ],
};
