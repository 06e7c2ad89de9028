/**
 * Claims: made beforehand for a home, put on a gateway's boot partition, and shown by the gateway itself over its applicant's
 * connection. A claim pairs one key; that key may show it again while its pairing has not been done (the answer was lost, the
 * fail-safe undid it), until the claim expires. Of its text only the SHA-256 is kept, beside the key for idempotent creation.
 */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayByKeyHash } from '#cloud/store/directory.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { CLAIM_LIFETIME } from '#shared/protocol/verbs/claim.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { GATEWAYS_PER_HOME, insertGateway, isFull, newGateway } from './claim.ts';
import { AS_OAMP, command, makeId, type Oamp, page, visibleHome } from './parts.ts';

/** Claims of a home that are open. */
export const CLAIMS_PER_HOME = 32;
/** Claims that one key may show, and all keys together: 160 bits are not guessed, but each try costs us a look. */
export const TRIES_OF_KEY: Rate = { perSecond: 1 / 60, burst: 5 };
const TRIES_OF_ALL: Rate = { perSecond: 50, burst: 500 };
/** How long a claim that is over is still shown, ms. */
export const CLAIMS_KEPT = 90 * 24 * 3_600_000;

interface ClaimRow {
  readonly id: string;
  readonly home: string;
  readonly hash: string;
  readonly name: string | null;
  readonly created_at: number;
  readonly expires_at: number;
  readonly key_hash: string | null;
  readonly gateway: string | null;
  readonly used_at: number | null;
}

type ClaimVerb = 'claim.create' | 'claim.list' | 'claim.remove' | 'pairing.claim';

export class Claims {
  readonly #oamp: Oamp;
  readonly #begun: (row: GatewayRow) => void;
  readonly #tries = new Budget();

  /** `begun` is told after the commit that a pairing is under way. */
  constructor(oamp: Oamp, begun: (row: GatewayRow) => void) {
    this.#oamp = oamp;
    this.#begun = begun;
  }

  handlers(): Pick<Handlers<'oamp'>, ClaimVerb> {
    const { store, world } = this.#oamp;
    return {
      'claim.create': (request, context) => this.#create(request, context),
      async 'claim.list'(request, context) {
        const hidden = await visibleHome(store, context, request.home);
        if (hidden !== undefined) return err(hidden);
        const found = await page<ClaimRow>(
          store,
          'SELECT * FROM gateway_claim WHERE home = ?',
          [request.home],
          request,
        );
        const items = found.rows.map((row) => toClaim(row, world.clock.wall()));
        return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
      },
      'claim.remove': (request, context) =>
        command<'claim.remove'>(
          this.#oamp,
          context,
          async () => {
            const hidden = await visibleHome(store, context, request.home);
            if (hidden !== undefined) return err(hidden);
            const remove = sqlOne('DELETE FROM gateway_claim WHERE id = ? AND home = ?', request.claim, request.home);
            return ok({ reply: {}, statements: [remove] });
          },
          () => fault('not_found'),
        ),
      'pairing.claim': (request, context) => this.#use(request, context),
    };
  }

  #create(request: VerbRequest<'claim.create'>, context: Context): Promise<Outcome<'claim.create'>> {
    const { store, world } = this.#oamp;
    const plan = async () => {
      const hidden = await visibleHome(store, context, request.home);
      if (hidden !== undefined) return err(hidden);
      const now = world.clock.wall();
      const text = `hlc_${base32(world.random.bytes(20))}`;
      const row: ClaimRow = {
        id: makeId(world, 'clm'),
        home: request.home,
        hash: this.#hash(text),
        name: request.name ?? null,
        created_at: now,
        expires_at: now + (request.lifetime ?? CLAIM_LIFETIME.usual),
        key_hash: null,
        gateway: null,
        used_at: null,
      };
      return ok({ reply: { ...toClaim(row, now), claim: text }, statements: [insertClaim(row, now)] });
    };
    return command<'claim.create'>(this.#oamp, context, plan, (failure) =>
      failure.why === 'changes' && failure.statement === 0
        ? fault('limit_reached', `A home has at most ${CLAIMS_PER_HOME} open claims.`, { pointer: '/home' })
        : undefined,
    );
  }

  async #use(request: VerbRequest<'pairing.claim'>, context: Context): Promise<Outcome<'pairing.claim'>> {
    const { principal } = context;
    if (principal.kind !== 'applicant') return err(fault('forbidden'));
    const { keyHash } = principal;
    const now = this.#oamp.world.clock.mono();
    const wait = this.#tries.take(keyHash, TRIES_OF_KEY, now) || this.#tries.take('', TRIES_OF_ALL, now);
    if (wait > 0) return err(fault('rate_limited', undefined, { retryAfter: wait }));
    return this.#oamp.oneByOne('claims', async () => {
      const row = await this.#byText(request.claim);
      if (row === undefined) return err(fault('claim_unknown'));
      const outcome = await this.#bind(row, keyHash, request);
      this.#record(row, keyHash, outcome.ok ? 'ok' : outcome.fault.code);
      return outcome;
    });
  }

  async #bind(
    claim: ClaimRow,
    keyHash: string,
    { profile, version }: VerbRequest<'pairing.claim'>,
  ): Promise<Outcome<'pairing.claim'>> {
    const { store, world } = this.#oamp;
    const now = world.clock.wall();
    const before = await gatewayByKeyHash(store, keyHash);
    const held = before !== undefined && before.state !== 'failed';
    if (held && before.home === claim.home) return ok({ gateway: before.id, home: before.home });
    if (held) return err(fault('claim_used', 'This gateway belongs to a home already.'));
    const refused = refusal(claim, keyHash, before, now);
    if (refused !== undefined) return err(refused);
    if (await isFull(this.#oamp, claim.home, keyHash))
      return err(fault('limit_reached', `A home has at most ${GATEWAYS_PER_HOME} gateways.`));
    const row = newGateway({ key_hash: keyHash, profile, version }, claim.home, now);
    const done = await store.commit([
      sqlOne(
        'UPDATE gateway_claim SET key_hash = ?, gateway = ?, used_at = ? WHERE id = ? AND (key_hash IS NULL OR key_hash = ?)',
        keyHash,
        row.id,
        now,
        claim.id,
        keyHash,
      ),
      sql('DELETE FROM pairing_code WHERE key_hash = ?', keyHash),
      ...insertGateway(row),
    ]);
    if (!done.ok) return err(fault('claim_used'));
    this.#begun(row);
    return ok({ gateway: row.id, home: row.home });
  }

  #byText(text: string): Promise<ClaimRow | undefined> {
    return this.#oamp.store.one<ClaimRow>('SELECT * FROM gateway_claim WHERE hash = ?', [this.#hash(text)]);
  }

  #hash(text: string): string {
    return hex(this.#oamp.world.crypto.hash('sha256', utf8(`hearthline claim ${text}`)));
  }

  /** Uses of claims that exist go into the audit trail; guesses do not, or strangers could fill it. */
  #record(row: ClaimRow, keyHash: string, outcome: string): void {
    const line = {
      account: `key ${keyHash.slice(0, 16)}`,
      verb: 'pairing.claim',
      target: `${row.home} ${row.id}`,
      outcome,
    };
    this.#oamp.background(this.#oamp.bus.request('audit.record', line, AS_OAMP));
  }
}

/** Why a claim may not be used by this key; undefined where it may. */
function refusal(claim: ClaimRow, keyHash: string, before: GatewayRow | undefined, now: number): Fault | undefined {
  const mine = claim.key_hash === keyHash;
  if (claim.key_hash !== null && !mine) return fault('claim_used');
  // Its gateway was removed from its home: that ends what the claim was good for.
  if (mine && before === undefined) return fault('claim_used');
  if (claim.expires_at <= now) return fault('claim_expired');
  return undefined;
}

/** Inserts the claim unless its home holds too many open ones; one statement, so that two made at once cannot pass the cap together. */
function insertClaim(row: ClaimRow, now: number): Statement {
  return sqlOne(
    `INSERT INTO gateway_claim (id, home, hash, name, created_at, expires_at)
     SELECT ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM gateway_claim WHERE home = ? AND key_hash IS NULL AND expires_at > ?) < ?`,
    row.id,
    row.home,
    row.hash,
    row.name,
    row.created_at,
    row.expires_at,
    row.home,
    now,
    CLAIMS_PER_HOME,
  );
}

function toClaim(row: ClaimRow, now: number): VerbReply<'claim.create'> {
  const over = row.expires_at <= now ? 'expired' : 'open';
  return {
    id: row.id,
    home: row.home,
    ...(row.name === null ? {} : { name: row.name }),
    state: row.key_hash === null ? over : 'used',
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    ...(row.gateway === null ? {} : { gateway: row.gateway }),
    ...(row.used_at === null ? {} : { usedAt: row.used_at }),
  };
}

/** Takes out claims that have been over for long. */
export function claimHousekeeping(now: number): Statement[] {
  return [sql('DELETE FROM gateway_claim WHERE expires_at < ?', now - CLAIMS_KEPT)];
}
