/**
 * The features of lines as they are kept: one document each, with stamps. The session manager alone writes them; every change is in the
 * commit that gives the home's desired document `features` a new version, since the home's gateway switches by it.
 */
import type { PartContext } from '#cloud/bus/part.ts';
import { type LineRow, linesOfHome } from '#cloud/store/directory.ts';
import { type Statement, sql } from '#cloud/store/store.ts';
import type { LineFeatures } from '#shared/call/features/document.ts';
import { BRIEF, only, restamped, type Stamped, withFields } from '#shared/call/features/merge.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { Lazy } from '#shared/kernel/lazy.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';

/** Octets of a home's document `features`: beside the other documents it has to fit into one answer to a gateway's hello. */
export const FEATURES_OCTETS = 24 * 1024;

const NONE: Stamped = { features: {}, stamps: {} };
const DESIRE =
  "INSERT INTO desired (home, doc, version, body) VALUES (?, 'features', 1, ?) ON CONFLICT (home, doc) DO UPDATE SET version = desired.version + 1, body = excluded.body";
const KEEP =
  'INSERT INTO line_feature (line, home, body, stamps, changed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (line) DO UPDATE SET body = excluded.body, stamps = excluded.stamps, changed_at = excluded.changed_at';

interface Row {
  readonly line: string;
  readonly body: string;
  readonly stamps: string | null;
}

/** What is known of a line's wishes. */
export type FeaturesOf = (line: string | undefined) => LineFeatures;

export class Features {
  readonly #context: Pick<PartContext, 'store' | 'bus'>;
  /** In memory, since every call asks. */
  readonly #known = new Lazy(() => this.#readAll());
  /** The same, once they are read. */
  #read: Map<string, Stamped> | undefined;
  /** Changes are made one after another. */
  #order: Promise<unknown> = Promise.resolve();

  constructor(context: Pick<PartContext, 'store' | 'bus'>) {
    this.#context = context;
  }

  of(line: string | undefined): Soon<LineFeatures> {
    return soon(this.known(), (of) => of(line));
  }

  /** All documents, as they are whenever one is looked at; at once, once they are read. */
  known(): Soon<FeaturesOf> {
    return this.#read === undefined ? this.#all().then(() => this.#of) : this.#of;
  }

  readonly #of: FeaturesOf = (line) => ((line === undefined ? undefined : this.#read?.get(line)) ?? NONE).features;

  /** Writes a document, together with what else belongs to it. */
  set(line: LineRow, features: LineFeatures, wall: number, also: readonly Statement[] = []): Promise<void> {
    return this.change(line, async (now) => restamped(now, features, wall), wall, also);
  }

  /** Makes of a document what `make` says, with nothing else in between. */
  change(
    line: LineRow,
    make: (now: Stamped) => Promise<Stamped>,
    wall: number,
    also: readonly Statement[] = [],
  ): Promise<void> {
    const done = this.#order.then(() => this.#change(line, make, wall, also));
    this.#order = done.catch(() => undefined);
    return done;
  }

  /** Documents for homes whose lines got their features before gateways were told of them. */
  async publishMissing(): Promise<void> {
    const { store } = this.#context;
    const homes = await store.all<{ home: string }>(
      "SELECT DISTINCT home FROM line_feature WHERE home NOT IN (SELECT home FROM desired WHERE doc = 'features')",
    );
    for (const { home } of homes) await store.commit([sql(DESIRE, home, await this.#document(home))]);
  }

  async #change(
    line: LineRow,
    make: (now: Stamped) => Promise<Stamped>,
    wall: number,
    also: readonly Statement[],
  ): Promise<void> {
    const { store, bus } = this.#context;
    const now = await this.#stamped(line.id);
    const next = await make(now);
    const { id, home } = line;
    if (next === now) {
      if (also.length > 0) await store.commit(also);
      return;
    }
    await store.commit([
      sql(KEEP, id, home, JSON.stringify(next.features), JSON.stringify(next.stamps), Math.floor(wall)),
      sql(DESIRE, home, await this.#document(home, { line: id, ...next })),
      ...also,
    ]);
    (await this.#all()).set(id, next);
    bus.publish('features.changed', { home });
  }

  /** The home's document, with `changed` in place of what is known of that line. */
  async #document(home: string, changed?: Stamped & { readonly line: string }): Promise<string> {
    const known = await this.#all();
    const lines = (await linesOfHome(this.#context.store, home)).flatMap(({ id }) => {
      const one = changed?.line === id ? changed : known.get(id);
      return one === undefined ? [] : [{ line: id, features: one.features, stamps: one.stamps }];
    });
    return fitting(lines);
  }

  async #stamped(line: string): Promise<Stamped> {
    return (await this.#all()).get(line) ?? NONE;
  }

  #all(): Promise<Map<string, Stamped>> {
    return this.#known.get();
  }

  async #readAll(): Promise<Map<string, Stamped>> {
    const rows = await this.#context.store.all<Row>('SELECT line, body, stamps FROM line_feature');
    this.#read = new Map(
      rows.map(({ line, body, stamps }) => [
        line,
        { features: JSON.parse(body) as LineFeatures, stamps: JSON.parse(stamps ?? '{}') as Stamped['stamps'] },
      ]),
    );
    return this.#read;
  }
}

/** The document as text within its limit: the lists of names go first, then of some lines all but what is brief. */
export function fitting(lines: readonly (Stamped & { readonly line: string })[]): string {
  const write = (some: readonly object[]) => JSON.stringify({ lines: some });
  const fits = (text: string) => utf8(text).length <= FEATURES_OCTETS;
  const whole = write(lines.slice(0, 64));
  if (fits(whole)) return whole;
  const bare = lines
    .slice(0, 64)
    .map(({ features: { contacts, ...features }, stamps: { contacts: _, ...stamps }, line }) => ({
      ...{ line, features, stamps },
      ...(contacts === undefined ? {} : { nameless: true }),
    }));
  let kept: object[] = bare.map(({ line, features, stamps }) => ({
    ...{ line, brief: true, features: withFields({}, features, BRIEF), stamps: only(stamps, BRIEF) },
  }));
  for (const [n, one] of bare.entries()) {
    const more = kept.with(n, one);
    if (fits(write(more))) kept = more;
  }
  return write(kept);
}
