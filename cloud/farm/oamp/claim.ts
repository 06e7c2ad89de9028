/**
 * `gateway.claim`: a person's code (typed, or scanned together with the gateway's key) binds home, account and key. A wrong,
 * an unknown, a used and an expired code get one answer after the same work; wrong tries are counted by account and by home.
 */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayByKeyHash } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { fromHex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { codeHash, gatewayId, normaliseCode } from '#shared/protocol/pairing.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { NO_TRIES, type Tries, waitOf, wrongTry } from './back-off.ts';
import { toGateway } from './gateways.ts';
import { type Oamp, visibleHome } from './parts.ts';

/** Gateways of a home, failed pairings aside. */
export const GATEWAYS_PER_HOME = 16;

interface CodeRow {
  readonly code_hash: string;
  readonly key_hash: string;
  readonly profile: string;
  readonly version: string;
  readonly expires_at: number;
}

type Request = VerbRequest<'gateway.claim'>;

/** Claims a gateway; `claimed` is told of it after the commit. One claim at a time, or tries made at once would count as one. */
export async function claimGateway(
  oamp: Oamp,
  request: Request,
  context: Context,
  claimed: (row: GatewayRow) => void,
): Promise<Outcome<'gateway.claim'>> {
  const hidden = await visibleHome(oamp.store, context, request.home);
  if (hidden !== undefined) return err(hidden);
  return oamp.oneByOne('claims', async () => {
    const first = await repeated<'gateway.claim'>(oamp.store, context);
    if (first !== undefined) return first;
    const who = [`home:${request.home}`, ...(context.principal.kind === 'account' ? [context.principal.account] : [])];
    const tries = await Promise.all(who.map((name) => readTries(oamp, name)));
    const wait = Math.max(...tries.map((row) => waitOf(row, oamp.world.clock.wall())));
    if (wait > 0) return err(fault('pairing_back_off', undefined, { retryAfter: wait }));
    const outcome = await bind(oamp, request, context, who, claimed);
    if (!outcome.ok && isWrong(outcome.fault)) await countWrong(oamp, who, tries);
    return outcome;
  });
}

function isWrong({ code }: Fault): boolean {
  return code === 'pairing_code_invalid' || code === 'pairing_key_mismatch';
}

async function readTries({ store }: Oamp, who: string): Promise<Tries> {
  const row = await store.one<{ wrong: number; until: number; at: number }>(
    'SELECT wrong, until, at FROM pairing_tries WHERE who = ?',
    [who],
  );
  return row ?? NO_TRIES;
}

async function countWrong({ store, world }: Oamp, who: readonly string[], before: readonly Tries[]): Promise<void> {
  const now = world.clock.wall();
  const statements = who.flatMap((name, i) => {
    const after = wrongTry(before[i] ?? NO_TRIES, now);
    return [
      sql('DELETE FROM pairing_tries WHERE who = ?', name),
      sql(
        'INSERT INTO pairing_tries (who, wrong, until, at) VALUES (?, ?, ?, ?)',
        name,
        after.wrong,
        after.until,
        after.at,
      ),
    ];
  });
  await store.commit(statements);
}

async function bind(
  oamp: Oamp,
  request: Request,
  context: Context,
  who: readonly string[],
  claimed: (row: GatewayRow) => void,
): Promise<Outcome<'gateway.claim'>> {
  const { store, world } = oamp;
  const now = world.clock.wall();
  const code = await readCode(oamp, request, now);
  if (code === undefined) return err(fault('pairing_code_invalid'));
  if (request.key !== undefined && !sameKey(oamp, request.key, code.key_hash))
    return err(fault('pairing_key_mismatch'));
  const before = await gatewayByKeyHash(store, code.key_hash);
  if (before !== undefined && !mayReplace(before, request.home)) return err(fault('pairing_code_invalid'));
  if (await isFull(oamp, request.home, code.key_hash)) {
    return err(fault('limit_reached', `A home has at most ${GATEWAYS_PER_HOME} gateways.`));
  }
  const row = newGateway(code, request.home, now);
  const outcome: Outcome<'gateway.claim'> = ok(toGateway(row));
  const done = await store.commit([
    sqlOne('DELETE FROM pairing_code WHERE code_hash = ? AND expires_at > ?', code.code_hash, now),
    ...insertGateway(row),
    ...who.map((name) => sql('DELETE FROM pairing_tries WHERE who = ?', name)),
    ...remember<'gateway.claim'>(context, outcome, now),
  ]);
  if (!done.ok) return err(fault('pairing_code_invalid'));
  claimed(row);
  return outcome;
}

/** The live row of a code. Text that is no code at all is hashed and looked up as well: equal work. */
async function readCode({ store, world }: Oamp, request: Request, now: number): Promise<CodeRow | undefined> {
  const hash = codeHash((data) => world.crypto.hash('sha256', data), normaliseCode(request.code) ?? '-');
  return store.one<CodeRow>('SELECT * FROM pairing_code WHERE code_hash = ? AND expires_at > ?', [hash, now]);
}

function sameKey({ world }: Oamp, one: string, other: string): boolean {
  return world.crypto.equal(utf8(one), utf8(other));
}

/** A gateway that another home holds, or that is being paired, is not taken from it: its owner has to remove it first. */
function mayReplace(before: GatewayRow, home: string): boolean {
  if (before.state === 'failed') return true;
  return before.state === 'paired' && before.home === home;
}

/** Whether a home holds as many gateways as it may; the one of this key does not count. */
export async function isFull({ store }: Oamp, home: string, keyHash: string): Promise<boolean> {
  const row = await store.one<{ n: number }>(
    "SELECT COUNT(*) AS n FROM gateway WHERE home = ? AND state <> 'failed' AND key_hash <> ?",
    [home, keyHash],
  );
  return (row?.n ?? 0) >= GATEWAYS_PER_HOME;
}

/** The row of a gateway whose pairing begins. */
export function newGateway(
  code: Pick<CodeRow, 'key_hash' | 'profile' | 'version'>,
  home: string,
  now: number,
): GatewayRow {
  return {
    id: gatewayId(fromHex(code.key_hash) ?? new Uint8Array()),
    home,
    key_hash: code.key_hash,
    state: 'waiting',
    stage: 'claimed',
    cause: null,
    profile: code.profile,
    version: code.version,
    certificate_serial: null,
    previous_serial: null,
    claimed_at: now,
    paired_at: null,
    epoch: 0,
    online: 0,
    seen_at: null,
    away_because: null,
  };
}

/** Replaces what an earlier pairing of the same key has left: its certificates and reports count no longer. */
export function insertGateway(row: GatewayRow): Statement[] {
  return [
    sql('DELETE FROM reported WHERE gateway = ?', row.id),
    sql('DELETE FROM gateway WHERE id = ?', row.id),
    sql(
      'INSERT INTO gateway (id, home, key_hash, state, stage, profile, version, claimed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      row.id,
      row.home,
      row.key_hash,
      row.state,
      row.stage,
      row.profile,
      row.version,
      row.claimed_at,
    ),
  ];
}
