import type { Migration } from '../migration.ts';

/**
 * Service sessions: the journal (what happened, in order), the folded state beside it, and the commands that must still
 * reach a server. `journal.position` counts over all sessions and is the cursor of whoever reads along (billing).
 */
export const sessionSchema: Migration = {
  name: '0002-session',
  statements: [
    'CREATE TABLE journal (position INTEGER PRIMARY KEY, session TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, leg TEXT, cause TEXT, data TEXT NOT NULL, UNIQUE (session, seq))',
    'CREATE TABLE session (id TEXT PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, created_at INTEGER NOT NULL, ended_at INTEGER, body TEXT NOT NULL)',
    'CREATE INDEX session_age ON session (created_at, id)',
    "CREATE INDEX session_live ON session (state) WHERE state <> 'ended'",
    'CREATE TABLE session_home (home TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (home, session))',
    // Commands still to be carried out for a leg that ended; each is harmless when repeated.
    'CREATE TABLE outbox (session TEXT NOT NULL, n INTEGER NOT NULL, verb TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (session, n))',
  ],
};
