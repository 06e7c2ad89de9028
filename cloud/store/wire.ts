/**
 * Commits on their way to the writer's thread. A text of SQL crosses once and is a number from then on, and a whole group is one
 * flat list: copying it from thread to thread costs a fraction of copying its objects. Pure.
 */
import type { SqlValue, Statement } from './store.ts';

/** A group: texts not sent before, then per commit its number of statements, per statement text, expected changes, parameters. */
export interface Packed {
  readonly texts: readonly string[];
  readonly flat: readonly SqlValue[];
}

/** No expectation of changed rows. */
const ANY = -1;

export class Packer {
  readonly #known = new Map<string, number>();

  pack(commits: readonly (readonly Statement[])[]): Packed {
    const texts: string[] = [];
    const flat: SqlValue[] = [];
    for (const statements of commits) {
      flat.push(statements.length);
      for (const { sql, params, changes = ANY } of statements) {
        let name = this.#known.get(sql);
        if (name === undefined) {
          name = this.#known.size;
          this.#known.set(sql, name);
          texts.push(sql);
        }
        flat.push(name, changes, params.length);
        for (const value of params) flat.push(value);
      }
    }
    return { texts, flat };
  }
}

export class Unpacker {
  readonly #texts: string[] = [];

  commits({ texts, flat }: Packed): Statement[][] {
    for (const text of texts) this.#texts.push(text);
    const commits: Statement[][] = [];
    for (let at = 0; at < flat.length; ) {
      const statements: Statement[] = [];
      for (let left = Number(flat[at++]); left > 0; left--) {
        const sql = this.#texts[Number(flat[at])] ?? '';
        const changes = Number(flat[at + 1]);
        const end = at + 3 + Number(flat[at + 2]);
        const params = flat.slice(at + 3, end);
        statements.push(changes === ANY ? { sql, params } : { sql, params, changes });
        at = end;
      }
      commits.push(statements);
    }
    return commits;
  }
}
