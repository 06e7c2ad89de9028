/** The header field lines of a message, in their order, and what may be done to any of them. */
import { type Field, isNamed, makeField, sameName } from './fields.ts';
import { headerKind } from './headers.ts';
import { splitList } from './params.ts';

export abstract class FieldList {
  /** For writer and parser; others use the methods. */
  readonly fields: Field[];

  constructor(fields: Field[]) {
    this.fields = fields;
  }

  /** Told of every header that changes; 0 is one that nobody knows. */
  protected abstract changed(id: number): void;

  /** The first value of that name (any case, long or compact): raw and trimmed; of a comma list the whole first line. */
  header(name: string): string | undefined {
    const kind = headerKind(name);
    return kind === undefined ? this.#unknown(name) : this.first(kind.id);
  }

  /** Every value of that name in order; lines of list headers are split at their top-level commas. */
  headerAll(name: string): string[] {
    const kind = headerKind(name);
    if (kind?.list) return this.list(kind.id);
    const lower = name.toLowerCase();
    const values: string[] = [];
    for (const field of this.fields) {
      if (isNamed(field, kind, lower)) values.push(field.text.slice(field.start, field.end));
    }
    return values;
  }

  /** Replaces all values of that name by one line, in the place of the first; appends where there is none. */
  set(name: string, value: string): void {
    const field = makeField(name, value);
    const at = this.#place(field);
    if (at < 0) this.fields.push(field);
    else {
      this.fields[at] = field;
      this.#keep((one, i) => i <= at || !sameName(one, field));
    }
    this.changed(field.id);
  }

  /** Appends a line. */
  add(name: string, value: string): void {
    const field = makeField(name, value);
    this.fields.push(field);
    this.changed(field.id);
  }

  /** Puts a line before the first of that name; before all others where there is none. */
  prepend(name: string, value: string): void {
    const field = makeField(name, value);
    this.fields.splice(Math.max(this.#place(field), 0), 0, field);
    this.changed(field.id);
  }

  /** Removes every line of that name. */
  remove(name: string): void {
    const kind = headerKind(name);
    const lower = name.toLowerCase();
    this.#keep((field) => !isNamed(field, kind, lower));
    this.changed(kind?.id ?? 0);
  }

  /** Where the first line of that name stands; -1 where there is none. */
  #place(field: Field): number {
    for (let i = 0; i < this.fields.length; i++) {
      const one = this.fields[i];
      if (one !== undefined && sameName(one, field)) return i;
    }
    return -1;
  }

  #keep(stays: (field: Field, at: number) => boolean): void {
    let kept = 0;
    for (let i = 0; i < this.fields.length; i++) {
      const field = this.fields[i];
      if (field !== undefined && stays(field, i)) this.fields[kept++] = field;
    }
    this.fields.length = kept;
  }

  /** Replaces the first value (not line) of that name and keeps the others; undefined removes it. */
  setFirst(name: string, value: string | undefined): void {
    const rest = this.headerAll(name).slice(1);
    const values = value === undefined ? rest : [value, ...rest];
    if (values.length === 0) {
      this.remove(name);
      return;
    }
    const kind = headerKind(name);
    if (kind?.list) this.set(name, values.join(', '));
    else {
      this.set(name, values[0] ?? '');
      for (const other of rest) this.add(name, other);
    }
  }

  /** The first line of that header; undefined where there is none. */
  protected first(id: number): string | undefined {
    for (const field of this.fields) if (field.id === id) return field.text.slice(field.start, field.end);
    return undefined;
  }

  #unknown(name: string): string | undefined {
    const lower = name.toLowerCase();
    for (const field of this.fields) {
      if (field.id === 0 && field.name.toLowerCase() === lower) return field.text.slice(field.start, field.end);
    }
    return undefined;
  }

  /** Values of a list header over all its lines. */
  protected list(id: number): string[] {
    let values: string[] | undefined;
    for (const field of this.fields) {
      if (field.id !== id) continue;
      const line = splitList(field.text.slice(field.start, field.end));
      if (values === undefined) values = line;
      else for (const value of line) values.push(value);
    }
    return values ?? [];
  }
}
