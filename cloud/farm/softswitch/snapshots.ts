/** Established calls in the store: a row per dialog, so that a restarted softswitch goes on with hold, BYE and the list of channels. */
import { type LineRow, lineById } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { CALLER } from '#shared/call/call.ts';
import { restoredParts, type SavedSide, savedSide } from '#shared/host/call-restore.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { Help } from './emergency/help.ts';
import { type Callee, endOf, type Live, type Shown } from './live.ts';

/** One side of a call, with what the call itself needs beside it. */
interface Side extends SavedSide {
  readonly gateway?: string;
  /** The line's id. */
  readonly line?: string;
  readonly call: {
    readonly autonomous: boolean;
    readonly caller: Shown;
    readonly direct: boolean;
    readonly dialled: string;
    readonly callId: string;
    readonly startedAt: number;
    readonly answeredAt: number;
    readonly relay: boolean;
    readonly owned: boolean;
    /** The trunks that it uses, and the call for help that it is. */
    readonly way?: string;
    readonly cameBy?: string;
    readonly help?: Help;
  };
}

interface Row {
  readonly session: string;
  readonly call: string;
  readonly body: string;
}

/** Milliseconds for which the rows of calls that ended wait for those of others, and how many go at once. */
const GONE_AFTER = 100;
export const GONE_AT_ONCE = 64;

export class Snapshots {
  readonly #store: Store;
  readonly #endpoint: SipEndpoint;
  readonly #world: Pick<World, 'clock' | 'log'>;
  /** The process whose calls these are; empty where there is but one. */
  readonly #owner: string;
  /** Calls that ended and whose rows still stand. */
  #gone: Live[] = [];
  #timer: Timer | undefined;

  constructor(store: Store, endpoint: SipEndpoint, world: Pick<World, 'clock' | 'log'>, owner = '') {
    this.#store = store;
    this.#endpoint = endpoint;
    this.#world = world;
    this.#owner = owner;
  }

  save(live: Live): Promise<void> {
    const rows = this.#rows(live);
    if (rows.length === 0) return Promise.resolve();
    const saving = this.#write([this.#insert(live, rows)]);
    live.saving = saving;
    return saving;
  }

  /** The row of a leg that is no longer a channel's. */
  async forget(session: string, leg: string): Promise<void> {
    await this.#write([sql('DELETE FROM channel WHERE session = ? AND leg = ?', session, leg)]);
  }

  /**
   * The call ended: its rows go a moment later, together with those of others. Found there after a crash, it is asked for at both ends,
   * which do not know it any more.
   */
  remove(live: Live): void {
    this.#gone.push(live);
    const { clock } = this.#world;
    if (this.#gone.length >= GONE_AT_ONCE) this.#sweep();
    else this.#timer ??= clock.at(clock.mono() + GONE_AFTER, () => this.#sweep());
  }

  #sweep(): void {
    this.flush().catch((error: unknown) => this.#world.log.error('softswitch.not-removed', { error: String(error) }));
  }

  /** Removes what is to be removed, now. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const gone = this.#gone;
    if (gone.length === 0) return;
    this.#gone = [];
    // A removal has to come after its save; one that failed left nothing.
    await Promise.allSettled(gone.flatMap(({ saving }) => saving ?? []));
    await this.#write([{ sql: removeText(gone.length), params: gone.map(({ id }) => id) }]);
  }

  /** The calls that an earlier process left, each with its dialogs by party; of several processes those that are this one's, or those named. */
  async load(named?: readonly string[]): Promise<{ readonly live: Live; readonly sides: readonly SavedSide[] }[]> {
    const wanted = named && new Set(named);
    const rows = (await this.#read(named)).filter(({ call }) => wanted?.has(call) !== false);
    const calls = new Map<string, { row: Row; side: Side }[]>();
    const lines = new Map<string, LineRow | undefined>();
    for (const row of rows) {
      const sides = calls.get(row.call) ?? [];
      const side = JSON.parse(row.body) as Side;
      if (side.line !== undefined && !lines.has(side.line))
        lines.set(side.line, await lineById(this.#store, side.line));
      sides.push({ row, side });
      calls.set(row.call, sides);
    }
    return [...calls].map(([id, sides]) => restore(id, sides, lines));
  }

  #read(named: readonly string[] | undefined): Promise<Row[]> {
    const select = 'SELECT session, call, body FROM channel';
    // Alone it has all of them, whatever process of an earlier several had them.
    if (this.#owner === '') return this.#store.all<Row>(`${select} ORDER BY call, leg`);
    if (named?.length === 1) {
      return this.#store.all<Row>(`${select} WHERE call = ? AND owner = ? ORDER BY leg`, [named[0] ?? '', this.#owner]);
    }
    return this.#store.all<Row>(`${select} WHERE owner = ? ORDER BY call, leg`, [this.#owner]);
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    await this.#store.commit(statements);
  }

  /** The sides that have a dialog; what is of the call itself is written once and stands in each of them. */
  #rows(live: Live): Saved[] {
    const { autonomous, caller, direct, dialled, callId, startedAt, answeredAt = startedAt } = live;
    const { relay, owned } = live.state;
    const { way, cameBy, help } = live;
    const of = { autonomous, caller, direct, dialled, callId, startedAt, answeredAt, relay, owned, way, cameBy, help };
    const call = JSON.stringify(of);
    const rows: Saved[] = [];
    for (const party of live.handles.keys()) {
      const { flow, gateway, line } = endOf(live, party);
      const saved = savedSide(this.#endpoint, live, party, flow);
      if (saved === undefined) continue;
      const { leg, dialog, version } = saved;
      const side = JSON.stringify({ party, leg, dialog, version, gateway, line: line?.id });
      rows.push({
        leg,
        callId: dialog.callId,
        body: `${side.slice(0, -1)},"flow":${flowText(saved.flow)},"call":${call}}`,
      });
    }
    return rows;
  }

  /** Of several processes each writes whose a call is, and the Call-ID by which another process finds it. */
  #insert(live: Live, rows: readonly Saved[]): Statement {
    const owned = this.#owner !== '';
    const params: string[] = [];
    for (const { leg, body, callId } of rows) {
      params.push(live.session, leg, live.id, body);
      if (owned) params.push(this.#owner, callId);
    }
    return { sql: insertText(owned, rows.length), params };
  }
}

/** Flows as they are written: most calls go over one that carried others. */
const flows = new WeakMap<Flow, string>();

function flowText(flow: Flow): string {
  const known = flows.get(flow);
  if (known !== undefined) return known;
  const text = JSON.stringify(flow);
  flows.set(flow, text);
  return text;
}

const removals = new Map<number, string>();

function removeText(count: number): string {
  const known = removals.get(count);
  if (known !== undefined) return known;
  const text = `DELETE FROM channel WHERE call IN (${Array.from({ length: count }, () => '?').join(', ')})`;
  removals.set(count, text);
  return text;
}

const texts = new Map<number, string>();

/** The text that writes so many rows; made once for each number of them. */
function insertText(owned: boolean, count: number): string {
  const key = owned ? count : -count;
  const known = texts.get(key);
  if (known !== undefined) return known;
  const names = ['session', 'leg', 'call', 'body', ...(owned ? ['owner', 'call_id'] : [])];
  const row = `(${names.map(() => '?').join(', ')})`;
  const rows = Array.from({ length: count }, () => row).join(', ');
  const changed = names.slice(2).map((name) => `${name} = excluded.${name}`);
  const text = `INSERT INTO channel (${names.join(', ')}) VALUES ${rows} ON CONFLICT (session, leg) DO UPDATE SET ${changed.join(', ')}`;
  texts.set(key, text);
  return text;
}

/** A side as it is written. */
interface Saved {
  readonly leg: string;
  readonly callId: string;
  readonly body: string;
}

function restore(
  id: string,
  rows: readonly { row: Row; side: Side }[],
  lines: ReadonlyMap<string, LineRow | undefined>,
): { live: Live; sides: readonly SavedSide[] } {
  const [first] = rows;
  if (first === undefined) throw new Error('a restored call has a side');
  const { call } = first.side;
  const sides = rows.map((one) => one.side);
  const side = sides.find(({ party }) => party === CALLER);
  const callee = sides.find(({ party }) => party !== CALLER);
  const lineOf = (one: Side | undefined) => (one?.line === undefined ? undefined : lines.get(one.line));
  const to = callee === undefined ? undefined : calleeOf(callee, lineOf(callee));
  const line = lineOf(side);
  const live: Live = {
    id,
    ...restoredParts<Callee>(sides, { relay: call.relay, owned: call.owned }, to),
    session: first.row.session,
    autonomous: call.autonomous,
    caller: call.caller,
    ...(line === undefined ? {} : { line }),
    ...(side?.flow === undefined ? {} : { flow: side.flow }),
    ...(side?.gateway === undefined ? {} : { gateway: side.gateway }),
    direct: call.direct,
    open: false,
    dialled: call.dialled,
    callId: call.callId,
    ...outsideOf(call),
    counted: [],
    startedAt: call.startedAt,
    answeredAt: call.answeredAt,
  };
  return { live, sides };
}

/** What ties a call to the outside. */
function outsideOf({
  way,
  cameBy,
  help,
}: Pick<Live, 'way' | 'cameBy' | 'help'>): Pick<Live, 'way' | 'cameBy' | 'help'> {
  return {
    ...(way === undefined ? {} : { way }),
    ...(cameBy === undefined ? {} : { cameBy }),
    ...(help === undefined ? {} : { help }),
  };
}

/** Without a line the other end is a trunk. */
function calleeOf({ flow, gateway, dialog }: Side, line: LineRow | undefined): Callee {
  const contact = {
    uri: dialog.remoteTarget,
    flow,
    path: [],
    open: false,
    ...(gateway === undefined ? {} : { gateway }),
  };
  return { contact, ...(line === undefined ? {} : { line }) };
}
