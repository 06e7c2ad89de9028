/** When a gateway that is away was last there, and why its connection ended. */
import type { Migration } from '../migration.ts';

export const gatewaySeenSchema: Migration = {
  name: '0013-gateway-seen',
  statements: ['ALTER TABLE gateway ADD COLUMN seen_at INTEGER', 'ALTER TABLE gateway ADD COLUMN away_because TEXT'],
};
