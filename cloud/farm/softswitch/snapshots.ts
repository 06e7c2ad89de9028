/** Established calls in the store: a row per call, so that a restarted softswitch goes on with hold, BYE and the list of channels. */
import { type LineRow, lineById } from '#cloud/store/directory.ts';
import type { Statement, Store } from '#cloud/store/store.ts';
import { CALLER } from '#shared/call/call.ts';
import { restoredParts, type SavedSide, savedSide } from '#shared/host/call-restore.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { Help } from './emergency/help.ts';
import { type Callee, endOf, type Live, type Shown } from './live.ts';

interface Side extends SavedSide {
  readonly gateway?: string;
  /** The line's id. */
  readonly line?: string;
}

/** A call as it is written. */
interface Body {
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
  /** Those that have a dialog. */
  readonly sides: readonly Side[];
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

  /** Writes these calls as they are now, all or none. */
  save(...lives: readonly Live[]): Promise<void> {
    const rows = lives.map((live) => this.#row(live)).filter((row) => row !== undefined);
    if (rows.length === 0) return Promise.resolve();
    const saving = this.#write(rows);
    for (const live of lives) live.saving = saving;
    return saving;
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
    const lines = new Map<string, LineRow | undefined>();
    const calls: { readonly live: Live; readonly sides: readonly SavedSide[] }[] = [];
    for (const row of rows) {
      const body = JSON.parse(row.body) as Body;
      for (const { line } of body.sides)
        if (line !== undefined && !lines.has(line)) lines.set(line, await lineById(this.#store, line));
      calls.push({ live: restore(row, body, lines), sides: body.sides });
    }
    return calls;
  }

  #read(named: readonly string[] | undefined): Promise<Row[]> {
    const select = 'SELECT session, call, body FROM channel';
    // Alone it has all of them, whatever process of an earlier several had them.
    if (this.#owner === '') return this.#store.all<Row>(`${select} ORDER BY call`);
    if (named?.length === 1) {
      return this.#store.all<Row>(`${select} WHERE call = ? AND owner = ?`, [named[0] ?? '', this.#owner]);
    }
    return this.#store.all<Row>(`${select} WHERE owner = ? ORDER BY call`, [this.#owner]);
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    await this.#store.commit(statements);
  }

  /** The call's row; undefined where no side has a dialog. Of several processes each writes whose it is, and the Call-IDs by which another finds it. */
  #row(live: Live): Statement | undefined {
    let sides = '';
    const callIds: string[] = [];
    for (const party of live.handles.keys()) {
      const { flow, gateway, line } = endOf(live, party);
      const saved = savedSide(this.#endpoint, live, party, flow);
      if (saved === undefined) continue;
      const { leg, dialog, version } = saved;
      const side = JSON.stringify({ party, leg, dialog, version, gateway, line: line?.id });
      sides += `${sides === '' ? '' : ','}${side.slice(0, -1)},"flow":${flowText(saved.flow)}}`;
      callIds.push(dialog.callId);
    }
    if (sides === '') return undefined;
    const params = [live.id, live.session, `{"call":${callText(live)},"sides":[${sides}]}`];
    if (this.#owner === '') return { sql: INSERT, params };
    const [callId = '', otherId = ''] = callIds;
    return { sql: INSERT_OWNED, params: [...params, this.#owner, callId, otherId] };
  }
}

/** What is of the call itself. */
function callText(live: Live): string {
  const { autonomous, caller, direct, dialled, callId, startedAt, answeredAt = startedAt } = live;
  const { relay, owned } = live.state;
  const { way, cameBy, help } = live;
  const of = { autonomous, caller, direct, dialled, callId, startedAt, answeredAt, relay, owned, way, cameBy, help };
  return JSON.stringify(of);
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

/** Written again where it changes sides or its session. */
const INSERT = insertText(['call', 'session', 'body']);
const INSERT_OWNED = insertText(['call', 'session', 'body', 'owner', 'call_id', 'other_id']);

function insertText(names: readonly string[]): string {
  const changed = names.slice(1).map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO channel (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT (call) DO UPDATE SET ${changed.join(', ')}`;
}

function restore(
  { call: id, session }: Row,
  { call, sides }: Body,
  lines: ReadonlyMap<string, LineRow | undefined>,
): Live {
  const side = sides.find(({ party }) => party === CALLER);
  const callee = sides.find(({ party }) => party !== CALLER);
  const lineOf = (one: Side | undefined) => (one?.line === undefined ? undefined : lines.get(one.line));
  const to = callee === undefined ? undefined : calleeOf(callee, lineOf(callee));
  const line = lineOf(side);
  return {
    id,
    ...restoredParts<Callee>(sides, { relay: call.relay, owned: call.owned }, to),
    session,
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
