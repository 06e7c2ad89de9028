import type { Migration } from '../migration.ts';

/**
 * An established call is one row, with what is known of both its sides: two rows said most of it twice, and stood in three trees. Several
 * softswitch processes find a call by its session and by the Call-IDs of its dialogs; one alone looks for none.
 */
export const callRowSchema: Migration = {
  name: '0024-call-row',
  statements: [
    'ALTER TABLE channel RENAME TO channel_before',
    "CREATE TABLE channel (call TEXT PRIMARY KEY, session TEXT NOT NULL, body TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', call_id TEXT NOT NULL DEFAULT '', other_id TEXT NOT NULL DEFAULT '')",
    "INSERT INTO channel SELECT call, session, json_object('call', json(json_extract(body, '$.call')), 'sides', json_group_array(json(json_remove(body, '$.call')))), owner, MIN(call_id), CASE WHEN COUNT(*) > 1 THEN MAX(call_id) ELSE '' END FROM channel_before GROUP BY call",
    'DROP TABLE channel_before',
    "CREATE INDEX channel_session ON channel (session) WHERE owner <> ''",
    "CREATE INDEX channel_call_id ON channel (call_id) WHERE call_id <> ''",
    "CREATE INDEX channel_other_id ON channel (other_id) WHERE other_id <> ''",
  ],
};
