/** Established calls in the store: a row per dialog, so that a restarted softswitch goes on with hold, BYE and the list of channels. */
import type { LineRow } from '#cloud/store/directory.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { CALLER, restoredCall } from '#shared/call/call.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { CallSnapshot, Flow, SipEndpoint } from '#shared/sip/types.ts';
import { type Callee, endOf, type Live, type Shown } from './live.ts';

/** One side of a call, with what the call itself needs beside it. */
interface Side {
  readonly party: string;
  readonly dialog: CallSnapshot;
  readonly flow: Flow;
  readonly gateway?: string;
  readonly line?: LineRow;
  readonly version: number;
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
  };
}

interface Row {
  readonly session: string;
  readonly leg: string;
  readonly call: string;
  readonly body: string;
}

export class Snapshots {
  readonly #store: Store;
  readonly #endpoint: SipEndpoint;
  /** Saves under way: a removal has to come after its save. */
  readonly #saving = new Map<string, Promise<void>>();

  constructor(store: Store, endpoint: SipEndpoint) {
    this.#store = store;
    this.#endpoint = endpoint;
  }

  save(live: Live): Promise<void> {
    const rows = [...live.handles.keys()].flatMap((party) => this.#row(live, party));
    if (rows.length === 0) return Promise.resolve();
    const saving = this.#write(rows).finally(() => this.#saving.delete(live.id));
    this.#saving.set(live.id, saving);
    return saving;
  }

  async remove(call: string): Promise<void> {
    await this.#saving.get(call);
    await this.#write([sql('DELETE FROM channel WHERE call = ?', call)]);
  }

  /** The calls that an earlier process left, each with its dialogs by party. */
  async load(): Promise<{ readonly live: Live; readonly dialogs: readonly Restored[] }[]> {
    const rows = await this.#store.all<Row>('SELECT session, leg, call, body FROM channel ORDER BY call, leg');
    const calls = new Map<string, { row: Row; side: Side }[]>();
    for (const row of rows) {
      const sides = calls.get(row.call) ?? [];
      sides.push({ row, side: JSON.parse(row.body) as Side });
      calls.set(row.call, sides);
    }
    return [...calls].map(([id, sides]) => restore(id, sides));
  }

  async #write(statements: readonly Statement[]): Promise<void> {
    await this.#store.commit(statements);
  }

  #row(live: Live, party: string): Statement[] {
    const handle = live.handles.get(party);
    const dialog = handle === undefined ? undefined : this.#endpoint.snapshot(handle);
    const leg = party === CALLER ? live.state.callerLeg?.id : live.state.branches.get(party)?.leg;
    const { flow, gateway, line } = endOf(live, party);
    if (dialog === undefined || leg === undefined || flow === undefined) return [];
    const { autonomous, caller, direct, dialled, callId, startedAt, answeredAt = startedAt } = live;
    const { relay, owned } = live.state;
    const side: Side = {
      party,
      dialog,
      flow,
      ...(gateway === undefined ? {} : { gateway }),
      ...(line === undefined ? {} : { line }),
      version: live.versions.get(party) ?? 1,
      call: { autonomous, caller, direct, dialled, callId, startedAt, answeredAt, relay, owned },
    };
    return [
      sql(
        'INSERT INTO channel (session, leg, call, body) VALUES (?, ?, ?, ?) ON CONFLICT (session, leg) DO UPDATE SET call = excluded.call, body = excluded.body',
        live.session,
        leg,
        live.id,
        JSON.stringify(side),
      ),
    ];
  }
}

export interface Restored {
  readonly party: string;
  readonly dialog: CallSnapshot;
  readonly flow: Flow;
}

function restore(id: string, sides: readonly { row: Row; side: Side }[]): { live: Live; dialogs: Restored[] } {
  const caller = sides.find(({ side }) => side.party === CALLER);
  const callee = sides.find(({ side }) => side.party !== CALLER);
  const [first] = sides;
  if (first === undefined) throw new Error('a restored call has a side');
  const { call } = first.side;
  const state = restoredCall<Callee>({
    ...(caller === undefined ? {} : { callerLeg: caller.row.leg }),
    ...(callee?.side.line === undefined
      ? {}
      : { callee: { leg: callee.row.leg, branch: callee.side.party, to: calleeOf(callee.side, callee.side.line) } }),
    relay: call.relay,
    owned: call.owned,
  });
  const side = caller?.side;
  const live: Live = {
    id,
    state,
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
    handles: new Map(),
    versions: new Map(sides.map((one) => [one.side.party, one.side.version])),
    counted: [],
    startedAt: call.startedAt,
    answeredAt: call.answeredAt,
    due: NEVER,
  };
  return { live, dialogs: sides.map(({ side: { party, dialog, flow } }) => ({ party, dialog, flow })) };
}

function calleeOf(side: Side, line: LineRow): Callee {
  const { flow, gateway, dialog } = side;
  const contact = {
    uri: dialog.remoteTarget,
    flow,
    path: [],
    open: false,
    ...(gateway === undefined ? {} : { gateway }),
  };
  return { contact, line };
}
