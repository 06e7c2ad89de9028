import type { Migration } from '../migration.ts';

/** What the number of a caller from outside proved to be. */
export const verifiedCallerSchema: Migration = {
  name: '0018-verified-caller',
  statements: ['ALTER TABLE cdr ADD COLUMN verstat TEXT'],
};
