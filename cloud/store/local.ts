/** A store in the calling thread: for the virtual world, tests and tools. Same rules, same schema, no other thread. */
import { openWriter } from './adapter-sqlite.ts';
import type { Migration } from './migration.ts';
import { migrations } from './migrations.ts';
import type { CommitResult, Row, SqlValue, Statement, Store } from './store.ts';

/** Opens a store; `path` is a file or `:memory:`. Throws StoreError (see `adapter-sqlite.ts`). */
export function openLocalStore(path: string, schema: readonly Migration[] = migrations): Store {
  const connection = openWriter(path, schema);

  async function all<T extends object = Row>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return connection.all(sql, params) as T[];
  }

  return {
    all,
    async commit(statements: readonly Statement[]): Promise<CommitResult> {
      const [result] = connection.group([statements]);
      if (result === undefined) throw new Error('a group of one commit has one result');
      if (!result.ok && result.why === 'error') throw new Error(result.error);
      return result;
    },
    one: async <T extends object = Row>(sql: string, params: readonly SqlValue[] = []) =>
      (await all<T>(sql, params))[0],
    async close() {
      connection.close();
    },
  };
}
