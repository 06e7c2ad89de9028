/** The one set of migrations, in order; a released one is never changed. */
import type { Migration } from './migration.ts';
import { billingSchema } from './schema/billing.ts';
import { directorySchema } from './schema/directory.ts';
import { eventSchema } from './schema/event.ts';
import { farmSchema } from './schema/farm.ts';
import { homeNetworkingSchema } from './schema/home-networking.ts';
import { sessionSchema } from './schema/session.ts';

export const migrations: readonly Migration[] = [
  directorySchema,
  sessionSchema,
  billingSchema,
  farmSchema,
  homeNetworkingSchema,
  eventSchema,
];
