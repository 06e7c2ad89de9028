import type { Migration } from '../migration.ts';

/**
 * What a call writes stands in as few trees as who reads it needs. A record is found by session and leg, of which its id is the hash: a
 * tree by random ids would touch a page of its own for each. Snapshots name their line and do not repeat it.
 */
export const leanCallSchema: Migration = {
  name: '0023-lean-call',
  statements: [
    'ALTER TABLE cdr RENAME TO cdr_before',
    'CREATE TABLE cdr (id TEXT NOT NULL, session TEXT NOT NULL, leg TEXT NOT NULL, home TEXT, payer TEXT, party_from TEXT NOT NULL, party_to TEXT NOT NULL, start_at INTEGER NOT NULL, answer_at INTEGER, end_at INTEGER NOT NULL, seconds INTEGER NOT NULL, reason TEXT NOT NULL, price INTEGER NOT NULL, verstat TEXT, UNIQUE (session, leg))',
    'INSERT INTO cdr SELECT id, session, leg, home, payer, party_from, party_to, start_at, answer_at, end_at, seconds, reason, price, verstat FROM cdr_before ORDER BY end_at',
    'DROP TABLE cdr_before',
    'CREATE INDEX cdr_age ON cdr (end_at)',
    'ALTER TABLE session_home RENAME TO session_home_before',
    'CREATE TABLE session_home (home TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (home, session)) WITHOUT ROWID',
    'INSERT INTO session_home SELECT home, session FROM session_home_before',
    'DROP TABLE session_home_before',
    'CREATE INDEX session_home_session ON session_home (session)',
    // In the order in which they are read at the start: by the old one's every session that there ever was had to be looked at.
    'DROP INDEX session_live',
    "CREATE INDEX session_live ON session (created_at, id) WHERE state <> 'ended'",
    "UPDATE channel SET body = json_set(body, '$.line', json_extract(body, '$.line.id')) WHERE json_extract(body, '$.line.id') IS NOT NULL",
  ],
};
