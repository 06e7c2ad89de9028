/** The verbs of features: set by API, by star code, or by a gateway that was cut off. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { type LineRow, lineById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { writtenOut } from '#shared/call/features/dialling.ts';
import { type Changes, type LineFeatures, withChanges } from '#shared/call/features/document.ts';
import { later, merged, only, overruled, type Stamped } from '#shared/call/features/merge.ts';
import { namedIn } from '#shared/call/features/named.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Features } from './feature-documents.ts';
import type { Resolver } from './resolve.ts';

type Verbs = 'line.features.get' | 'line.features.set' | 'line.features.tell';

const NO_LINE = err(fault('not_found', 'There is no such line, or not for this credential.'));

/** Whether these features can be: whom they name exists, and is neither the line itself nor who helps, whom people call themselves. */
async function hindrance(line: LineRow, features: LineFeatures, resolver: Resolver): Promise<Fault | undefined> {
  const named = namedIn(features);
  const short = (features.short ?? []).map(({ to }) => to);
  const help = [...named, ...short].find((to) => resolver.dialled(to)?.kind === 'emergency');
  if (help !== undefined) return fault('bad_request', `${help.slice(0, 64)} is for help: it is dialled itself.`);
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

    async 'line.features.tell'({ line, features: told, stamps }, asked) {
      const before = await repeated<'line.features.tell'>(store, asked);
      if (before !== undefined) return before;
      const { principal } = asked;
      const row = await lineById(store, line);
      // A gateway speaks for the lines of its own home alone.
      if (principal.kind !== 'gateway' || row?.home !== principal.home) return NO_LINE;
      const outcome = ok({});
      const there = { features: writtenOut(told, row.number), stamps };
      const met = (now: Stamped) => meet(row, now, there, resolver);
      await features.change(
        row,
        met,
        world.clock.wall(),
        remember<'line.features.tell'>(asked, outcome, world.clock.wall()),
      );
      return outcome;
    },
  };
}

/** What stands after a gateway told its changes, field by field; one whose number is nobody's is overruled. */
async function meet(row: LineRow, now: Stamped, there: Stamped, resolver: Resolver): Promise<Stamped> {
  let all = now;
  for (const field of later(now.stamps, there.stamps)) {
    const one = { features: there.features, stamps: only(there.stamps, [field]) };
    const next = merged(all, one);
    all = (await hindrance(row, next.features, resolver)) === undefined ? next : overruled(all, one.stamps);
  }
  return all;
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
