/** Calls to applications: the routes that name them, the call that waits for its application, and the answer. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Store, sql, sqlOne } from '#cloud/store/store.ts';
import { readDialled } from '#shared/call/numbers.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { choose, type Facts, homesOf, type PartyFacts, partyOf, quality } from './choice.ts';
import type { Plan } from './plan.ts';
import type { Runtime } from './runtime.ts';
import type { Finder } from './take-over.ts';

type Verbs = 'call.answer' | 'call-route.create' | 'call-route.list' | 'call-route.delete';
type CallRoute = VerbReply<'call-route.create'>;

/** Numbers of a home that applications answer. */
export const ROUTES_PER_HOME = 64;

interface Row {
  readonly id: string;
  readonly home: string;
  readonly match: string;
  readonly application: string;
  readonly created_at: number;
}

const NO_HOME = err(fault('not_found', 'There is no such home, or not for this credential.'));

export function incomingHandlers(
  { store, world }: PartContext,
  runtime: Runtime,
  finder: Finder,
  routes: CallRoutes,
): Pick<Handlers<'session-manager'>, Verbs> {
  const wall = () => world.clock.wall();

  async function create(request: VerbRequest<'call-route.create'>, asked: Context) {
    const { home, application } = request;
    if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return NO_HOME;
    const count = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM call_route WHERE home = ?', [home]);
    if ((count?.n ?? 0) >= ROUTES_PER_HOME) {
      return err(fault('limit_reached', `A home may have ${ROUTES_PER_HOME} numbers that applications answer.`));
    }
    const match = normal(request.match);
    if (match === undefined) {
      return err(fault('conflict', 'An emergency number or a code of the media library is not for applications.'));
    }
    const made: CallRoute = {
      id: newId('rte', wall(), world.random.bytes(10)),
      home,
      match,
      application,
      createdAt: wall(),
    };
    const outcome = ok(made);
    const kept = await store.commit([
      sql(
        'INSERT INTO call_route (id, home, match, application, created_at) VALUES (?, ?, ?, ?, ?)',
        ...[made.id, home, match, application, made.createdAt],
      ),
      ...remember<'call-route.create'>(asked, outcome, wall()),
    ]);
    routes.changed();
    return kept.ok ? outcome : err(fault('conflict', 'An application answers this number already.'));
  }

  return {
    async 'call-route.create'(request, asked) {
      return (await repeated<'call-route.create'>(store, asked)) ?? create(request, asked);
    },

    async 'call-route.list'({ home }, { principal }) {
      if (!sees(principal, home)) return NO_HOME;
      const rows = await store.all<Row>('SELECT * FROM call_route WHERE home = ? ORDER BY id', [home]);
      return ok({ items: rows.map(({ created_at: createdAt, ...row }) => ({ ...row, createdAt })) });
    },

    async 'call-route.delete'({ home, route }, { principal }) {
      if (!sees(principal, home)) return NO_HOME;
      const gone = await store.commit([sqlOne('DELETE FROM call_route WHERE home = ? AND id = ?', home, route)]);
      routes.changed();
      return gone.ok ? ok({}) : err(fault('not_found', 'This home has no such route.'));
    },

    async 'call.answer'({ session }, asked) {
      const before = await repeated<'call.answer'>(store, asked);
      if (before !== undefined) return before;
      const found = await finder.steerable(session, undefined, asked);
      if (!found.ok) return found;
      const { live } = found.value;
      const leg = live.state.legs.find((one) => one.waiting !== undefined && one.state === 'planned');
      if (leg === undefined) return err(fault('conflict', 'This call does not wait to be answered.'));
      const taken = await runtime.reserve(live, [leg]);
      if (!taken.ok) return err(taken.fault.fault);
      const outcome = () => ok({ id: session, state: live.state.state });
      const also = remember<'call.answer'>(asked, outcome(), wall());
      await runtime.step(session, { on: 'reserved', ...taken.value }, also);
      return outcome();
    },
  };
}

/** What a phone dials, as it is compared: E.164 where it is a number; undefined for what applications cannot have. */
function normal(dialled: string): string | undefined {
  const read = readDialled(dialled);
  if (read === undefined || read.kind === 'emergency' || read.kind === 'media') return undefined;
  return read.kind === 'number' ? read.number : read.name;
}

/** The application that answers a number, and the home that it does it for. */
export interface Answering {
  readonly application: string;
  readonly home: string;
}

/** The routes as calls look them up. */
export class CallRoutes {
  readonly #store: Store;
  /** All that applications answer, so that an ordinary call need not ask the store. */
  #matches: ReadonlySet<string> | undefined;
  #changes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** A route came or went. */
  changed(): void {
    this.#changes++;
    this.#matches = undefined;
  }

  /** The application that answers what a phone dialled: one of the caller's home, or of the home that has the number. */
  find(dialled: string, caller: PartyFacts): Soon<Answering | undefined> {
    const match = normal(dialled);
    if (match === undefined) return undefined;
    return soon(this.#matches ?? this.#read(), (matches) =>
      matches.has(match) ? this.#answering(match, caller) : undefined,
    );
  }

  async #answering(match: string, caller: PartyFacts): Promise<Answering | undefined> {
    const row = await this.#store.one<Row>(
      'SELECT * FROM call_route WHERE match = ? AND (home = ? OR home = (SELECT home FROM line WHERE number = ?))',
      [match, caller.line?.home ?? '', match],
    );
    return row === undefined ? undefined : { application: row.application, home: row.home };
  }

  async #read(): Promise<ReadonlySet<string>> {
    const changes = this.#changes;
    const rows = await this.#store.all<{ match: string }>('SELECT DISTINCT match FROM call_route');
    const matches = new Set(rows.map(({ match }) => match));
    // A change while we read: what was read may be old.
    if (changes === this.#changes) this.#matches = matches;
    return matches;
  }
}

/** A leg that waits until its application says what is to become of it. */
export function planWaiting(
  caller: PartyFacts,
  request: VerbRequest<'session.route'>,
  home: string,
  facts: Facts,
): Result<Plan, Fault> {
  const server = choose('two parties', facts);
  if (!server.ok) return server;
  const { reserve, ...marks } = quality(caller, facts);
  const leg = {
    id: facts.legId(),
    kind: 'voice' as const,
    channel: 'instructed' as const,
    ...server.value,
    why: `${server.value.why}; an application answers`,
    role: 'caller',
    ...partyOf(caller),
    ...marks,
    from: caller.line?.number ?? caller.asked,
    to: request.to,
    waiting: request.call,
    reserve: [...reserve, 'endpoint' as const],
  };
  return ok({ kind: 'call', homes: [...new Set([...homesOf([caller]), home])], legs: [leg] });
}

/** The event by which an application hears of its call. */
export function incomingEvent(
  world: Parameters<typeof eventRow>[0],
  call: { readonly session: string; readonly leg: string; readonly home: string; readonly application: string },
  request: VerbRequest<'session.route'>,
  from: string,
) {
  const { session, leg, home, application } = call;
  const data = { session, leg, application, from, to: request.to };
  return eventRow(world, { type: 'home.call.v1.incoming', home, session, subject: session, data });
}
