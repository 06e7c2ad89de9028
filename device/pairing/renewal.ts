/**
 * A gateway's certificate is renewed at two thirds of its life, spread at random over a tenth of it, so that a fleet paired
 * on one day does not ask on one day. The old certificate stays until the new one has connected: the gateway goes over to
 * the new one only then, and goes back if it does not come up.
 */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { CertificateFacts, Timer, World } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Identity } from './states.ts';

/** Milliseconds between looks at the wall clock, which may jump; also the wait after a renewal that failed. */
export const LOOK_EVERY = 3_600_000;

/** Wall clock (ms) from which a certificate should be renewed; `fraction` in [0, 1) spreads. */
export function renewFrom(
  { notBefore, notAfter }: Pick<CertificateFacts, 'notBefore' | 'notAfter'>,
  fraction: number,
): number {
  const life = notAfter - notBefore;
  return notBefore + (life * 2) / 3 + (life / 10) * fraction;
}

export interface RenewalOptions {
  readonly world: World;
  /** The identity in use; undefined while there is none. */
  identity(): Identity | undefined;
  /** Asks for a certificate over the gateway's connection. */
  request(request: string): Promise<Result<VerbReply<'certificate.renew'>, Fault>>;
  /** Connects with another identity; resolves true once that has been greeted. */
  prove(identity: Identity): Promise<boolean>;
  /** The new identity is the one from now on. */
  renewed(identity: Identity): Promise<void>;
}

export class Renewal {
  readonly #options: RenewalOptions;
  readonly #fraction: number;
  #timer: Timer | undefined;
  #stopped = true;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#fraction = options.world.random.fraction();
  }

  start(): void {
    this.#stopped = false;
    this.#again();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #again(): void {
    if (this.#stopped) return;
    const { clock } = this.#options.world;
    this.#timer = clock.at(clock.mono() + LOOK_EVERY, () => {
      void this.#look().finally(() => this.#again());
    });
  }

  async #look(): Promise<void> {
    const { world, identity } = this.#options;
    const current = identity();
    if (current === undefined) return;
    const facts = await world.crypto.readCertificate(current.certificate);
    if (facts === undefined || world.clock.wall() < renewFrom(facts, this.#fraction)) return;
    const outcome = await this.renew(current);
    if (!outcome.ok) world.log.warn('pairing.renewal-failed', { cause: outcome.fault });
  }

  /** One renewal, now; the fault is a word for the log. */
  async renew(current: Identity): Promise<Result<Identity, string>> {
    const { world, request, prove, renewed } = this.#options;
    const key = await world.crypto.createKey();
    const answer = await request(await world.crypto.createRequest(key, current.gateway));
    if (!answer.ok) return err(answer.fault.code);
    const next: Identity = { ...current, certificate: answer.value.certificate, key: key.privateKey };
    const facts = await world.crypto.readCertificate(next.certificate);
    if (facts?.keyHash !== key.keyHash || facts.subject !== current.gateway) return err('another certificate came');
    if (await prove(next)) {
      await renewed(next);
      return ok(next);
    }
    await prove(current);
    return err('the new certificate did not connect');
  }
}
