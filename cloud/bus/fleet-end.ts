/** A process's own end of its fleet: what it knows of the others, and what it says to them by way of the main process. */
import type { Clock } from '#shared/kernel/world.ts';
import { type Claimed, type Fleet, indexOf } from './fleet.ts';
import type { FleetMessage } from './fleet-words.ts';
import { Limits } from './limits.ts';
import { Waiting } from './link.ts';

/** Milliseconds that the main process may take to answer a claim. */
const CLAIM_WITHIN = 3_000;

export class FleetEnd implements Fleet {
  readonly owner: string;
  readonly #claims = new Waiting<Claimed>();
  readonly #limits: Limits;
  #owners: readonly string[];
  #send: ((message: FleetMessage) => void) | undefined;
  #onMessage: ((from: string, message: unknown) => void) | undefined;
  readonly #onChange: (() => void)[] = [];
  #onGiven: ((calls: readonly string[]) => Promise<void>) | undefined;

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
  }

  /** Alone until the link is back. */
  detach(): void {
    this.#send = undefined;
    this.#claims.settleAll({});
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
