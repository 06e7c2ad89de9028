import type { Migration } from '../migration.ts';

/** What the farm's servers keep to survive a restart. */
export const farmSchema: Migration = {
  name: '0004-farm',
  statements: [
    // The conference server's rooms, and who sits in them; `seat` orders the roster.
    'CREATE TABLE conference_room (session TEXT PRIMARY KEY, room TEXT NOT NULL, size INTEGER NOT NULL)',
    'CREATE TABLE conference_party (session TEXT NOT NULL, leg TEXT NOT NULL, node TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, muted INTEGER NOT NULL, seat INTEGER NOT NULL, PRIMARY KEY (session, leg))',
    // Softswitch: one row per dialog of an established call, enough to go on after a restart; facts not yet told to the session manager.
    'CREATE TABLE channel (session TEXT NOT NULL, leg TEXT NOT NULL, call TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session, leg))',
    'CREATE INDEX channel_call ON channel (call)',
    'CREATE TABLE binding (line TEXT NOT NULL, uri TEXT NOT NULL, body TEXT NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (line, uri))',
    'CREATE TABLE spool (id TEXT PRIMARY KEY, verb TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL)',
  ],
};
