import type { Migration } from '../migration.ts';

/** Releases of the gateways' image, rollouts of them, and what gateways report of their updates. */
export const rolloutSchema: Migration = {
  name: '0015-rollout',
  statements: [
    'CREATE TABLE release (id TEXT PRIMARY KEY, version TEXT NOT NULL, board TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, url TEXT, notes TEXT, state TEXT NOT NULL, created_at INTEGER NOT NULL, UNIQUE (version, board))',
    // `stages` and `homes` are JSON; `open_board` is the board while the rollout runs or is paused, so that it has one at a time.
    'CREATE TABLE rollout (id TEXT PRIMARY KEY, release TEXT NOT NULL, state TEXT NOT NULL, open_board TEXT UNIQUE, why TEXT, stage INTEGER NOT NULL, stages TEXT NOT NULL, error_rate REAL NOT NULL, silence INTEGER NOT NULL, homes TEXT, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL)',
    // `place` is the order in which the gateways are asked; `stage` is the one in which this one was.
    'CREATE TABLE rollout_gateway (rollout TEXT NOT NULL, gateway TEXT NOT NULL, home TEXT NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL, stage INTEGER, reason TEXT, text TEXT, heard_at INTEGER, PRIMARY KEY (rollout, gateway))',
    'CREATE INDEX rollout_gateway_place ON rollout_gateway (rollout, place)',
    // The newest word on each update of each gateway, as it was reported; `n` is the order of their beginnings.
    'CREATE TABLE gateway_update (gateway TEXT NOT NULL, job TEXT NOT NULL, n INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (gateway, job))',
  ],
};
