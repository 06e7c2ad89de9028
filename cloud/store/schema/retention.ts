import type { Migration } from '../migration.ts';

/**
 * What is removed when it is old: the operator's periods and what has gone, how far each gateway has told what it holds, and the places
 * by which the old is found. Lists of records go by home, or each would read all the records that there are.
 */
export const retentionSchema: Migration = {
  name: '0026-retention',
  statements: [
    // `days` NULL: the default; 0: kept for ever. `at`: when rows went last, wall clock, ms.
    'CREATE TABLE retention (name TEXT PRIMARY KEY, days INTEGER, removed INTEGER NOT NULL DEFAULT 0, at INTEGER)',
    "INSERT INTO retention (name) VALUES ('sessions'), ('records')",
    // See `cloud/farm/oamp/told.ts`.
    'CREATE TABLE gateway_told (gateway TEXT PRIMARY KEY, last INTEGER NOT NULL, at INTEGER NOT NULL, position INTEGER NOT NULL, passed INTEGER NOT NULL, told_at INTEGER NOT NULL, told_position INTEGER NOT NULL)',
    'CREATE INDEX cdr_home ON cdr (home, end_at) WHERE home IS NOT NULL',
    'CREATE INDEX cdr_payer ON cdr (payer, end_at) WHERE payer IS NOT NULL',
    'CREATE INDEX event_age ON event (at)',
    'CREATE INDEX delivery_age ON delivery (created_at)',
    'CREATE INDEX audit_age ON audit (at)',
    'CREATE INDEX idempotency_age ON idempotency (at)',
  ],
};
