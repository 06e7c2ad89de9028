/** API keys: tokens with a name, an end, and bounds that are never wider than what the asker has. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { sees, tokenHash } from '#cloud/store/directory.ts';
import { sql } from '#cloud/store/store.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { command, makeId, type Plan, page } from '../commands.ts';
import { scopesOfRole } from '../open-api/access.ts';

/** API keys of one account. */
export const KEYS_PER_ACCOUNT = 50;
const DAY = 24 * 3600 * 1000;
const DEFAULT_DAYS = 90;

interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: string;
  readonly homes: string | null;
  readonly created_at: number;
  readonly expires_at: number | null;
}

export function keyHandlers(
  at: PartContext,
): Pick<Handlers<'application-server'>, 'key.create' | 'key.list' | 'key.revoke'> {
  const { store } = at;
  return {
    'key.create': (request, asked) => command<'key.create'>(at, asked, () => planKey(at, request, asked)),

    async 'key.list'(request, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const found = await page<KeyRow>(
        store,
        "SELECT * FROM token WHERE kind = 'key' AND account = ?",
        [principal.account],
        request,
      );
      return ok({ items: found.rows.map(view), ...(found.next === undefined ? {} : { next: found.next }) });
    },

    async 'key.revoke'({ key }, { principal }) {
      if (principal.kind !== 'account') return err(fault('forbidden'));
      const known = "kind = 'key' AND id = ? AND account = ?";
      const row = await store.one(`SELECT id FROM token WHERE ${known}`, [key, principal.account]);
      if (row === undefined) return err(fault('not_found', 'You have no such key.'));
      await store.commit([sql(`DELETE FROM token WHERE ${known}`, key, principal.account)]);
      return ok({});
    },
  };
}

/** The first scope or home that the asker cannot give away. */
export function tooWide(
  { principal }: Context,
  scopes: readonly string[],
  homes: readonly string[],
): Fault | undefined {
  if (principal.kind !== 'account') return fault('forbidden');
  const known = scopesOfRole(principal.role);
  const foreign = scopes.find((scope) => !known.includes(scope));
  if (foreign !== undefined)
    return fault('bad_request', `The role ${principal.role} has no scope ${foreign}.`, { pointer: '/scopes' });
  const missing = principal.scopes === 'all' ? undefined : scopes.find((scope) => !principal.scopes.includes(scope));
  if (missing !== undefined) return fault('forbidden', `The credential lacks the scope ${missing}.`);
  return homes.every((home) => sees(principal, home))
    ? undefined
    : fault('not_found', 'There is no such home.', { pointer: '/homes' });
}

async function planKey(
  { store, world }: PartContext,
  request: VerbRequest<'key.create'>,
  asked: Context,
): Promise<Plan<'key.create'>> {
  const { principal } = asked;
  if (principal.kind !== 'account') return err(fault('forbidden'));
  const wide = tooWide(asked, request.scopes, request.homes ?? []);
  if (wide !== undefined) return err(wide);
  const count = await store.one<{ n: number }>("SELECT COUNT(*) AS n FROM token WHERE kind = 'key' AND account = ?", [
    principal.account,
  ]);
  if ((count?.n ?? 0) >= KEYS_PER_ACCOUNT)
    return err(fault('limit_reached', `An account has at most ${KEYS_PER_ACCOUNT} keys; revoke one.`));
  const now = world.clock.wall();
  const homes = request.homes ?? (principal.homes === 'all' ? undefined : principal.homes);
  const row: KeyRow = {
    id: makeId(world, 'key'),
    name: request.name,
    scopes: JSON.stringify([...new Set(request.scopes)].sort()),
    homes: homes === undefined ? null : JSON.stringify([...new Set(homes)]),
    created_at: now,
    expires_at: now + (request.days ?? DEFAULT_DAYS) * DAY,
  };
  const token = `hlk_${base32(world.random.bytes(20))}`;
  const insert = sql(
    "INSERT INTO token (hash, account, role, created_at, expires_at, kind, id, name, scopes, homes) VALUES (?, ?, ?, ?, ?, 'key', ?, ?, ?, ?)",
    tokenHash(world.crypto, token),
    principal.account,
    principal.role,
    row.created_at,
    row.expires_at,
    row.id,
    row.name,
    row.scopes,
    row.homes,
  );
  return ok({ reply: { ...view(row), token }, statements: [insert] });
}

function view(row: KeyRow): VerbReply<'key.create'> {
  return {
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as string[],
    homes: row.homes === null ? [] : (JSON.parse(row.homes) as string[]),
    allHomes: row.homes === null,
    createdAt: row.created_at,
    ...(row.expires_at === null ? {} : { expiresAt: row.expires_at }),
  };
}
