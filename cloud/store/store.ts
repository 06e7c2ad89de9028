/**
 * The store: SQL in the common subset of SQLite and PostgreSQL, `?` for parameters. One writer; a commit is durable when
 * its promise resolves, and many are grouped into one sync (group commit). What belongs together (journal row, state,
 * outbox, idempotency key) goes into ONE commit.
 */
export type SqlValue = string | number | null | Uint8Array;

export interface Statement {
  readonly sql: string;
  readonly params: readonly SqlValue[];
  /** The commit fails unless this many rows changed (`conflict`). */
  readonly changes?: number;
}

export type CommitResult =
  | { readonly ok: true }
  /** `unique`: a key exists already; `changes`: a statement's expectation was not met. Nothing was written. */
  | { readonly ok: false; readonly why: 'unique' | 'changes'; readonly statement: number };

export type Row = Readonly<Record<string, SqlValue>>;

export interface Store {
  /** Writes all statements or none; resolves after the sync. Rejects only on a broken disk or wrong SQL (a bug). */
  commit(statements: readonly Statement[]): Promise<CommitResult>;
  /** Reads what was committed before the call. */
  all<T extends object = Row>(sql: string, params?: readonly SqlValue[]): Promise<T[]>;
  one<T extends object = Row>(sql: string, params?: readonly SqlValue[]): Promise<T | undefined>;
  /** Waits for commits under way, then closes. */
  close(): Promise<void>;
}

export function sql(text: string, ...params: readonly SqlValue[]): Statement {
  return { sql: text, params };
}

/** A statement that must change exactly one row, or the commit fails. */
export function sqlOne(text: string, ...params: readonly SqlValue[]): Statement {
  return { sql: text, params, changes: 1 };
}
