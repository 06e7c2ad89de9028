/** The features of lines: kept as one document each, set by API or star code, and what they make of a call. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { type LineRow, lineById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { writtenOut } from '#shared/call/features/dialling.ts';
import { type Changes, type LineFeatures, withChanges } from '#shared/call/features/document.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Resolver } from './resolve.ts';

type Verbs = 'line.features.get' | 'line.features.set';

const NONE: LineFeatures = {};
const NO_LINE = err(fault('not_found', 'There is no such line, or not for this credential.'));

/** The documents as calls read them: in memory, since every call asks. The session manager alone writes them. */
export class Features {
  readonly #store: Store;
  #known: Promise<Map<string, LineFeatures>> | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  async of(line: string | undefined): Promise<LineFeatures> {
    if (line === undefined) return NONE;
    this.#known ??= this.#read();
    return (await this.#known).get(line) ?? NONE;
  }

  /** Writes a document, together with what else belongs to it. */
  async set(line: LineRow, features: LineFeatures, wall: number, also: readonly Statement[] = []): Promise<void> {
    const empty = Object.keys(features).length === 0;
    await this.#store.commit([
      empty
        ? sql('DELETE FROM line_feature WHERE line = ?', line.id)
        : sql(
            'INSERT INTO line_feature (line, home, body, changed_at) VALUES (?, ?, ?, ?) ON CONFLICT (line) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at',
            ...[line.id, line.home, JSON.stringify(features), wall],
          ),
      ...also,
    ]);
    this.#known ??= this.#read();
    const known = await this.#known;
    if (empty) known.delete(line.id);
    else known.set(line.id, features);
  }

  async #read(): Promise<Map<string, LineFeatures>> {
    const rows = await this.#store.all<{ line: string; body: string }>('SELECT line, body FROM line_feature');
    return new Map(rows.map(({ line, body }) => [line, JSON.parse(body) as LineFeatures]));
  }
}

/** Whether these features can be: whom they name exists, and is not the line itself. */
async function hindrance(line: LineRow, features: LineFeatures, resolver: Resolver): Promise<Fault | undefined> {
  const { forward = {}, hunt = [], ringAlso = [], hotLine } = features;
  const named = [...Object.values(forward), ...hunt, ...ringAlso, hotLine].filter((to) => to !== undefined);
  for (const party of await resolver.parties(named)) {
    if (party.outside !== undefined) continue;
    if (party.line === undefined) return fault('callee_unknown', `Nobody has ${party.asked.slice(0, 64)}.`);
    if (party.line.id === line.id) return fault('bad_request', 'A line cannot be forwarded to itself.');
  }
  return undefined;
}

export function featureHandlers(
  { store, world }: PartContext,
  features: Features,
  resolver: Resolver,
): Pick<Handlers<'session-manager'>, Verbs> {
  async function find(home: string, line: string, { principal }: Context): Promise<LineRow | undefined> {
    const row = sees(principal, home) ? await lineById(store, line) : undefined;
    return row?.home === home ? row : undefined;
  }

  return {
    async 'line.features.get'({ home, line }, asked) {
      const row = await find(home, line, asked);
      return row === undefined ? NO_LINE : ok(shown(await features.of(row.id)));
    },

    async 'line.features.set'({ home, line, features: wanted }, asked) {
      const before = await repeated<'line.features.set'>(store, asked);
      if (before !== undefined) return before;
      const row = await find(home, line, asked);
      if (row === undefined) return NO_LINE;
      const clean = writtenOut(withChanges(wanted, {}), row.number);
      const refused = await hindrance(row, clean, resolver);
      if (refused !== undefined) return err(refused);
      const outcome = ok(shown(clean));
      const wall = world.clock.wall();
      await features.set(row, clean, wall, remember<'line.features.set'>(asked, outcome, wall));
      return outcome;
    },
  };
}

/** What a phone sets by a star code. */
export async function changeFeatures(
  { store, world }: PartContext,
  features: Features,
  resolver: Resolver,
  line: string,
  changes: Changes,
): Promise<Result<object, Fault>> {
  const row = await lineById(store, line);
  if (row === undefined) return NO_LINE;
  const wanted = writtenOut(withChanges(await features.of(line), changes), row.number);
  const refused = await hindrance(row, wanted, resolver);
  if (refused !== undefined) return err(refused);
  await features.set(row, wanted, world.clock.wall());
  return ok({});
}

/** A document with lists of its own. */
function shown({ block, allow, hunt, short, ringAlso, bar, contacts, ...rest }: LineFeatures) {
  return {
    ...rest,
    ...(block === undefined ? {} : { block: [...block] }),
    ...(allow === undefined ? {} : { allow: [...allow] }),
    ...(hunt === undefined ? {} : { hunt: [...hunt] }),
    ...(ringAlso === undefined ? {} : { ringAlso: [...ringAlso] }),
    ...(bar === undefined ? {} : { bar: [...bar] }),
    ...(contacts === undefined ? {} : { contacts: contacts.map((one) => ({ ...one })) }),
    ...(short === undefined ? {} : { short: short.map((one) => ({ ...one })) }),
  };
}
