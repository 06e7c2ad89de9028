/** Established calls in the store: a row per call, so that a restarted softswitch goes on with hold, BYE and the list of channels. */
import { type LineRow, lineById } from '#cloud/store/directory.ts';
import type { Statement, Store } from '#cloud/store/store.ts';
import { partiesOf } from '#shared/call/call-restored.ts';
import { pendingSide, savedSide } from '#shared/host/call-restore.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import { endOf, type Live } from './live.ts';
import { type Body, callText, type Left, linesOf, restore, sideText } from './restore-row.ts';

interface Row {
  readonly session: string;
  readonly call: string;
  readonly body: string;
}

/**
 * Milliseconds of ringing after which a call is written, where many ring up to twice as long: longer than the session manager gathers the
 * rows of a session that began, since a call that rings on after a restart and that no journal knows would be ended there, or answered
 * without a record.
 */
export const RINGS_AFTER = 150;
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
  /** Calls that began to ring, the first one first, and that are written if they still do when `due`. */
  #ringing: { readonly live: Live; readonly due: number }[] = [];
  #ringTimer: Timer | undefined;
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
   * Somebody is rung. A call that is answered at once is written then; one that rings for longer, and at either end over UDP, is
   * written as it rings: connections end with their process, and whoever is at their other end sees that.
   */
  rings(live: Live): void {
    const due = this.#world.clock.mono() + RINGS_AFTER;
    this.#ringing.push({ live, due });
    this.#ringTimer ??= this.#world.clock.at(due, () => this.#keepRinging());
  }

  #keepRinging(): void {
    const { clock, log } = this.#world;
    const now = clock.mono();
    const [old, young] = [this.#ringing.filter(({ due }) => due <= now), this.#ringing.filter(({ due }) => due > now)];
    this.#ringing = young;
    // Those that are left go together, once all of them have rung for so long.
    this.#ringTimer = young.length === 0 ? undefined : clock.at(now + RINGS_AFTER, () => this.#keepRinging());
    const still = old
      .map(({ live }) => live)
      .filter(({ state }) => state.at === 'ringing' && state.caller === 'waiting');
    const kept = new Set(still.filter((one) => [...one.handles.keys()].some((party) => isDatagram(one, party))));
    this.save(...kept).catch((error: unknown) => log.error('softswitch.ringing-not-kept', { error: String(error) }));
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
    try {
      await this.#write(removals(gone.map(({ id }) => id)));
    } catch (error) {
      // They go with the next ones: a row that stayed would be taken up as a call by a later process.
      this.#gone.push(...gone);
      throw error;
    }
  }

  /**
   * The calls that an earlier process left, each with its dialogs by party; of several processes those that are this one's, or those named.
   * Rows that tell no call go.
   */
  async load(named?: readonly string[]): Promise<Left[]> {
    const wanted = named && new Set(named);
    const rows = (await this.#read(named)).filter(({ call }) => wanted?.has(call) !== false);
    const { clock } = this.#world;
    const lines = new Map<string, LineRow | undefined>();
    const calls: Left[] = [];
    const unread: string[] = [];
    for (const row of rows) {
      try {
        const body = JSON.parse(row.body) as Body;
        for (const line of linesOf(body)) if (!lines.has(line)) lines.set(line, await lineById(this.#store, line));
        calls.push(restore(row, body, lines, clock.mono() - clock.wall()));
      } catch (error) {
        // Such as one of another release's making: the other calls, and the start, do not depend on it.
        this.#world.log.error('softswitch.call-not-read', { call: row.call, error: String(error) });
        unread.push(row.call);
      }
    }
    if (unread.length > 0) await this.#write(removals(unread));
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

  /** The call's row; undefined where there is nothing to go on with. Of several processes each writes whose it is, and the Call-IDs by which another finds it. */
  #row(live: Live): Statement | undefined {
    const sides: string[] = [];
    const pending: string[] = [];
    const callIds: string[] = [];
    for (const party of partiesOf(live.state)) {
      const handle = live.handles.get(party);
      if (handle === undefined) continue;
      const { flow } = endOf(live, party);
      const saved = savedSide(this.#endpoint, live, party, flow);
      const waits = pendingSide(this.#endpoint, live, party, flow);
      if (saved !== undefined && live.state.at !== 'ringing') sides.push(sideText(live, saved));
      if (waits !== undefined) pending.push(sideText(live, waits));
      const callId = this.#endpoint.dialogId(handle)?.callId;
      if (callId !== undefined && (saved ?? waits) !== undefined) callIds.push(callId);
    }
    if (callIds.length === 0) return undefined;
    const { clock } = this.#world;
    const { at, deadline } = live.state;
    const of = callText(live, at === 'ringing' ? deadline + clock.wall() - clock.mono() : undefined);
    const waiting = pending.length === 0 ? '' : `,"pending":[${pending.join(',')}]`;
    const params = [live.id, live.session, `{"call":${of},"sides":[${sides.join(',')}]${waiting}}`];
    if (this.#owner === '') return { sql: INSERT, params };
    const [callId = '', otherId = ''] = callIds;
    return { sql: INSERT_OWNED, params: [...params, this.#owner, callId, otherId] };
  }
}

const isDatagram = (live: Live, party: string): boolean => endOf(live, party).flow?.protocol === 'udp';

/** What removes the rows of these calls, so many at once. */
function removals(ids: readonly string[]): Statement[] {
  const all: Statement[] = [];
  for (let i = 0; i < ids.length; i += GONE_AT_ONCE) {
    const params = ids.slice(i, i + GONE_AT_ONCE);
    all.push({ sql: removeText(params.length), params });
  }
  return all;
}

const texts = new Map<number, string>();

function removeText(count: number): string {
  const known = texts.get(count);
  if (known !== undefined) return known;
  const text = `DELETE FROM channel WHERE call IN (${Array.from({ length: count }, () => '?').join(', ')})`;
  texts.set(count, text);
  return text;
}

/** Written again where it changes sides or its session. */
const INSERT = insertText(['call', 'session', 'body']);
const INSERT_OWNED = insertText(['call', 'session', 'body', 'owner', 'call_id', 'other_id']);

function insertText(names: readonly string[]): string {
  const changed = names.slice(1).map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO channel (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')}) ON CONFLICT (call) DO UPDATE SET ${changed.join(', ')}`;
}
