/**
 * Quality on demand: sessions in the shape of CAMARA's quality-on-demand. A session that is AVAILABLE holds its profile's bit rate on the
 * home's line, beside what calls hold, until it runs out or is deleted; each change of state is an event. They are kept in the store and
 * hold their places again after a restart. Together they never hold more than half of a line, so that calls still fit.
 */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type SqlValue, type Statement, sql } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Budgets, DEFAULT_BUDGET } from './budget.ts';
import { LONGEST, type Profile, profileOf, profiles, SHORTEST } from './profiles.ts';

/** kbit/s of one home that quality-on-demand sessions may hold together. */
export const SESSIONS_BUDGET = DEFAULT_BUDGET / 2;
/** Sessions of one home that are kept, ended ones too. */
export const SESSIONS_PER_HOME = 100;
/** Milliseconds that a session is shown after its end. */
const SHOWN_AFTER_END = 3600 * 1000;
const LEG = 'qos';

type View = VerbReply<'qos.session.get'>;

interface Row {
  readonly id: string;
  readonly home: string;
  readonly account: string;
  readonly device: string | null;
  readonly profile: string;
  readonly state: View['state'];
  readonly info: NonNullable<View['statusInfo']> | null;
  /** Seconds. */
  readonly duration: number;
  readonly kbits: number;
  readonly started_at: number | null;
  readonly expires_at: number | null;
  readonly created_at: number;
  readonly version: number;
}

type Verbs =
  | 'qos.profile.list'
  | 'qos.session.create'
  | 'qos.session.list'
  | 'qos.session.get'
  | 'qos.session.extend'
  | 'qos.session.delete';

const NOT_FOUND = err(fault('not_found', 'There is no such session, or not for this credential.'));

export class QosSessions {
  readonly #at: PartContext;
  readonly #budgets: Budgets;
  readonly #timers = new Map<string, Timer>();

  constructor(at: PartContext, budgets: Budgets) {
    this.#at = at;
    this.#budgets = budgets;
  }

  /** Sessions that were available hold their places again; those that ran out meanwhile end now. */
  async recover(): Promise<void> {
    const rows = await this.#at.store.all<Row>("SELECT * FROM qos_session WHERE state = 'AVAILABLE'");
    for (const row of rows) {
      this.#hold(row, true);
      this.#arm(row);
    }
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
  }

  handlers(): Pick<Handlers<'qos'>, Verbs> {
    const { store } = this.#at;
    return {
      'qos.profile.list': async ({ home }, { principal }) => {
        if (home !== undefined && !sees(principal, home)) return err(fault('not_found'));
        return ok({ items: profiles.map((profile) => this.#shown(profile, home)) });
      },
      'qos.session.create': (request, asked) => this.#create(request, asked),
      'qos.session.list': async ({ home, limit = 100, after = '' }, { principal }) => {
        if (principal.kind !== 'account') return err(fault('forbidden'));
        const homes = home === undefined ? principal.homes : [home];
        const where = homes === 'all' ? '1 = 1' : `home IN (${homes.map(() => '?').join(', ') || 'NULL'})`;
        const params: SqlValue[] = [...(homes === 'all' ? [] : homes), after, limit + 1];
        const rows = await store.all<Row>(
          `SELECT * FROM qos_session WHERE ${where} AND id > ? ORDER BY id LIMIT ?`,
          params,
        );
        const items = rows.slice(0, limit).map((row) => view(row));
        const last = items.at(-1);
        return ok({ items, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) });
      },
      'qos.session.get': async ({ qos }, asked) => {
        const row = await this.#find(qos, asked);
        return row === undefined ? NOT_FOUND : ok(view(row));
      },
      'qos.session.extend': (request, asked) => this.#extend(request, asked),
      'qos.session.delete': async ({ qos }, asked) => {
        const row = await this.#find(qos, asked);
        if (row === undefined) return NOT_FOUND;
        this.#release(row.id);
        const gone: Row = { ...row, state: 'UNAVAILABLE', info: 'DELETE_REQUESTED' };
        await this.#commit([sql('DELETE FROM qos_session WHERE id = ?', row.id), ...this.#changed(row, gone)]);
        return ok({});
      },
    };
  }

  async #find(id: string, { principal }: Context): Promise<Row | undefined> {
    const row = await this.#at.store.one<Row>('SELECT * FROM qos_session WHERE id = ?', [id]);
    return row !== undefined && sees(principal, row.home) ? row : undefined;
  }

  async #create(request: VerbRequest<'qos.session.create'>, asked: Context) {
    const { store, world } = this.#at;
    const before = await repeated<'qos.session.create'>(store, asked);
    if (before !== undefined) return before;
    const { home, device } = request;
    const { principal } = asked;
    if (principal.kind !== 'account' || !sees(principal, home) || (await homeById(store, home)) === undefined)
      return err(fault('not_found', 'There is no such home.'));
    const profile = profileOf(request.profile);
    if (profile === undefined)
      return err(fault('not_found', 'GET /v1/qos/profiles lists the profiles.', { pointer: '/profile' }));
    if (device !== undefined && !(await this.#hasDevice(home, device)))
      return err(fault('not_found', 'The home has no such device.', { pointer: '/device' }));
    const count = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM qos_session WHERE home = ?', [home]);
    if ((count?.n ?? 0) >= SESSIONS_PER_HOME)
      return err(fault('limit_reached', `A home has at most ${SESSIONS_PER_HOME} sessions.`));
    const now = world.clock.wall();
    const asking: Row = {
      id: newId('qos', now, world.random.bytes(10)),
      home,
      account: principal.account,
      device: device ?? null,
      profile: profile.name,
      state: 'REQUESTED',
      info: null,
      duration: request.duration,
      kbits: profile.kbits,
      started_at: null,
      expires_at: null,
      created_at: now,
      version: 1,
    };
    const refused = this.#hold(asking, false);
    const row: Row =
      refused === undefined
        ? { ...asking, state: 'AVAILABLE', started_at: now, expires_at: now + request.duration * 1000 }
        : { ...asking, state: 'UNAVAILABLE', info: 'NETWORK_TERMINATED', expires_at: now };
    const outcome = ok(view(row, refused));
    const kept = remember<'qos.session.create'>(asked, outcome, now);
    await this.#commit([insert(row), ...this.#changed(asking, row), ...kept]);
    this.#arm(row);
    return outcome;
  }

  async #extend({ qos, seconds }: VerbRequest<'qos.session.extend'>, asked: Context) {
    const { store, world } = this.#at;
    const before = await repeated<'qos.session.extend'>(store, asked);
    if (before !== undefined) return before;
    const row = await this.#find(qos, asked);
    if (row === undefined) return NOT_FOUND;
    if (row.state !== 'AVAILABLE' || row.expires_at === null)
      return err(fault('conflict', 'Only an available session can be extended.'));
    if (row.duration + seconds > LONGEST)
      return err(fault('limit_reached', `A session lasts at most ${LONGEST} seconds.`));
    const next: Row = { ...row, duration: row.duration + seconds, expires_at: row.expires_at + seconds * 1000 };
    const outcome = ok(view(next));
    await this.#commit([
      sql(
        'UPDATE qos_session SET duration = ?, expires_at = ?, version = version + 1 WHERE id = ?',
        next.duration,
        next.expires_at,
        row.id,
      ),
      ...remember<'qos.session.extend'>(asked, outcome, world.clock.wall()),
    ]);
    this.#arm(next);
    return outcome;
  }

  async #hasDevice(home: string, device: string): Promise<boolean> {
    const find = 'SELECT id FROM device WHERE home = ? AND id = ?';
    return (await this.#at.store.one(find, [home, device])) !== undefined;
  }

  /** Takes a session's place on the line; what refused it, if anything did. One that stood before a restart is not refused. */
  #hold({ id, home, kbits }: Row, again: boolean): string | undefined {
    if (!again && this.#held(home) + kbits > SESSIONS_BUDGET)
      return `Sessions hold ${this.#held(home)} of ${SESSIONS_BUDGET} kbit/s, and this one needs ${kbits} kbit/s.`;
    const held = this.#budgets.reserve({ session: id, leg: LEG, home, kbits, kind: 'media', emergency: again });
    return held.ok ? undefined : (held.fault.detail ?? held.fault.code);
  }

  #release(id: string): void {
    this.#timers.get(id)?.cancel();
    this.#timers.delete(id);
    this.#budgets.release({ session: id, leg: LEG });
  }

  #held(home: string): number {
    const own = this.#budgets.list().filter((one) => one.leg === LEG && one.home === home);
    return own.reduce((sum, one) => sum + one.kbits, 0);
  }

  #shown({ kbits, ...profile }: Profile, home: string | undefined): VerbReply<'qos.profile.list'>['items'][number] {
    const all = { ...profile, kbits, minDuration: SHORTEST, maxDuration: LONGEST };
    if (home === undefined) return all;
    const free = Math.max(0, Math.min(SESSIONS_BUDGET - this.#held(home), this.#budgets.free(home)));
    return { ...all, freeKbits: free, sessionsNow: Math.floor(free / kbits) };
  }

  #arm(row: Row): void {
    this.#timers.get(row.id)?.cancel();
    if (row.state !== 'AVAILABLE' || row.expires_at === null) return;
    const { clock } = this.#at.world;
    const run = () => void this.#expire(row.id).catch((error: unknown) => this.#failed(error));
    this.#timers.set(row.id, clock.at(clock.mono() + Math.max(0, row.expires_at - clock.wall()), run));
  }

  #failed(error: unknown): void {
    this.#at.world.log.error('qos.session-failed', { error: String(error) });
  }

  async #expire(id: string): Promise<void> {
    const { store, world } = this.#at;
    const row = await store.one<Row>('SELECT * FROM qos_session WHERE id = ?', [id]);
    if (row === undefined || row.state !== 'AVAILABLE') return;
    // The wall clock may have been set back, or the session was extended.
    if ((row.expires_at ?? 0) > world.clock.wall()) return this.#arm(row);
    this.#release(id);
    const over: Row = { ...row, state: 'UNAVAILABLE', info: 'DURATION_EXPIRED' };
    const old = world.clock.wall() - SHOWN_AFTER_END;
    await this.#commit([
      sql("UPDATE qos_session SET state = 'UNAVAILABLE', info = ?, version = version + 1 WHERE id = ?", over.info, id),
      sql("DELETE FROM qos_session WHERE state = 'UNAVAILABLE' AND expires_at < ?", old),
      ...this.#changed(row, over),
    ]);
  }

  #changed(before: Row, after: Row): Statement[] {
    if (before.state === after.state) return [];
    const { home, id: subject } = after;
    return [eventRow(this.#at.world, { type: 'home.qos.v1.status-changed', home, subject, data: view(after) })];
  }

  async #commit(statements: readonly Statement[]): Promise<void> {
    await this.#at.store.commit(statements);
    this.#at.bus.publish('event.appended', {});
  }
}

function insert(row: Row): Statement {
  const names = Object.keys(row) as (keyof Row)[];
  const text = `INSERT INTO qos_session (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`;
  return sql(text, ...names.map((name) => row[name]));
}

/** `why`: what a session that could not be given was refused for. */
function view(row: Row, why?: string): View {
  return {
    id: row.id,
    home: row.home,
    ...(row.device === null ? {} : { device: row.device }),
    profile: row.profile,
    state: row.state,
    ...(row.info === null ? {} : { statusInfo: row.info }),
    ...(why === undefined ? {} : { why }),
    duration: row.duration,
    kbits: row.kbits,
    ...(row.started_at === null ? {} : { startedAt: row.started_at }),
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  };
}
