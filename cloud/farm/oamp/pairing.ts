/**
 * Pairing, the cloud's side: announced -> claimed -> certificate -> reconnecting -> configuring -> done, or failed with a
 * cause and everything undone. The gateway's row is the one truth, every step is a conditional commit on it, so that of
 * "paired" and "failed" only one can win.
 */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type GatewayRow, gatewayById, gatewayByKeyHash } from '#cloud/store/directory.ts';
import { type Statement, sql, sqlOne } from '#cloud/store/store.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { type Fault, type FaultCode, fault } from '#shared/protocol/fault.ts';
import { CERTIFICATE_BACKDATE, CERTIFICATE_LIFETIME, CODE_LIFETIME } from '#shared/protocol/pairing.ts';
import { claimGateway } from './claim.ts';
import { Claims } from './claims.ts';
import { failSafeIn, timeoutCause } from './fail-safe.ts';
import { release } from './gateways.ts';
import { AS_OAMP, command, type Oamp } from './parts.ts';

/** Codes that are good at once. */
export const LIVE_CODES = 10_000;

export type PairingVerb =
  | 'gateway.claim'
  | 'claim.create'
  | 'claim.list'
  | 'claim.remove'
  | 'pairing.claim'
  | 'pairing.announce'
  | 'pairing.standing'
  | 'pairing.request'
  | 'certificate.renew';

export class Pairing {
  readonly #oamp: Oamp;
  /** Fail-safe timers by gateway. */
  readonly #timers = new Map<string, Timer>();

  constructor(oamp: Oamp) {
    this.#oamp = oamp;
  }

  handlers(): Pick<Handlers<'oamp'>, PairingVerb> {
    const begun = (row: GatewayRow) => {
      this.watch(row);
      this.#progress(row, 'waiting');
    };
    return {
      ...new Claims(this.#oamp, begun).handlers(),
      'gateway.claim': (request, context) =>
        claimGateway(this.#oamp, request, context, (row) => {
          begun(row);
          this.#oamp.background(this.#tellClaimed(row));
        }),
      'pairing.announce': (request, context) => this.#announce(request, context),
      'pairing.standing': (_, context) => this.#standing(context),
      'pairing.request': (request, context) => this.#certify(request.request, context),
      'certificate.renew': (request, context) => this.#renew(request.request, context),
    };
  }

  /** Sets the fail-safe of a pairing that is under way; also for those that a restart finds. */
  watch(row: Pick<GatewayRow, 'id' | 'claimed_at'>): void {
    const { clock } = this.#oamp.world;
    this.#timers.get(row.id)?.cancel();
    const deadline = clock.mono() + failSafeIn(row.claimed_at, clock.wall());
    this.#timers.set(
      row.id,
      clock.at(deadline, () => this.#oamp.background(this.#expire(row.id))),
    );
  }

  /** No fail-safe any more: the pairing is done, or its gateway gone. */
  unwatch(gateway: string): void {
    this.#timers.get(gateway)?.cancel();
    this.#timers.delete(gateway);
  }

  async resume(): Promise<void> {
    const rows = await this.#oamp.store.all<GatewayRow>("SELECT * FROM gateway WHERE state IN ('waiting', 'pairing')");
    for (const row of rows) this.watch(row);
  }

  stop(): void {
    for (const gateway of [...this.#timers.keys()]) this.unwatch(gateway);
  }

  /** Undoes a pairing that is under way and names the cause on both sides; does nothing to one that is over. */
  async fail(gateway: string, cause: FaultCode): Promise<void> {
    const { store, bus } = this.#oamp;
    const done = await store.commit([
      sqlOne(
        "UPDATE gateway SET state = 'failed', cause = ?, certificate_serial = NULL, previous_serial = NULL, online = 0 WHERE id = ? AND state IN ('waiting', 'pairing')",
        cause,
        gateway,
      ),
    ]);
    this.unwatch(gateway);
    const row = await gatewayById(store, gateway);
    if (!done.ok || row === undefined) return;
    this.#progress(row, 'failed');
    await release(this.#oamp, gateway, cause);
    if (!bus.has('gateway-edge')) return;
    await bus.request('pairing.claimed', { keyHash: row.key_hash, claimed: false, cause }, AS_OAMP);
  }

  #progress(row: Pick<GatewayRow, 'id' | 'home'>, state: string): void {
    this.#oamp.bus.publish('pairing.progress', { gateway: row.id, home: row.home, state });
  }

  async #expire(gateway: string): Promise<void> {
    const row = await gatewayById(this.#oamp.store, gateway);
    if (row !== undefined) await this.fail(gateway, timeoutCause(row.stage));
  }

  /** Tells the gateway at its applicant's connection; one that is away just now learns it from `pairing.standing`. */
  async #tellClaimed(row: GatewayRow): Promise<void> {
    const { bus } = this.#oamp;
    if (bus.has('gateway-edge'))
      await bus.request('pairing.claimed', { keyHash: row.key_hash, claimed: true }, AS_OAMP);
  }

  async #announce(
    request: { readonly codeHash: string; readonly profile: string; readonly version: string },
    { principal }: Context,
  ): Promise<Outcome<'pairing.announce'>> {
    if (principal.kind !== 'applicant') return err(fault('forbidden'));
    const { store, world } = this.#oamp;
    const now = world.clock.wall();
    const expiresAt = now + CODE_LIFETIME;
    const done = await store.commit([
      sql('DELETE FROM pairing_code WHERE key_hash = ? OR expires_at <= ?', principal.keyHash, now),
      sqlOne(
        `INSERT INTO pairing_code (code_hash, key_hash, profile, version, expires_at)
         SELECT ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM pairing_code) < ?`,
        request.codeHash,
        principal.keyHash,
        request.profile,
        request.version,
        expiresAt,
        LIVE_CODES,
      ),
    ]);
    if (done.ok) return ok({ expiresAt });
    if (done.why === 'unique')
      return err(fault('conflict', 'Another gateway shows this code just now: make a new one.'));
    return err(fault('rate_limited', undefined, { retryAfter: 60_000 }));
  }

  async #standing(context: Context): Promise<Outcome<'pairing.standing'>> {
    const row = await this.#rowOf(context);
    if (row === undefined) return ok({ state: 'unknown' });
    return ok({ state: row.state, ...(row.cause === null ? {} : { cause: row.cause }) });
  }

  /** The row of the key that the channel has proved. */
  async #rowOf({ principal }: Context): Promise<GatewayRow | undefined> {
    const { store } = this.#oamp;
    if (principal.kind === 'applicant') return gatewayByKeyHash(store, principal.keyHash);
    return principal.kind === 'gateway' ? gatewayById(store, principal.gateway) : undefined;
  }

  /**
   * A claimed gateway's certificate. A paired one may ask, too, at its applicant's connection: its certificate ran out while it
   * was off, and its permanent key is proof enough.
   */
  async #certify(request: string, context: Context): Promise<Outcome<'pairing.request'>> {
    if (context.principal.kind !== 'applicant') return err(fault('forbidden'));
    const row = await this.#rowOf(context);
    if (row === undefined || row.state === 'failed') return err(fault('pairing_timeout'));
    const made = await this.#issue(row, request);
    if (!made.ok) {
      if (row.state !== 'paired') await this.fail(row.id, 'pairing_request_invalid');
      return made;
    }
    const update = row.state === 'paired' ? keepOld(row, made.value.serial) : firstSerial(row, made.value.serial);
    if (!(await this.#oamp.store.commit([update])).ok) return err(fault('pairing_timeout'));
    if (row.state !== 'paired') this.#progress(row, 'pairing');
    const authority = this.#oamp.config.authority.certificate;
    return ok({ gateway: row.id, home: row.home, certificate: made.value.certificate, authority });
  }

  async #renew(request: string, context: Context): Promise<Outcome<'certificate.renew'>> {
    if (context.principal.kind !== 'gateway') return err(fault('forbidden'));
    return command<'certificate.renew'>(this.#oamp, context, async () => {
      const row = await this.#rowOf(context);
      if (row?.state !== 'paired') return err(fault('not_found'));
      const made = await this.#issue(row, request);
      if (!made.ok) return made;
      return ok({
        reply: { certificate: made.value.certificate },
        statements: [keepOld(row, made.value.serial)],
      });
    });
  }

  async #issue(row: GatewayRow, request: string): Promise<Result<{ certificate: string; serial: string }, Fault>> {
    const { config, world } = this.#oamp;
    const read = await world.crypto.readRequest(request);
    if (read === undefined || read.subject !== row.id || read.keyHash === row.key_hash) {
      return err(fault('pairing_request_invalid'));
    }
    const now = world.clock.wall();
    const certificate = await world.crypto.issue({
      subject: row.id,
      publicKey: read.publicKey,
      issuer: config.authority.certificate,
      signer: config.authority.key,
      notBefore: now - CERTIFICATE_BACKDATE,
      notAfter: now + CERTIFICATE_LIFETIME,
      use: 'client',
    });
    const facts = await world.crypto.readCertificate(certificate);
    if (facts === undefined) throw new Error('a certificate just issued is readable');
    return ok({ certificate, serial: facts.serial });
  }
}

function firstSerial(row: GatewayRow, serial: string): Statement {
  return sqlOne(
    "UPDATE gateway SET state = 'pairing', stage = 'reconnecting', certificate_serial = ? WHERE id = ? AND state IN ('waiting', 'pairing')",
    serial,
    row.id,
  );
}

/** The old serial stays good until the new one has connected; one that never did is replaced. */
function keepOld(row: GatewayRow, serial: string): Statement {
  return sqlOne(
    "UPDATE gateway SET certificate_serial = ?, previous_serial = ? WHERE id = ? AND state = 'paired' AND certificate_serial = ?",
    serial,
    row.previous_serial ?? row.certificate_serial,
    row.id,
    row.certificate_serial,
  );
}
