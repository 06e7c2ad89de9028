import type { Migration } from '../migration.ts';

/** Who watches what at the softswitch (RFC 6665), so that a restarted one goes on telling. */
export const subscriptionSchema: Migration = {
  name: '0020-subscription',
  statements: ['CREATE TABLE subscription (tag TEXT PRIMARY KEY, body TEXT NOT NULL, expires_at INTEGER NOT NULL)'],
};
