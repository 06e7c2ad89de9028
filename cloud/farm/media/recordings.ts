/** Recordings: a row and a WAV file each; whose they are, how they are read in parts, and what a crash left of them. */
import type { Handlers, Principal } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { sees, visibleHomes } from '#cloud/store/directory.ts';
import { type SqlValue, type Store, sql } from '#cloud/store/store.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { WAV_HEADER, wavHeader } from '#shared/rtp/wav.ts';
import type { Owner } from './names.ts';

/** Recordings that a home may keep; the operator's own, without a home, have the same limit together. */
export const RECORDINGS_PER_HOME = 500;
/** Octets of one part of the audio: 24 s. */
export const AUDIO_PART = 192 * 1024;

type RecordingVerbs = 'recording.list' | 'recording.get' | 'recording.audio' | 'recording.delete';
type Shown = VerbReply<'recording.get'>;

interface Row {
  readonly id: string;
  readonly session: string;
  readonly sound: string;
  readonly home: string | null;
  readonly state: Shown['state'];
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly octets: number | null;
}

const NOT_FOUND = err(fault('not_found', 'There is no such recording, or not for this credential.'));

export class Recordings {
  readonly #world: World;
  readonly #store: Store;
  readonly #config: CloudConfig;

  constructor(world: World, store: Store, config: CloudConfig) {
    this.#world = world;
    this.#store = store;
    this.#config = config;
  }

  /** The WAV file of a recording. */
  file(recording: string): string {
    return `${this.#config.data}/media/recordings/${recording}.wav`;
  }

  /** Notes that a recording begins; the same again changes nothing. */
  async begin(request: VerbRequest<'media.record.start'>): Promise<Result<object, Fault>> {
    const { recording, session, sound, home } = request;
    const kept = await this.#store.one<{ n: number }>(
      "SELECT COUNT(*) AS n FROM recording WHERE COALESCE(home, '') = ?",
      [home ?? ''],
    );
    if ((kept?.n ?? 0) >= RECORDINGS_PER_HOME) {
      return err(fault('limit_reached', `A home may keep ${RECORDINGS_PER_HOME} recordings; delete some first.`));
    }
    await this.#store.commit([
      sql(
        "INSERT INTO recording (id, session, sound, home, state, started_at) VALUES (?, ?, ?, ?, 'recording', ?) ON CONFLICT (id) DO NOTHING",
        recording,
        session,
        sound,
        home ?? null,
        this.#world.clock.wall(),
      ),
    ]);
    return ok({});
  }

  /** Its recorder is gone: the file tells how long it is. */
  async finish(recording: string): Promise<void> {
    const data = await this.#world.disk.read(this.file(recording));
    const octets = data?.length ?? 0;
    const good = data !== undefined && octets > WAV_HEADER;
    if (good && !complete(data)) {
      data.set(wavHeader(octets - WAV_HEADER, 'PCMU'));
      await this.#world.disk.write(this.file(recording), data);
    }
    await this.#store.commit([
      sql(
        "UPDATE recording SET state = ?, ended_at = ?, octets = ? WHERE id = ? AND state = 'recording'",
        good ? 'ready' : 'failed',
        this.#world.clock.wall(),
        octets,
        recording,
      ),
    ]);
  }

  /** The same for the recording of a command, where it makes one. */
  async finishOf({ session, leg }: Owner): Promise<void> {
    const rows = await this.#store.all<Row>(
      "SELECT * FROM recording WHERE session = ? AND sound = ? AND state = 'recording'",
      [session, leg],
    );
    for (const row of rows) await this.finish(row.id);
  }

  /** After a start: recordings that no recorder carries on are closed with what there is. */
  async repair(isRunning: (owner: Owner) => boolean): Promise<void> {
    const rows = await this.#store.all<Row>("SELECT * FROM recording WHERE state = 'recording'");
    for (const row of rows) if (!isRunning({ session: row.session, leg: row.id })) await this.finish(row.id);
  }

  handlers(): Pick<Handlers<'media'>, RecordingVerbs> {
    return {
      'recording.list': async ({ home, session, limit = 50, after }, { principal }) => {
        const homes = home === undefined ? visibleHomes(principal) : sees(principal, home) ? [home] : [];
        const rows = await this.#rows(homes, session, limit + 1, after);
        const items = rows.slice(0, limit).map(shown);
        const last = items.at(-1);
        return ok({ items, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) });
      },

      'recording.get': async ({ recording }, { principal }) => {
        const row = await this.#find(recording, principal);
        return row === undefined ? NOT_FOUND : ok(shown(row));
      },

      'recording.audio': async ({ recording, offset = 0 }, { principal }) => {
        const row = await this.#find(recording, principal);
        if (row === undefined) return NOT_FOUND;
        if (row.state !== 'ready') return err(fault('conflict', `This recording is ${row.state}.`));
        const data = await this.#world.disk.read(this.file(recording));
        if (data === undefined) return NOT_FOUND;
        const part = data.subarray(offset, offset + AUDIO_PART);
        const next = offset + part.length < data.length ? { next: offset + part.length } : {};
        return ok({ type: 'audio/wav' as const, total: data.length, data: toBase64(part), ...next });
      },

      'recording.delete': async ({ recording }, { principal }) => {
        const row = await this.#find(recording, principal);
        if (row === undefined) return NOT_FOUND;
        if (row.state === 'recording') return err(fault('conflict', 'Stop the recording first.'));
        await this.#store.commit([sql('DELETE FROM recording WHERE id = ?', recording)]);
        await this.#world.disk.remove(this.file(recording));
        return ok({});
      },
    };
  }

  async #find(id: string, principal: Principal): Promise<Row | undefined> {
    const row = await this.#store.one<Row>('SELECT * FROM recording WHERE id = ?', [id]);
    if (row === undefined) return undefined;
    const may = row.home === null ? visibleHomes(principal) === 'all' : sees(principal, row.home);
    return may ? row : undefined;
  }

  /** Newest first: ids grow with time. */
  #rows(homes: readonly string[] | 'all', session: string | undefined, limit: number, after: string | undefined) {
    const where: string[] = [];
    const params: SqlValue[] = [];
    if (homes !== 'all') {
      if (homes.length === 0) return Promise.resolve([]);
      where.push(`home IN (${homes.map(() => '?').join(', ')})`);
      params.push(...homes);
    }
    if (session !== undefined) {
      where.push('session = ?');
      params.push(session);
    }
    if (after !== undefined) {
      where.push('id < ?');
      params.push(after);
    }
    const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
    return this.#store.all<Row>(`SELECT * FROM recording ${filter} ORDER BY id DESC LIMIT ?`, [...params, limit]);
  }
}

/** The header says how much there is. */
function complete(data: Uint8Array): boolean {
  const header = wavHeader(data.length - WAV_HEADER, 'PCMU');
  return header.every((octet, i) => data[i] === octet);
}

function shown(row: Row): Shown {
  const { id, session, home, state, started_at: startedAt, ended_at: endedAt, octets } = row;
  return {
    id,
    session,
    ...(home === null ? {} : { home }),
    state,
    startedAt,
    ...(endedAt === null ? {} : { endedAt }),
    ...(octets === null ? {} : { octets, seconds: Math.max(0, octets - WAV_HEADER) / SAMPLE_RATE }),
  };
}
