import type { Migration } from '../migration.ts';

/** What homes used besides calls and has not been taken from their balances yet. */
export const chargeSchema: Migration = {
  name: '0017-charge',
  statements: [
    'CREATE TABLE charge (n INTEGER PRIMARY KEY AUTOINCREMENT, home TEXT NOT NULL, amount INTEGER NOT NULL, at INTEGER NOT NULL)',
  ],
};
