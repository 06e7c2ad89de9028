import type { Migration } from '../migration.ts';

/**
 * Messages, what became of them for every recipient and every phone, and groups. `message.position` is the order in which they were
 * accepted. A receipt on its way to the sender’s phones is a message of kind `receipt` without recipients.
 */
export const messagingSchema: Migration = {
  name: '0007-messaging',
  statements: [
    // `origin`: the name that the sender gave it (CPIM Message-ID). `receipts`: the dispositions that the sender wants to hear of.
    "CREATE TABLE message (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, origin TEXT, from_party TEXT NOT NULL, from_name TEXT, from_line TEXT, from_home TEXT, party TEXT NOT NULL, grp TEXT, session TEXT, leg TEXT, content_type TEXT NOT NULL, body TEXT NOT NULL, receipts TEXT NOT NULL DEFAULT '', created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL)",
    'CREATE INDEX message_age ON message (created_at)',
    'CREATE INDEX message_session ON message (session) WHERE session IS NOT NULL',
    'CREATE TABLE message_recipient (message TEXT NOT NULL, n INTEGER NOT NULL, party TEXT NOT NULL, line TEXT, home TEXT, state TEXT NOT NULL, reason TEXT, delivered_at INTEGER, read_at INTEGER, expires_at INTEGER NOT NULL, PRIMARY KEY (message, n))',
    'CREATE INDEX message_recipient_line ON message_recipient (line, message)',
    "CREATE INDEX message_recipient_waiting ON message_recipient (expires_at) WHERE state = 'waiting'",
    // `refused`: how often the phone said that it cannot take it now; each further try needs a new CSeq.
    // One row per phone that is to get it; device `` stands for the first phone of the line that comes.
    'CREATE TABLE message_copy (message TEXT NOT NULL, line TEXT NOT NULL, device TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, refused INTEGER NOT NULL DEFAULT 0, expires_at INTEGER NOT NULL, PRIMARY KEY (message, line, device))',
    "CREATE INDEX message_copy_waiting ON message_copy (line, position) WHERE state = 'waiting'",
    "CREATE INDEX message_copy_expiry ON message_copy (expires_at) WHERE state = 'waiting'",
    // Who sees it in a list.
    'CREATE TABLE message_home (home TEXT NOT NULL, position INTEGER NOT NULL, message TEXT NOT NULL, PRIMARY KEY (home, position))',
    'CREATE INDEX message_home_message ON message_home (message)',
    'CREATE TABLE message_device (line TEXT NOT NULL, device TEXT NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (line, device))',
    'CREATE TABLE message_group (id TEXT PRIMARY KEY, home TEXT NOT NULL, name TEXT NOT NULL, members TEXT NOT NULL, created_at INTEGER NOT NULL)',
    'CREATE INDEX message_group_home ON message_group (home, id)',
  ],
};
