/**
 * The phones of a line as all softswitch processes together know them: their rows in the store are the truth, and what a process has
 * in memory is read anew before it is used. A phone that registered over a connection of another process, or over UDP with another
 * process, is reached over that one's flow; over UDP by way of a proxy (Path) any process reaches it by itself.
 */
import type { Fleet } from '#cloud/bus/fleet.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { Address, Clock } from '#shared/kernel/world.ts';
import {
  type Binding,
  bindingOf,
  type PlainBinding,
  plainBinding,
  type RegisterOutcome,
} from '#shared/sip/registrar.ts';
import type { Flow } from '#shared/sip/types.ts';
import { stillServes } from '../bindings.ts';
import type { Location, Reached } from '../location.ts';
import { foreignFlow, isForeign } from './foreign.ts';

/** A binding as it stands in the store, beside its wall-clock time. */
interface Kept {
  readonly binding: PlainBinding;
  readonly flow: Flow;
  readonly gateway?: string;
}

interface Row {
  readonly line: string;
  readonly body: string;
  readonly expires_at: number;
  readonly owner: string;
}

export interface SharedBindingsOptions {
  readonly fleet: Fleet;
  readonly store: Store;
  readonly clock: Clock;
  readonly location: Location;
  /** Tells the other processes that a line changed. */
  readonly tell: (line: string) => void;
  /** Our own flow over UDP to an address. */
  readonly flowTo: (remote: Address) => Promise<Flow>;
}

/** Lines that are known to be as they were read. */
const FRESH = 20_000;

const SELECT = 'SELECT line, body, expires_at, owner FROM binding WHERE expires_at > ?';
const INSERT =
  'INSERT INTO binding (line, uri, body, expires_at, owner, flow) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (line, uri) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at, owner = excluded.owner, flow = excluded.flow';

export class SharedBindings {
  readonly #o: SharedBindingsOptions;
  /** Lines whose rows have not changed since they were read. */
  readonly #fresh = new Map<string, Promise<void>>();
  /** Bindings of lines as this process wrote them last. */
  readonly #written = new Map<string, readonly Reached[]>();

  constructor(options: SharedBindingsOptions) {
    this.#o = options;
  }

  /** Takes over what the process before this one left; its connections are gone, and what came over them. */
  async begin(): Promise<void> {
    const { store, fleet } = this.#o;
    await fleet.inherit();
    await store.commit([
      sql("DELETE FROM binding WHERE owner = ? AND owner <> '' AND flow NOT LIKE 'udp%'", fleet.owner),
    ]);
  }

  /** What there is of a line, into the location. */
  sync(line: string): Promise<void> {
    const known = this.#fresh.get(line);
    if (known !== undefined) return known;
    if (this.#fresh.size >= FRESH) this.#fresh.clear();
    const reading = this.#read(line);
    this.#fresh.set(line, reading);
    // What could not be read is asked for again.
    reading.catch(() => {
      if (this.#fresh.get(line) === reading) this.#fresh.delete(line);
    });
    return reading;
  }

  async #read(line: string): Promise<void> {
    const { store, clock, location } = this.#o;
    const rows = await store.all<Row>(`${SELECT} AND line = ?`, [clock.wall(), line]);
    location.replace(line, await this.#reached(rows));
  }

  /** Another process changed a line; without one, any may have changed. */
  changed(line?: string): void {
    if (line === undefined) this.#fresh.clear();
    else this.#fresh.delete(line);
  }

  /** As `sync`, for all lines. */
  async syncAll(): Promise<void> {
    const { store, clock, location } = this.#o;
    const rows = Map.groupBy(await store.all<Row>(SELECT, [clock.wall()]), ({ line }) => line);
    for (const line of location.known()) if (!rows.has(line)) location.replace(line, []);
    for (const [line, of] of rows) location.replace(line, await this.#reached(of));
  }

  /** Lets a REGISTER change the bindings of a line; what it changed is written, and so seen by all, before this resolves. */
  async change(line: string, run: () => RegisterOutcome): Promise<RegisterOutcome> {
    const { location, store, fleet, clock } = this.#o;
    await this.sync(line);
    const before = location.reached(line);
    const outcome = run();
    if (outcome.status !== 200) return outcome;
    const after = location.reached(line);
    const now = clock.mono();
    const statements: Statement[] = [];
    for (const { binding } of before) {
      if (after.some((one) => one.binding.uri === binding.uri)) continue;
      statements.push(sql('DELETE FROM binding WHERE line = ? AND uri = ?', line, binding.uri));
    }
    for (const one of after) {
      const [old, written] = [before, this.#written.get(line) ?? []].map((all) =>
        all.find(({ binding, flow }) => binding.uri === one.binding.uri && flow.id === one.flow.id),
      );
      const serves = old !== undefined && stillServes(written, one, now);
      if (isForeign(one.flow) || old?.binding === one.binding || serves) continue;
      statements.push(this.#insert(line, one, fleet.owner));
    }
    if (statements.length > 0) {
      await store.commit(statements);
      this.#note(line, after);
      this.#o.tell(line);
    }
    return outcome;
  }

  #note(line: string, written: readonly Reached[]): void {
    if (this.#written.size >= FRESH) this.#written.clear();
    if (written.length === 0) this.#written.delete(line);
    else this.#written.set(line, written);
  }

  /** A connection of this process is gone, over which these lines were registered. */
  async lost(flow: Flow, lines: readonly string[]): Promise<void> {
    const { store, fleet, tell } = this.#o;
    await store.commit([sql("DELETE FROM binding WHERE owner = ? AND owner <> '' AND flow = ?", fleet.owner, flow.id)]);
    for (const line of lines) tell(line);
  }

  /** One phone cannot be reached any more; without `uri` the line exists no more. */
  async gone(line: string, uri?: string): Promise<void> {
    const which = uri === undefined ? '' : ' AND uri = ?';
    await this.#o.store.commit([
      sql(`DELETE FROM binding WHERE line = ?${which}`, line, ...(uri === undefined ? [] : [uri])),
    ]);
    this.#o.tell(line);
  }

  #insert(line: string, { binding, flow, gateway }: Reached, owner: string): Statement {
    const { clock } = this.#o;
    const kept: Kept = { binding: plainBinding(binding), flow, ...(gateway === undefined ? {} : { gateway }) };
    const expires = Math.floor(binding.expiresAt + clock.wall() - clock.mono());
    return sql(INSERT, line, binding.uri, JSON.stringify(kept), expires, owner, flow.id);
  }

  async #reached(rows: readonly Row[]): Promise<Reached[]> {
    const { clock, location } = this.#o;
    const offset = clock.mono() - clock.wall();
    const reached: Reached[] = [];
    for (const { line, body, expires_at, owner } of rows) {
      const { binding: plain, flow: written, gateway } = JSON.parse(body) as Kept;
      const flow = await this.#flowOf(owner, written, plain.path.length > 0);
      if (flow === undefined) continue;
      const binding = bindingOf(plain, expires_at + offset);
      const own = location.reached(line).find((one) => one.binding.uri === binding.uri && one.flow.id === flow.id);
      // A refresh that is not worth writing lives in memory alone.
      const newest: Binding = own !== undefined && own.binding.expiresAt > binding.expiresAt ? own.binding : binding;
      reached.push({ binding: newest, flow, ...(gateway === undefined ? {} : { gateway }) });
    }
    return reached;
  }

  /** How this process reaches what came over that flow of a process; undefined where that is gone. */
  async #flowOf(owner: string, flow: Flow, isByProxy: boolean): Promise<Flow | undefined> {
    const { fleet, location, flowTo } = this.#o;
    const datagram = flow.protocol === 'udp';
    if (owner === fleet.owner) return location.flow(flow.id) ?? (datagram ? flowTo(flow.remote) : undefined);
    const lives = fleet.alive().includes(owner);
    if (datagram && (isByProxy || !lives)) return flowTo(flow.remote).catch(() => undefined);
    return lives ? foreignFlow(owner, flow) : undefined;
  }
}
