/** Claims made beforehand, by the SHA-256 of their text; the key that has used one, and the gateway it became. */
import type { Migration } from '../migration.ts';

export const gatewayClaimSchema: Migration = {
  name: '0014-gateway-claim',
  statements: [
    'CREATE TABLE gateway_claim (id TEXT PRIMARY KEY, home TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, name TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, key_hash TEXT, gateway TEXT, used_at INTEGER)',
    'CREATE INDEX gateway_claim_home ON gateway_claim (home)',
  ],
};
