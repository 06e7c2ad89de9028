/** Releases of the gateways' image: named by size and SHA-256 first, then their bundle comes part by part, or lies at a URL of the operator's. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { bundlePath } from '#cloud/store/bundle.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { openTicket, sealTicket } from '#cloud/store/ticket.ts';
import { fromBase64 } from '#shared/kernel/base64.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Hasher, World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { UPLOAD_PART } from '#shared/protocol/verbs/rollout.ts';
import { command, makeId, type Oamp, page } from './parts.ts';

/** Releases that are kept, withdrawn ones included. */
export const RELEASES = 1000;
/** Octets that the disk keeps free beside a bundle. */
const MARGIN = 64 * 1024 * 1024;
/** Octets that are read back at once where an upload goes on after a restart. */
const READ = 1024 * 1024;

export interface ReleaseRow {
  readonly id: string;
  readonly version: string;
  readonly board: string;
  readonly sha256: string;
  readonly size: number;
  readonly url: string | null;
  readonly notes: string | null;
  readonly state: 'waiting' | 'ready' | 'withdrawn';
  readonly created_at: number;
}

type Release = VerbReply<'release.get'>;
type Verbs =
  | 'release.create'
  | 'release.list'
  | 'release.get'
  | 'release.upload'
  | 'release.withdraw'
  | 'release.ticket'
  | 'release.open';

export function releaseById(store: Store, id: string): Promise<ReleaseRow | undefined> {
  return store.one<ReleaseRow>('SELECT * FROM release WHERE id = ?', [id]);
}

/** `withdrawn` says which statements belong to the commit that withdraws a release. */
export function releaseHandlers(
  oamp: Oamp,
  withdrawn: (release: string) => Statement[],
): Pick<Handlers<'oamp'>, Verbs> {
  const { store, world, config } = oamp;
  const hashes = new Map<string, Begun>();
  return {
    'release.create': (request, context) =>
      command<'release.create'>(oamp, context, () => plan(oamp, request), duplicate),

    async 'release.list'(request) {
      const found = await page<ReleaseRow>(store, 'SELECT * FROM release WHERE 1 = 1', [], request, 'DESC');
      return ok({
        items: await Promise.all(found.rows.map((row) => shown(oamp, row))),
        ...(found.next === undefined ? {} : { next: found.next }),
      });
    },

    async 'release.get'({ release }) {
      const row = await releaseById(store, release);
      return row === undefined ? err(noRelease()) : ok(await shown(oamp, row));
    },

    'release.upload': (request) => oamp.oneByOne('releases', () => upload(oamp, hashes, request)),

    'release.withdraw': ({ release }, context) =>
      oamp.oneByOne('releases', async () => {
        const outcome = await command<'release.withdraw'>(oamp, context, async () => {
          const row = await releaseById(store, release);
          if (row === undefined) return err(noRelease());
          const statements =
            row.state === 'withdrawn'
              ? []
              : [sql("UPDATE release SET state = 'withdrawn' WHERE id = ?", release), ...withdrawn(release)];
          return ok({ reply: toRelease({ ...row, state: 'withdrawn' }), statements });
        });
        if (outcome.ok) await world.disk.remove(bundlePath(config.data, release));
        hashes.delete(release);
        return outcome;
      }),

    'release.ticket': (request, context) => ticket(oamp, request, context),

    async 'release.open'({ release, ticket: shownTicket }, { principal }) {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const { crypto, clock } = world;
      if (openTicket(crypto, ticketKey(oamp), release, shownTicket, clock.wall()) === undefined)
        return err(fault('ticket_invalid'));
      const row = await releaseById(store, release);
      return row?.state === 'ready' && row.url === null
        ? ok({ size: row.size, sha256: row.sha256 })
        : err(fault('release_not_ready'));
    },
  };
}

const noRelease = (): Fault => fault('not_found', 'There is no such release.');

async function plan(oamp: Oamp, request: VerbRequest<'release.create'>) {
  const { store, world } = oamp;
  const taken = await store.one('SELECT id FROM release WHERE version = ? AND board = ?', [
    request.version,
    request.board,
  ]);
  if (taken !== undefined) return err(fault('release_exists'));
  const count = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM release');
  if ((count?.n ?? 0) >= RELEASES) return err(fault('limit_reached', `At most ${RELEASES} releases are kept.`));
  const row: ReleaseRow = {
    id: makeId(world, 'rel'),
    version: request.version,
    board: request.board,
    sha256: request.sha256,
    size: request.size,
    url: request.url ?? null,
    notes: request.notes ?? null,
    state: request.url === undefined ? 'waiting' : 'ready',
    created_at: Math.floor(world.clock.wall()),
  };
  const insert = sql(
    'INSERT INTO release (id, version, board, sha256, size, url, notes, state, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    ...[row.id, row.version, row.board, row.sha256, row.size, row.url, row.notes, row.state, row.created_at],
  );
  return ok({ reply: toRelease(row), statements: [insert] });
}

function duplicate(failure: { readonly why: 'unique' | 'changes' }): Fault | undefined {
  return failure.why === 'unique' ? fault('release_exists') : undefined;
}

/** A bundle whose first octets have been hashed. */
interface Begun {
  readonly hasher: Hasher;
  octets: number;
}

/** One part: what is there already is not written twice, a gap is refused, so that a broken upload goes on where it stopped. */
async function upload(
  oamp: Oamp,
  hashes: Map<string, Begun>,
  { release, offset, data }: VerbRequest<'release.upload'>,
): Promise<Outcome<'release.upload'>> {
  const { store, world, config } = oamp;
  const row = await releaseById(store, release);
  if (row === undefined) return err(noRelease());
  if (row.state === 'ready' && row.url === null && offset < row.size) return ok(await shown(oamp, row));
  if (row.state !== 'waiting') return err(fault('release_not_ready', 'This release takes no bundle (any more).'));
  const octets = fromBase64(data);
  if (octets === undefined || octets.length === 0 || octets.length > UPLOAD_PART)
    return err(fault('bad_request', 'The data must be 1 to 262,144 octets in base 64.', { pointer: '/data' }));
  const path = bundlePath(config.data, release);
  const begun = hashes.get(release) ?? (await rehash(world, path));
  hashes.set(release, begun);
  if (offset + octets.length <= begun.octets) return ok(toRelease(row, begun.octets));
  if (offset !== begun.octets)
    return err(fault('conflict', `The next part begins at ${begun.octets}.`, { pointer: '/offset' }));
  if (begun.octets + octets.length > row.size)
    return err(fault('update_damaged', `The release has ${row.size} octets.`));
  const room = await world.disk.room(config.data);
  if (room !== undefined && room.free < row.size - begun.octets + MARGIN)
    return err(fault('update_no_room', 'The cloud’s own disk has no room for the bundle.'));
  const file = await world.disk.append(path);
  try {
    await file.append(octets);
  } catch (error) {
    // Whatever arrived is counted anew at the next part.
    hashes.delete(release);
    world.log.error('release.upload-failed', { release, error: String(error) });
    return err(fault('update_no_room', 'The cloud could not write the bundle to its disk.'));
  } finally {
    await file.close();
  }
  begun.hasher.update(octets);
  begun.octets += octets.length;
  return begun.octets < row.size ? ok(toRelease(row, begun.octets)) : finish(oamp, hashes, row, begun);
}

async function finish(
  oamp: Oamp,
  hashes: Map<string, Begun>,
  row: ReleaseRow,
  begun: Begun,
): Promise<Outcome<'release.upload'>> {
  hashes.delete(row.id);
  if (hex(begun.hasher.digest()) !== row.sha256) {
    await oamp.world.disk.remove(bundlePath(oamp.config.data, row.id));
    return err(fault('update_damaged', 'The SHA-256 of what was uploaded is another; upload it again from the start.'));
  }
  await oamp.store.commit([sql("UPDATE release SET state = 'ready' WHERE id = ? AND state = 'waiting'", row.id)]);
  return ok(toRelease({ ...row, state: 'ready' }));
}

async function rehash({ disk, crypto }: World, path: string): Promise<Begun> {
  const begun = { hasher: crypto.hasher('sha256'), octets: 0 };
  for (;;) {
    const part = await disk.part(path, begun.octets, READ);
    if (part === undefined || part.length === 0) return begun;
    begun.hasher.update(part);
    begun.octets += part.length;
  }
}

/** Only a gateway that a rollout has asked to install the release gets to it. */
async function ticket(
  oamp: Oamp,
  { release }: VerbRequest<'release.ticket'>,
  { principal }: Context,
): Promise<Outcome<'release.ticket'>> {
  if (principal.kind !== 'gateway') return err(fault('forbidden'));
  const { store, world } = oamp;
  const asked = await store.one(
    "SELECT m.gateway FROM rollout_gateway m JOIN rollout r ON r.id = m.rollout WHERE r.release = ? AND r.state <> 'stopped' AND m.gateway = ? AND m.state <> 'waiting'",
    [release, principal.gateway],
  );
  const row = asked === undefined ? undefined : await releaseById(store, release);
  if (row?.state !== 'ready') return err(fault('release_not_ready'));
  if (row.url !== null) return ok({ url: row.url });
  const sealed = sealTicket(world.crypto, ticketKey(oamp), principal.gateway, release, Math.floor(world.clock.wall()));
  return ok({ path: `/bundles/${release}?ticket=${encodeURIComponent(sealed)}` });
}

/** A key for nothing else, from the operator's own. */
function ticketKey({ world, config }: Pick<Oamp, 'world' | 'config'>): Uint8Array {
  return world.crypto.hmac('sha256', utf8(config.authority.key), utf8('tickets for bundles'));
}

async function shown({ world, config }: Oamp, row: ReleaseRow): Promise<Release> {
  const path = bundlePath(config.data, row.id);
  if (row.state !== 'waiting' || (await world.disk.part(path, 0, 1)) === undefined) return toRelease(row);
  const file = await world.disk.append(path);
  const uploaded = file.size;
  await file.close();
  return toRelease(row, uploaded);
}

function toRelease(row: ReleaseRow, uploaded?: number): Release {
  return {
    id: row.id,
    version: row.version,
    board: row.board,
    sha256: row.sha256,
    size: row.size,
    ...(row.url === null ? {} : { url: row.url }),
    ...(row.notes === null ? {} : { notes: row.notes }),
    state: row.state,
    ...(uploaded === undefined || row.state !== 'waiting' ? {} : { uploaded }),
    createdAt: row.created_at,
  };
}
