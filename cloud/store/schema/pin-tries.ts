import type { Migration } from '../migration.ts';

/** Wrong PINs of lines, so that a restart gives nobody who guesses further tries: a row of a line that was wrong of late. */
export const pinTriesSchema: Migration = {
  name: '0025-pin-tries',
  statements: [
    'CREATE TABLE pin_tries (line TEXT PRIMARY KEY, since INTEGER NOT NULL, wrong INTEGER NOT NULL, until INTEGER NOT NULL, lock INTEGER NOT NULL)',
  ],
};
