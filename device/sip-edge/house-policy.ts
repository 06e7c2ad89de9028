/**
 * What the house knows of its lines' features; pure. The cloud's document, and over it what phones of the house set by star codes while
 * the cloud was away, until the cloud's document says that it has heard of them.
 */
import { writtenOut } from '#shared/call/features/dialling.ts';
import { type Changes, type LineFeatures, withChanges } from '#shared/call/features/document.ts';
import {
  BRIEF,
  changed,
  fieldsOf,
  later,
  merged,
  only,
  type Stamped,
  withFields,
} from '#shared/call/features/merge.ts';
import type { FeaturesDocument } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { NamedLine } from './edge-call.ts';

/** Changes of one line that the cloud has not heard of, as far as the house knows. */
export type Untold = Stamped & { readonly line: string };

/** As the cloud is told. */
export function toldOf({ line, features, stamps }: Untold): VerbRequest<'line.features.tell'> {
  const set = withFields({}, features, later({}, stamps));
  return { line, features: set as VerbRequest<'line.features.tell'>['features'], stamps };
}

const NONE: Stamped = { features: {}, stamps: {} };

export class HousePolicy {
  #told: ReadonlyMap<string, Stamped> = new Map();
  /** Lines whose lists are the cloud's alone, and those whose contacts are. */
  #brief: ReadonlySet<string> = new Set();
  #nameless: ReadonlySet<string> = new Set();
  readonly #own = new Map<string, Stamped>();
  /** Both together. */
  readonly #now = new Map<string, Stamped>();

  /** Takes a new document; what it knows of the house's own changes is no longer kept here. */
  apply({ lines }: FeaturesDocument): void {
    this.#brief = new Set(lines.flatMap(({ line, brief }) => (brief === true ? [line] : [])));
    this.#nameless = new Set(lines.flatMap(({ line, nameless }) => (nameless === true ? [line] : [])));
    this.#told = new Map(lines.map(({ line, features, stamps }) => [line, { features, stamps }]));
    for (const [line, { features, stamps }] of this.#own) {
      const left = only(stamps, later(this.#of(line).stamps, stamps));
      if (Object.keys(left).length === 0) this.#own.delete(line);
      else this.#own.set(line, { features, stamps: left });
    }
    this.#fold();
  }

  /** Forgets changes of lines that are gone. */
  keepOnly(isLine: (line: string) => boolean): void {
    for (const line of this.#own.keys()) if (!isLine(line)) this.#own.delete(line);
    this.#fold();
  }

  of(line: string): LineFeatures {
    return (this.#now.get(line) ?? NONE).features;
  }

  /** Whether these changes can be made here: of a list that nobody told us we know no other entries. */
  mayChange(line: string, changes: Changes): boolean {
    const fields = fieldsOf(changes);
    if (this.#nameless.has(line) && fields.includes('contacts')) return false;
    return !this.#brief.has(line) || fields.every((field) => BRIEF.some((one) => one === field));
  }

  /** A star code; gives what is to be told. */
  change({ id: line, number }: NamedLine, changes: Changes, wall: number): Untold {
    const before = this.#now.get(line) ?? NONE;
    const fields = fieldsOf(changes);
    const next = changed(before, writtenOut(withChanges(before.features, changes), number), fields, wall);
    const made = { features: next.features, stamps: only(next.stamps, fields) };
    this.#own.set(line, merged(this.#own.get(line) ?? NONE, made));
    this.#fold();
    return { line, ...made };
  }

  /** What is to be kept over a restart, and told again after it. */
  untold(): Untold[] {
    return [...this.#own].map(([line, stamped]) => ({ line, ...stamped }));
  }

  restore(untold: readonly Untold[]): void {
    for (const { line, ...stamped } of untold) this.#own.set(line, stamped);
    this.#fold();
  }

  #of(line: string): Stamped {
    return this.#told.get(line) ?? NONE;
  }

  #fold(): void {
    this.#now.clear();
    for (const line of new Set([...this.#told.keys(), ...this.#own.keys()]))
      this.#now.set(line, merged(this.#of(line), this.#own.get(line) ?? NONE));
  }
}
