import type { Migration } from '../migration.ts';

/** Which softswitch process has an established call, and over whose flow a phone registered; empty where there is but one. */
export const softswitchProcessSchema: Migration = {
  name: '0021-softswitch-process',
  statements: [
    "ALTER TABLE channel ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    // The dialog's Call-ID: a request inside a dialog that a process does not know is looked up by it.
    "ALTER TABLE channel ADD COLUMN call_id TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX channel_call_id ON channel (call_id) WHERE call_id <> ''",
    "ALTER TABLE binding ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE binding ADD COLUMN flow TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX binding_flow ON binding (owner, flow) WHERE owner <> ''",
  ],
};
