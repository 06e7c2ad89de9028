/** When each field of a line's features was changed last (`shared/call/features/merge.ts`), as JSON. */
import type { Migration } from '../migration.ts';

export const featureStampsSchema: Migration = {
  name: '0019-feature-stamps',
  statements: ['ALTER TABLE line_feature ADD COLUMN stamps TEXT'],
};
