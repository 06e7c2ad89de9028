import type { Migration } from '../migration.ts';

/**
 * Mail: mailboxes with their addresses, the mails in them, and what must still go to other domains. The octets of a mail stand once
 * (`mail_raw`), in the same database as everything that names them, so that one commit takes a mail in or none of it.
 */
export const emailSchema: Migration = {
  name: '0008-email',
  statements: [
    // kind: `home`, `line`, `application` (an address with a tag), `operator` (postmaster, no home). `used` and `quota` in octets.
    'CREATE TABLE mailbox (id TEXT PRIMARY KEY, home TEXT, line TEXT UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL, notices INTEGER NOT NULL, salt TEXT, password_hash TEXT, used INTEGER NOT NULL DEFAULT 0, quota INTEGER NOT NULL, created_at INTEGER NOT NULL)',
    'CREATE INDEX mailbox_home ON mailbox (home)',
    // The part before the @, lower case; `place` 0 is the address that the mailbox sends from.
    'CREATE TABLE mail_address (local TEXT PRIMARY KEY, mailbox TEXT NOT NULL, place INTEGER NOT NULL)',
    'CREATE INDEX mail_address_mailbox ON mail_address (mailbox, place)',
    // What a mail to `app+tag@` is for: `subject` is the install that asked for the address.
    'CREATE TABLE mail_tag (tag TEXT PRIMARY KEY, home TEXT NOT NULL, subject TEXT NOT NULL, mailbox TEXT NOT NULL)',
    'CREATE TABLE mail_raw (id TEXT PRIMARY KEY, octets BLOB NOT NULL)',
    'CREATE TABLE mail (id TEXT PRIMARY KEY, mailbox TEXT NOT NULL, home TEXT, folder TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, subject TEXT NOT NULL, message_id TEXT NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL, seen INTEGER NOT NULL, raw TEXT NOT NULL, checks TEXT)',
    'CREATE INDEX mail_mailbox ON mail (mailbox, id)',
    'CREATE INDEX mail_home ON mail (home, id)',
    'CREATE INDEX mail_raw_user ON mail (raw)',
    // What became of a sent mail at each recipient: queued, delivered, bounced.
    'CREATE TABLE mail_recipient (mail TEXT NOT NULL, address TEXT NOT NULL, state TEXT NOT NULL, detail TEXT, at INTEGER NOT NULL, PRIMARY KEY (mail, address))',
    // One row per recipient elsewhere; `leased_until` keeps two deliveries of one row apart. Times are wall clock, ms.
    'CREATE TABLE mail_queue (id TEXT PRIMARY KEY, mail TEXT NOT NULL, home TEXT, raw TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL, domain TEXT NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER NOT NULL, leased_until INTEGER NOT NULL, created_at INTEGER NOT NULL, error TEXT)',
    'CREATE INDEX mail_queue_due ON mail_queue (next_at)',
    'CREATE INDEX mail_queue_raw ON mail_queue (raw)',
    // How far the notices have read: about calls in the journal, about messages in the event log.
    'CREATE TABLE mail_cursor (name TEXT PRIMARY KEY, position INTEGER NOT NULL)',
    "INSERT INTO mail_cursor (name, position) VALUES ('journal', 0), ('event', 0)",
    'CREATE TABLE mail_notice (id TEXT PRIMARY KEY, at INTEGER NOT NULL)',
  ],
};
