/** Established calls in the store: a row per dialog, so that a restarted softswitch goes on with hold, BYE and the list of channels. */
import type { LineRow } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { CALLER } from '#shared/call/call.ts';
import { restoredParts, type SavedSide, savedSide } from '#shared/host/call-restore.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import type { Help } from './emergency/help.ts';
import { type Callee, endOf, type Live, type Shown } from './live.ts';

/** One side of a call, with what the call itself needs beside it. */
interface Side extends SavedSide {
  readonly gateway?: string;
  readonly line?: LineRow;
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

export class Snapshots {
  readonly #store: Store;
  readonly #endpoint: SipEndpoint;
  /** The process whose calls these are; empty where there is but one. */
  readonly #owner: string;
  /** Saves under way: a removal has to come after its save. */
  readonly #saving = new Map<string, Promise<void>>();

  constructor(store: Store, endpoint: SipEndpoint, owner = '') {
    this.#store = store;
    this.#endpoint = endpoint;
    this.#owner = owner;
  }

  save(live: Live): Promise<void> {
    const rows = [...live.handles.keys()].flatMap((party) => this.#row(live, party));
    if (rows.length === 0) return Promise.resolve();
    const saving = this.#write(rows).finally(() => this.#saving.delete(live.id));
    this.#saving.set(live.id, saving);
    return saving;
  }

  /** The row of a leg that is no longer a channel's. */
  async forget(session: string, leg: string): Promise<void> {
    await this.#write([sql('DELETE FROM channel WHERE session = ? AND leg = ?', session, leg)]);
  }

  async remove(call: string): Promise<void> {
    await this.#saving.get(call);
    await this.#write([sql('DELETE FROM channel WHERE call = ?', call)]);
  }

  /** The calls that an earlier process left, each with its dialogs by party; of several processes those that are this one's, or those named. */
  async load(named?: readonly string[]): Promise<{ readonly live: Live; readonly sides: readonly SavedSide[] }[]> {
    const wanted = named && new Set(named);
    const rows = (await this.#read(named)).filter(({ call }) => wanted?.has(call) !== false);
    const calls = new Map<string, { row: Row; side: Side }[]>();
    for (const row of rows) {
      const sides = calls.get(row.call) ?? [];
      sides.push({ row, side: JSON.parse(row.body) as Side });
      calls.set(row.call, sides);
    }
    return [...calls].map(([id, sides]) => restore(id, sides));
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

  #row(live: Live, party: string): Statement[] {
    const { flow, gateway, line } = endOf(live, party);
    const saved = savedSide(this.#endpoint, live, party, flow);
    if (saved === undefined) return [];
    const { autonomous, caller, direct, dialled, callId, startedAt, answeredAt = startedAt } = live;
    const { relay, owned } = live.state;
    const side: Side = {
      ...saved,
      ...(gateway === undefined ? {} : { gateway }),
      ...(line === undefined ? {} : { line }),
      call: {
        ...{ autonomous, caller, direct, dialled, callId, startedAt, answeredAt, relay, owned },
        ...outsideOf(live),
      },
    };
    if (this.#owner !== '') return [this.#owned(live, saved, JSON.stringify(side))];
    return [
      sql(
        'INSERT INTO channel (session, leg, call, body) VALUES (?, ?, ?, ?) ON CONFLICT (session, leg) DO UPDATE SET call = excluded.call, body = excluded.body',
        live.session,
        saved.leg,
        live.id,
        JSON.stringify(side),
      ),
    ];
  }

  /** Written with whose it is, and the Call-ID by which another process finds it. */
  #owned(live: Live, { leg, dialog }: SavedSide, body: string): Statement {
    return sql(
      'INSERT INTO channel (session, leg, call, body, owner, call_id) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session, leg) DO UPDATE SET call = excluded.call, body = excluded.body, owner = excluded.owner, call_id = excluded.call_id',
      ...[live.session, leg, live.id, body, this.#owner, dialog.callId],
    );
  }
}

function restore(id: string, rows: readonly { row: Row; side: Side }[]): { live: Live; sides: readonly SavedSide[] } {
  const [first] = rows;
  if (first === undefined) throw new Error('a restored call has a side');
  const { call } = first.side;
  const sides = rows.map((one) => one.side);
  const side = sides.find(({ party }) => party === CALLER);
  const callee = sides.find(({ party }) => party !== CALLER);
  const to = callee === undefined ? undefined : calleeOf(callee);
  const live: Live = {
    id,
    ...restoredParts<Callee>(sides, { relay: call.relay, owned: call.owned }, to),
    session: first.row.session,
    autonomous: call.autonomous,
    caller: call.caller,
    ...(side?.line === undefined ? {} : { line: side.line }),
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
function calleeOf(side: Side): Callee {
  const { flow, gateway, dialog, line } = side;
  const contact = {
    uri: dialog.remoteTarget,
    flow,
    path: [],
    open: false,
    ...(gateway === undefined ? {} : { gateway }),
  };
  return { contact, ...(line === undefined ? {} : { line }) };
}
