import type { Migration } from '../migration.ts';

/** The appliances of each home, as the gateways last reported them. */
export const homeNetworkingSchema: Migration = {
  name: '0005-home-networking',
  statements: [
    'CREATE TABLE device (id TEXT NOT NULL, home TEXT NOT NULL, gateway TEXT NOT NULL, facts TEXT NOT NULL, present INTEGER NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (home, id))',
  ],
};
