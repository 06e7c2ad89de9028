/** A process's own end of its fleet: what it knows of the others, and what it says to them by way of the main process. */
import type { Clock } from '#shared/kernel/world.ts';
import { type Claimed, type Fleet, indexOf } from './fleet.ts';
import type { FleetMessage, Places } from './fleet-words.ts';
import { Limits } from './limits.ts';
import { Waiting } from './link.ts';

/** Milliseconds that the main process may take to answer a claim. */
const CLAIM_WITHIN = 3_000;
/** Milliseconds that it may take to hand out places: it may have to ask another process for them, or to wait for those that come back. */
const LEASE_WITHIN = 5_000;

export class FleetEnd implements Fleet {
  readonly owner: string;
  readonly #claims = new Waiting<Claimed>();
  readonly #leases = new Waiting<number>();
  readonly #limits: Limits;
  #owners: readonly string[];
  #send: ((message: FleetMessage) => void) | undefined;
  #onMessage: ((from: string, message: unknown) => void) | undefined;
  readonly #onChange: (() => void)[] = [];
  #onGiven: ((calls: readonly string[]) => Promise<void>) | undefined;

  #onRecall: ((id: string, needed: number) => number) | undefined;
  #held: (() => Places) | undefined;

  constructor(owner: string, clock: Clock) {
    this.owner = owner;
    this.#owners = [owner];
    this.#limits = new Limits(clock);
  }

  get index(): number {
    return indexOf(this.owner);
  }

  attach(send: (message: FleetMessage) => void): void {
    this.#send = send;
    send({ on: 'holds', places: this.#held?.() ?? [] });
  }

  get linked(): boolean {
    return this.#send !== undefined;
  }

  /** Alone until the link is back. */
  detach(): void {
    this.#send = undefined;
    this.#claims.settleAll({});
    this.#leases.settleAll(0);
  }

  take(message: FleetMessage): void {
    switch (message.on) {
      case 'alive':
        this.#owners = message.owners;
        for (const handler of this.#onChange) handler();
        break;
      case 'mate':
        this.#onMessage?.(message.owner, message.message);
        break;
      case 'claimed':
        this.#claims.settle(message.n, message.claimed);
        break;
      case 'given':
        void this.#given(message);
        break;
      case 'leased':
        // Nobody waits for them any more.
        if (!this.#leases.settle(message.n, message.places)) this.gave([[message.id, message.places]]);
        break;
      case 'recall': {
        const { n, id, needed } = message;
        this.#send?.({ on: 'returned', n, id, places: this.#onRecall?.(id, needed) ?? 0 });
        break;
      }
      default:
    }
  }

  alive(): readonly string[] {
    return this.#owners;
  }

  send(to: string, message: unknown): void {
    this.#send?.({ on: 'mate', owner: to, message });
  }

  onMessage(handler: (from: string, message: unknown) => void): void {
    this.#onMessage = handler;
  }

  onChange(handler: () => void): void {
    this.#onChange.push(handler);
  }

  onGiven(handler: (calls: readonly string[]) => Promise<void>): void {
    this.#onGiven = handler;
  }

  async lease(id: string, limit: number): Promise<number> {
    if (this.#send === undefined) return 0;
    const { n, answer } = this.#leases.open();
    this.#send({ on: 'lease', n, id, limit });
    const places = await this.#limits.within(LEASE_WITHIN, answer);
    this.#leases.drop(n);
    return places ?? 0;
  }

  gave(places: Places): void {
    if (places.some(([, n]) => n !== 0)) this.#send?.({ on: 'gave', places });
  }

  onRecall(handler: (id: string, needed: number) => number, held: () => Places): void {
    this.#onRecall = handler;
    this.#held = held;
  }

  async #given({ n, calls }: Extract<FleetMessage, { on: 'given' }>): Promise<void> {
    await this.#onGiven?.(calls);
    this.#send?.({ on: 'taken', n });
  }

  async inherit(): Promise<void> {
    await this.#ask((n) => ({ on: 'inherit', n }));
  }

  claim(callId: string): Promise<Claimed> {
    return this.#ask((n) => ({ on: 'claim', n, callId }));
  }

  where(session: string): Promise<Claimed> {
    return this.#ask((n) => ({ on: 'where', n, session }));
  }

  async #ask(message: (n: number) => FleetMessage): Promise<Claimed> {
    if (this.#send === undefined) return {};
    const { n, answer } = this.#claims.open();
    this.#send(message(n));
    const claimed = await this.#limits.within(CLAIM_WITHIN, answer);
    this.#claims.drop(n);
    return claimed ?? {};
  }
}
