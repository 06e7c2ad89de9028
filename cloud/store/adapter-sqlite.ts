/**
 * SQLite by node:sqlite: one connection, its settings, the migrations and the group commit. Everything here is
 * synchronous; `local.ts` runs it in the calling thread, `adapter-writer.ts` in the writer's.
 *
 * Settings: write-ahead log and synchronous FULL, so a commit that returned survives a power cut.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Migration } from './migration.ts';
import { migrations } from './migrations.ts';
import type { CommitResult, SqlValue, Statement } from './store.ts';

/** Extended result codes of SQLite: UNIQUE, PRIMARY KEY and ROWID constraints. */
const UNIQUE_CODES: readonly unknown[] = [2067, 1555, 2579];
/** Result code of SQLite: somebody else has it. */
const BUSY = 5;
/** Pages of 4 KiB in the write-ahead log that make it go into the database: what changes often is copied once for many changes. */
const CHECKPOINT_PAGES = 4_000;
/** Pages that the writer keeps in memory, KiB: the ends of all indices that grow, and then some. */
const CACHE_KIB = 16_384;
/** Prepared statements kept per connection; more texts than this mean that SQL is built from input somewhere. */
const STATEMENTS_KEPT = 512;

/** What became of one commit of a group; `error` is a bug (wrong SQL) and concerns that commit alone. */
export type GroupResult = CommitResult | { readonly ok: false; readonly why: 'error'; readonly error: string };

const WRITTEN: GroupResult = { ok: true };

/** The store cannot be opened; the message says what to do. */
export class StoreError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StoreError';
  }
}

export interface Connection {
  /** Writes each commit all or nothing, all of them with one sync. Throws when the disk fails: then none is written. */
  group(commits: readonly (readonly Statement[])[]): GroupResult[];
  all(sql: string, params: readonly SqlValue[]): Record<string, SqlValue>[];
  close(): void;
}

/** Opens a database file (`:memory:` for none), makes it durable and brings its schema up to date. Throws StoreError. */
export function openWriter(path: string, schema: readonly Migration[] = migrations): Connection {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000');
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA cache_size = -${CACHE_KIB}`);
    migrate(db, schema);
  } catch (error) {
    db.close();
    throw error;
  }
  return connection(db);
}

/** Opens a second, read-only connection to a database that a writer has open. */
export function openReader(path: string): Connection {
  const db = new DatabaseSync(path, { readOnly: true });
  db.exec('PRAGMA busy_timeout = 5000');
  return connection(db);
}

/** Holds the folder's store for this process until `close` or the process's end. Throws StoreError while another holds it. */
export function lock(path: string): { close(): void } {
  const db = new DatabaseSync(path);
  try {
    db.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: unknown }).errcode !== BUSY) throw error;
    throw new StoreError(`Another Hearthline process uses this data folder (${path}). Stop it or name another --data.`);
  }
  return { close: () => db.close() };
}

function migrate(db: DatabaseSync, schema: readonly Migration[]): void {
  db.exec(
    'CREATE TABLE IF NOT EXISTS migration (position INTEGER PRIMARY KEY, name TEXT NOT NULL, body TEXT NOT NULL)',
  );
  const applied = db.prepare('SELECT name, body FROM migration ORDER BY position').all();
  if (applied.length > schema.length) {
    const newest = String(applied.at(-1)?.name);
    throw new StoreError(
      `The data was written by a newer Hearthline (it knows ${newest}). Start that version or newer.`,
    );
  }
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const [position, migration] of schema.entries()) {
      const body = migration.statements.join(';\n');
      const known = applied[position];
      if (known === undefined) {
        for (const statement of migration.statements) db.exec(statement);
        db.prepare('INSERT INTO migration (position, name, body) VALUES (?, ?, ?)').run(position, migration.name, body);
      } else if (known.name !== migration.name || known.body !== body) {
        throw new StoreError(
          `The data's schema step ${migration.name} differs from this version's. Start the version that wrote the data.`,
        );
      }
    }
    db.exec('COMMIT');
  } catch (error) {
    // A full disk may have undone it already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function connection(db: DatabaseSync): Connection {
  const prepared = new Map<string, StatementSync>();

  function prepare(sql: string): StatementSync {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    if (prepared.size >= STATEMENTS_KEPT) prepared.clear();
    const statement = db.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  }

  function run(statements: readonly Statement[]): GroupResult {
    let at = 0;
    try {
      for (; at < statements.length; at++) {
        const statement = statements[at];
        if (statement === undefined) break;
        const { changes } = prepare(statement.sql).run(...statement.params);
        if (statement.changes !== undefined && Number(changes) !== statement.changes)
          return { ok: false, why: 'changes', statement: at };
      }
      return WRITTEN;
    } catch (error) {
      const code = (error as { errcode?: unknown }).errcode;
      return UNIQUE_CODES.includes(code)
        ? { ok: false, why: 'unique', statement: at }
        : { ok: false, why: 'error', error: `${String(error)} in: ${statements[at]?.sql}` };
    }
  }

  /** One commit inside the open transaction, under a savepoint of its own. */
  function commit(statements: readonly Statement[]): GroupResult {
    db.exec('SAVEPOINT one');
    const result = run(statements);
    if (!result.ok) db.exec('ROLLBACK TO one');
    db.exec('RELEASE one');
    return result;
  }

  /** All of them as one transaction; undefined, and nothing written, where one of them is refused. */
  function together(commits: readonly (readonly Statement[])[]): GroupResult[] | undefined {
    prepare('BEGIN IMMEDIATE').run();
    for (const one of commits) {
      if (run(one).ok) continue;
      // A full disk may have undone it already.
      if (db.isTransaction) db.exec('ROLLBACK');
      return undefined;
    }
    prepare('COMMIT').run();
    return commits.map(() => WRITTEN);
  }

  return {
    group(commits) {
      try {
        // Hardly any commit is refused, so savepoints are for the groups in which one is.
        const whole = together(commits);
        if (whole !== undefined) return whole;
        db.exec('BEGIN IMMEDIATE');
        const results = commits.map(commit);
        db.exec('COMMIT');
        return results;
      } catch (error) {
        if (db.isTransaction) db.exec('ROLLBACK');
        throw error;
      }
    },
    all: (sql, params) => prepare(sql).all(...params) as Record<string, SqlValue>[],
    close: () => db.close(),
  };
}
