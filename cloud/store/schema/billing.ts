import type { Migration } from '../migration.ts';

/** Money in integer micro-units. A record's id is derived from session and leg, so that no leg can be billed twice. */
export const billingSchema: Migration = {
  name: '0003-billing',
  statements: [
    'CREATE TABLE cdr (id TEXT PRIMARY KEY, session TEXT NOT NULL, leg TEXT NOT NULL, home TEXT, payer TEXT, party_from TEXT NOT NULL, party_to TEXT NOT NULL, start_at INTEGER NOT NULL, answer_at INTEGER, end_at INTEGER NOT NULL, seconds INTEGER NOT NULL, reason TEXT NOT NULL, price INTEGER NOT NULL)',
    'CREATE INDEX cdr_age ON cdr (end_at, id)',
    'CREATE INDEX cdr_session ON cdr (session)',
    'CREATE TABLE balance (home TEXT PRIMARY KEY, mode TEXT NOT NULL, balance INTEGER NOT NULL)',
    'CREATE TABLE reservation (session TEXT NOT NULL, leg TEXT NOT NULL, home TEXT NOT NULL, amount INTEGER NOT NULL, per_minute INTEGER NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (session, leg))',
    'CREATE INDEX reservation_home ON reservation (home)',
    // Longest prefix wins. `increment_s`: talk is charged in whole steps of so many seconds.
    'CREATE TABLE rate (prefix TEXT PRIMARY KEY, per_minute INTEGER NOT NULL, increment_s INTEGER NOT NULL)',
    "INSERT INTO rate (prefix, per_minute, increment_s) VALUES ('+', 90000, 60), ('+1', 20000, 6), ('+1555010', 10000, 1)",
    'CREATE TABLE billing_cursor (name TEXT PRIMARY KEY, position INTEGER NOT NULL)',
    "INSERT INTO billing_cursor (name, position) VALUES ('journal', 0)",
  ],
};
