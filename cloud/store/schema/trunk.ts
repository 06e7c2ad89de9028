import type { Migration } from '../migration.ts';

/** The world outside: trunks, where homes are, emergency calls, and homes that may not call out. */
export const trunkSchema: Migration = {
  name: '0016-trunk',
  statements: [
    // `body` is the settings (shared/protocol/verbs/trunk.ts); `secret` the password, sealed.
    'CREATE TABLE trunk (id TEXT PRIMARY KEY, body TEXT NOT NULL, secret TEXT, created_at INTEGER NOT NULL)',
    'CREATE TABLE home_location (home TEXT PRIMARY KEY, body TEXT NOT NULL, changed_at INTEGER NOT NULL)',
    // `policy`: which way emergency calls go; `outside`: what homes may do outside.
    'CREATE TABLE outside_setting (name TEXT PRIMARY KEY, body TEXT NOT NULL, changed_at INTEGER NOT NULL)',
    'CREATE TABLE emergency_call (id TEXT PRIMARY KEY, at INTEGER NOT NULL, home TEXT, line TEXT, party_from TEXT NOT NULL, dialled TEXT NOT NULL, service TEXT NOT NULL, by TEXT NOT NULL, trunk TEXT, outcome TEXT, ended_at INTEGER)',
    'CREATE INDEX emergency_call_line ON emergency_call (line, at)',
    // Addresses that held a registration: who calls for help from there needs no credential for a day.
    'CREATE TABLE registered_address (address TEXT PRIMARY KEY, line TEXT NOT NULL, at INTEGER NOT NULL)',
    'CREATE TABLE barring (home TEXT PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL)',
  ],
};
