import type { Migration } from '../migration.ts';

/** Webhooks and their deliveries, API keys, OAuth 2 clients, consents and tokens, quality-on-demand sessions, the audit's chain. */
export const platformSchema: Migration = {
  name: '0009-platform',
  statements: [
    // `home` NULL: the operator's, for everything. `journal` and `log`: the place in both sources from which on it hears.
    'CREATE TABLE webhook (id TEXT PRIMARY KEY, account TEXT NOT NULL, home TEXT, consent TEXT, url TEXT NOT NULL, types TEXT NOT NULL, scopes TEXT, secret TEXT NOT NULL, about TEXT, state TEXT NOT NULL, version INTEGER NOT NULL, created_at INTEGER NOT NULL, journal INTEGER NOT NULL, log INTEGER NOT NULL)',
    'CREATE INDEX webhook_home ON webhook (home)',
    // `lane` orders: within a webhook and a lane nothing is tried before what came earlier.
    'CREATE TABLE delivery (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, webhook TEXT NOT NULL, event TEXT NOT NULL, type TEXT NOT NULL, lane TEXT NOT NULL, body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL, next_at INTEGER NOT NULL, give_up_at INTEGER NOT NULL, done_at INTEGER, status INTEGER, error TEXT, UNIQUE (webhook, event))',
    "CREATE INDEX delivery_lane ON delivery (webhook, lane, position) WHERE state = 'pending'",
    'CREATE INDEX delivery_state ON delivery (webhook, state, position)',
    'CREATE INDEX session_home_session ON session_home (session)',
    'CREATE TABLE event_cursor (name TEXT PRIMARY KEY, journal INTEGER NOT NULL, log INTEGER NOT NULL)',
    // API keys and OAuth 2 access tokens are tokens with an id, a name, and bounds; NULL: all that the account has.
    "ALTER TABLE token ADD COLUMN kind TEXT NOT NULL DEFAULT 'session'",
    'ALTER TABLE token ADD COLUMN id TEXT',
    'ALTER TABLE token ADD COLUMN name TEXT',
    'ALTER TABLE token ADD COLUMN scopes TEXT',
    'ALTER TABLE token ADD COLUMN homes TEXT',
    'ALTER TABLE token ADD COLUMN consent TEXT',
    'CREATE UNIQUE INDEX token_id ON token (id)',
    'CREATE INDEX token_account ON token (account)',
    'CREATE INDEX token_consent ON token (consent)',
    'CREATE TABLE oauth_client (id TEXT PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, secret TEXT, redirects TEXT NOT NULL, scopes TEXT NOT NULL, grants TEXT NOT NULL, created_at INTEGER NOT NULL)',
    // What the OAuth server keeps of its own, by model; ids of tokens and codes stand here as SHA-256.
    'CREATE TABLE oauth_item (model TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, consent TEXT, uid TEXT, user_code TEXT, consumed_at INTEGER, expires_at INTEGER, PRIMARY KEY (model, id))',
    'CREATE INDEX oauth_item_consent ON oauth_item (consent)',
    'CREATE INDEX oauth_item_uid ON oauth_item (uid)',
    'CREATE INDEX oauth_item_user_code ON oauth_item (user_code)',
    'CREATE TABLE consent (id TEXT PRIMARY KEY, account TEXT NOT NULL, client TEXT NOT NULL, homes TEXT NOT NULL, scopes TEXT NOT NULL, at INTEGER NOT NULL)',
    'CREATE INDEX consent_account ON consent (account)',
    'CREATE TABLE technician_consent (id TEXT PRIMARY KEY, home TEXT NOT NULL, account TEXT NOT NULL, granted_by TEXT NOT NULL, at INTEGER NOT NULL, until INTEGER NOT NULL)',
    'CREATE INDEX technician_consent_account ON technician_consent (account, until)',
    'CREATE TABLE qos_session (id TEXT PRIMARY KEY, home TEXT NOT NULL, account TEXT NOT NULL, device TEXT, profile TEXT NOT NULL, state TEXT NOT NULL, info TEXT, duration INTEGER NOT NULL, kbits INTEGER NOT NULL, started_at INTEGER, expires_at INTEGER, created_at INTEGER NOT NULL, version INTEGER NOT NULL)',
    'CREATE INDEX qos_session_home ON qos_session (home, id)',
    // Each line's hash covers the one before it: nothing in between can be changed or taken out unseen.
    'ALTER TABLE audit ADD COLUMN seq INTEGER',
    'ALTER TABLE audit ADD COLUMN hash TEXT',
    'CREATE UNIQUE INDEX audit_seq ON audit (seq)',
    'ALTER TABLE alarm ADD COLUMN acknowledged_at INTEGER',
    'ALTER TABLE alarm ADD COLUMN acknowledged_by TEXT',
  ],
};
