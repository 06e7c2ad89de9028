/**
 * The leases that this edge holds: which gateway is here, under which epoch. The oamp server gives the epochs and keeps what
 * it is told; what it could not be told (it was stopped) is told again, the latest state of each gateway only.
 */
import type { Bus } from '#cloud/bus/bus.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';
import { faults } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Connection } from './adapter-aedes.ts';

export interface Lease {
  readonly connection: Connection;
  readonly gateway: string;
  readonly home: string;
  readonly epoch: number;
}

/** Milliseconds between two tries to tell oamp. */
const TELL_AGAIN = 5000;
/** Characters of a reason that are told. */
const WHY_LIMIT = 120;

export class Presence {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();
  readonly #untold = new Map<string, VerbRequest<'gateway.seen'>>();
  #timer: Timer | undefined;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
  }

  lease(gateway: string): Lease | undefined {
    return this.#leases.get(gateway);
  }

  list(): Lease[] {
    return [...this.#leases.values()];
  }

  /** Begins a lease, or does nothing where one of a higher epoch stands. */
  begin(lease: Lease, certificateSerial: string): void {
    const held = this.#leases.get(lease.gateway);
    if (held !== undefined && held.epoch > lease.epoch) return;
    this.#leases.set(lease.gateway, lease);
    this.#tell(lease, { online: true, certificateSerial });
  }

  /** Ends the lease of this connection, and why; another connection's stays. */
  end(gateway: string, connection: Connection, why: string): void {
    const lease = this.#leases.get(gateway);
    if (lease?.connection !== connection) return;
    this.#leases.delete(gateway);
    this.#tell(lease, { online: false, why: why.slice(0, WHY_LIMIT) });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#untold.clear();
  }

  #tell(
    { gateway, home, epoch }: Lease,
    facts: Pick<VerbRequest<'gateway.seen'>, 'online' | 'certificateSerial' | 'why'>,
  ): void {
    this.#untold.set(gateway, { gateway, epoch, ...facts });
    this.#bus.publish('gateway.presence', { gateway, home, online: facts.online, epoch });
    void this.#say(gateway);
  }

  async #say(gateway: string): Promise<void> {
    const message = this.#untold.get(gateway);
    if (message === undefined) return;
    const outcome = await this.#bus.request('gateway.seen', message, {
      principal: { kind: 'part', part: 'gateway-edge' },
    });
    const over = outcome.ok || faults[outcome.fault.code].retry === 'never';
    if (over && this.#untold.get(gateway) === message) this.#untold.delete(gateway);
    if (!over) this.#again();
  }

  #again(): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#clock.at(this.#clock.mono() + TELL_AGAIN, () => {
      this.#timer = undefined;
      for (const gateway of this.#untold.keys()) void this.#say(gateway);
    });
  }
}
