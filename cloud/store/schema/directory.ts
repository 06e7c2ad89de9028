import type { Migration } from '../migration.ts';

/** Homes, accounts, lines, gateways, their documents, pairing, alarms, audit; and the idempotency keys of every POST and event. */
export const directorySchema: Migration = {
  name: '0001-directory',
  statements: [
    'CREATE TABLE home (id TEXT PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL)',
    'CREATE TABLE account (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, salt TEXT NOT NULL, password_hash TEXT NOT NULL, created_at INTEGER NOT NULL)',
    'CREATE TABLE account_home (account TEXT NOT NULL, home TEXT NOT NULL, PRIMARY KEY (account, home))',
    // A token is kept as its SHA-256; `account` is an account's id or `operator`.
    'CREATE TABLE token (hash TEXT PRIMARY KEY, account TEXT NOT NULL, role TEXT NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER)',
    'CREATE TABLE line (id TEXT PRIMARY KEY, home TEXT NOT NULL, number TEXT NOT NULL UNIQUE, username TEXT NOT NULL UNIQUE, name TEXT, class TEXT NOT NULL, kind TEXT NOT NULL, ha1_md5 TEXT NOT NULL, ha1_sha256 TEXT NOT NULL, created_at INTEGER NOT NULL)',
    'CREATE INDEX line_home ON line (home)',
    'CREATE TABLE gateway (id TEXT PRIMARY KEY, home TEXT NOT NULL, key_hash TEXT NOT NULL UNIQUE, state TEXT NOT NULL, stage TEXT, cause TEXT, profile TEXT, version TEXT, certificate_serial TEXT, previous_serial TEXT, claimed_at INTEGER NOT NULL, paired_at INTEGER, epoch INTEGER NOT NULL DEFAULT 0, online INTEGER NOT NULL DEFAULT 0)',
    'CREATE INDEX gateway_home ON gateway (home)',
    'CREATE TABLE pairing_code (code_hash TEXT PRIMARY KEY, key_hash TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, version TEXT NOT NULL, expires_at INTEGER NOT NULL)',
    // Wrong pairing codes by account and by home: how many in a row, and the moment before which no other is looked at.
    'CREATE TABLE pairing_tries (who TEXT PRIMARY KEY, wrong INTEGER NOT NULL, until INTEGER NOT NULL, at INTEGER NOT NULL)',
    'CREATE TABLE desired (home TEXT NOT NULL, doc TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (home, doc))',
    'CREATE TABLE reported (gateway TEXT NOT NULL, doc TEXT NOT NULL, applied INTEGER NOT NULL, state TEXT NOT NULL, error TEXT, body TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (gateway, doc))',
    'CREATE TABLE alarm (id TEXT PRIMARY KEY, source TEXT NOT NULL, home TEXT, gateway TEXT, severity TEXT NOT NULL, cause TEXT NOT NULL, text TEXT NOT NULL, raised_at INTEGER NOT NULL, cleared_at INTEGER)',
    'CREATE TABLE audit (id TEXT PRIMARY KEY, at INTEGER NOT NULL, account TEXT NOT NULL, verb TEXT NOT NULL, target TEXT, outcome TEXT NOT NULL)',
    'CREATE TABLE idempotency (scope TEXT NOT NULL, key TEXT NOT NULL, body_hash TEXT NOT NULL, reply TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (scope, key))',
  ],
};
