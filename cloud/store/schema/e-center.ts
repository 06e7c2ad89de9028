import type { Migration } from '../migration.ts';

/** Applications and their versions, installs and their data, and the use of services. */
export const eCenterSchema: Migration = {
  name: '0010-e-center',
  statements: [
    // The first version binds an id to the account and the key (base 64) of its developer.
    'CREATE TABLE app (id TEXT PRIMARY KEY, developer TEXT NOT NULL, key TEXT NOT NULL, created_at INTEGER NOT NULL)',
    // `sequence` orders versions by submission; `package` is the canonical text, countersigned once published.
    'CREATE TABLE app_version (sequence INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL, why TEXT, manifest TEXT NOT NULL, package TEXT NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, checks TEXT NOT NULL, difference TEXT NOT NULL, created_at INTEGER NOT NULL, published_at INTEGER, UNIQUE (app, version))',
    'CREATE TABLE install (id TEXT PRIMARY KEY, home TEXT NOT NULL, app TEXT NOT NULL, version TEXT NOT NULL, consent TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, created_by TEXT NOT NULL, UNIQUE (home, app))',
    // Where an install reads on in the journal and the event log.
    'CREATE TABLE install_cursor (install TEXT PRIMARY KEY, journal INTEGER NOT NULL, log INTEGER NOT NULL)',
    'CREATE TABLE install_storage (install TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (install, name))',
    'CREATE TABLE install_timer (install TEXT NOT NULL, name TEXT NOT NULL, due_at INTEGER NOT NULL, every INTEGER, data TEXT, PRIMARY KEY (install, name))',
    'CREATE INDEX install_timer_due ON install_timer (due_at)',
    // What applets said and the cloud half has not dealt with.
    'CREATE TABLE install_inbox (sequence INTEGER PRIMARY KEY AUTOINCREMENT, install TEXT NOT NULL, gateway TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL)',
    'CREATE INDEX install_inbox_install ON install_inbox (install, sequence)',
    'CREATE TABLE applet_state (gateway TEXT NOT NULL, install TEXT NOT NULL, version TEXT NOT NULL, state TEXT NOT NULL, why TEXT, at INTEGER NOT NULL, PRIMARY KEY (gateway, install))',
    'CREATE TABLE service_use (install TEXT NOT NULL, service TEXT NOT NULL, method TEXT NOT NULL, home TEXT NOT NULL, app TEXT NOT NULL, uses INTEGER NOT NULL, price INTEGER NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (install, service, method))',
    'CREATE INDEX service_use_home ON service_use (home)',
    'CREATE TABLE service_revoked (install TEXT NOT NULL, service TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (install, service))',
    // What services keep for a home: contacts, appointments.
    'CREATE TABLE service_entry (home TEXT NOT NULL, service TEXT NOT NULL, id TEXT NOT NULL, sort TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (home, service, id))',
    'CREATE INDEX service_entry_sort ON service_entry (home, service, sort)',
    // Keys of the operator that must last: `signing` (Ed25519, PEM) and `ticket`.
    'CREATE TABLE e_center_secret (name TEXT PRIMARY KEY, value TEXT NOT NULL, public TEXT)',
  ],
};
