import type { Migration } from '../migration.ts';

/**
 * The event log of the platform: one row per fact that people and applications may hear of, written in the transaction of its effect.
 * `position` is the cursor of whoever reads along (webhooks, streams, applications). Session facts stand in the journal, not here.
 */
export const eventSchema: Migration = {
  name: '0006-event',
  statements: [
    'CREATE TABLE event (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, home TEXT, session TEXT, type TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data TEXT NOT NULL)',
    'CREATE INDEX event_home ON event (home, position)',
  ],
};
