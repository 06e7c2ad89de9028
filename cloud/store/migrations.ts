/** The one set of migrations, in order; a released one is never changed. */
import { billingSchema } from './schema/billing.ts';
import { directorySchema } from './schema/directory.ts';
import { farmSchema } from './schema/farm.ts';
import { sessionSchema } from './schema/session.ts';

export interface Migration {
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [directorySchema, sessionSchema, billingSchema, farmSchema];
