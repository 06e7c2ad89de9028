/** Serves event packages on a SIP endpoint: answers SUBSCRIBE, and sends the NOTIFYs that a pure `Notifier` finds due. */
import { every } from '../kernel/time.ts';
import type { Clock } from '../kernel/world.ts';
import type { SipMessage } from '../sip/message.ts';
import {
  type EventPackage,
  Notifier,
  type SavedSubscription,
  type Subscribed,
  type Subscription,
} from '../sip/notifier.ts';
import type { EndpointOutput, Flow, TransactionHandle } from '../sip/types.ts';
import type { SipPort } from './call-driver.ts';

/** Milliseconds between looks for subscriptions that ran out. */
const SWEEP = 5_000;

export interface SipNotifierOptions {
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly packages: readonly EventPackage[];
  readonly tag: () => string;
  /** What there is to tell now, one character per octet; undefined where the resource is gone. */
  readonly body: (subscription: Subscription) => Promise<string | undefined>;
  /** Keeps a subscription for another process, or lets go of it. Absent: they end with this one. */
  readonly keep?: (tag: string, saved: SavedSubscription | undefined) => void;
}

export class SipNotifier {
  readonly #o: SipNotifierOptions;
  readonly #notifier: Notifier;
  readonly #sent = new Map<TransactionHandle, Subscription>();
  /** Runs while anybody watches. */
  #stopSweep: (() => void) | undefined;
  #stopped = false;

  constructor(options: SipNotifierOptions) {
    this.#o = options;
    const { keep } = options;
    this.#notifier = new Notifier({ ...options, ...(keep && { gone: (tag: string) => keep(tag, undefined) }) });
  }

  get size(): number {
    return this.#notifier.size;
  }

  /**
   * A SUBSCRIBE whose sender is known. `resource` names what it wants to watch: undefined where there is no such thing (404), and
   * null where the sender may not (403).
   */
  take(transaction: TransactionHandle, message: SipMessage, flow: Flow, resource: string | null | undefined): void {
    const { status, headers, tag } = this.#verdict(message, flow, resource);
    const options = { headers, ...(tag === undefined ? {} : { tag }) };
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, options, now, out));
    if (status === 200) this.#flush();
  }

  /** Takes up what an earlier process kept, over this flow; undefined where the connection broke with that process. */
  restore(saved: SavedSubscription, flow: Flow | undefined): void {
    this.#notifier.restore(saved, flow, this.#offset());
  }

  /** All that was kept is restored: everybody is told everything. */
  begin(): void {
    this.#flush();
  }

  #verdict(message: SipMessage, flow: Flow, resource: string | null | undefined): Subscribed {
    const now = this.#o.clock.mono();
    if (message.to.params.has('tag')) {
      const known = this.#notifier.known(message);
      if (known === undefined) return this.#notifier.unknown(message);
      // What it says of its time is kept with the NOTIFY that answers it.
      known.keptSeq = -1;
      return this.#notifier.refresh(known, message, flow, now);
    }
    const judged = this.#notifier.judge(message);
    if (judged.status !== 200) return judged;
    if (resource === null || resource === undefined) return refused(resource === null ? 403 : 404);
    return this.#notifier.add(message, { flow, resource, contact: this.#o.sip.contact(flow) }, now);
  }

  /** True where somebody watches this. */
  watches(event: string, resource: string): boolean {
    return this.#notifier.watches(event, resource);
  }

  changed(event: string, resource: string): void {
    if (!this.#notifier.watches(event, resource)) return;
    this.#notifier.changed(event, resource);
    this.#flush();
  }

  /** Resources may be gone. */
  keepOnly(there: (resource: string) => boolean): void {
    this.#notifier.keepOnly(there);
    this.#flush();
  }

  lost(flow: Flow): void {
    this.#notifier.lost(flow);
  }

  /** True for the news of a NOTIFY that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    const subscription = this.#sent.get(output.transaction);
    if (subscription === undefined) return false;
    const status = output.do === 'response' ? output.message.status : 0;
    if (status >= 100 && status < 200) return true;
    this.#sent.delete(output.transaction);
    const asked = output.do === 'response' ? /^\d{1,6}/.exec(output.message.header('Retry-After')?.trim() ?? '') : null;
    this.#notifier.answered(subscription, status, this.#o.clock.mono(), asked === null ? undefined : Number(asked[0]));
    this.#flush();
    return true;
  }

  stop(): void {
    this.#stopped = true;
    this.#rest();
  }

  #rest(): void {
    this.#stopSweep?.();
    this.#stopSweep = undefined;
  }

  /** Before a NOTIFY goes out whose number the store does not allow for yet. */
  #keep(subscription: Subscription): void {
    const { tag, dialog, over, keptSeq } = subscription;
    if (over === undefined && dialog.localSeq > keptSeq)
      this.#o.keep?.(tag, this.#notifier.save(subscription, this.#offset()));
  }

  /** Wall clock minus monotonic, ms. */
  #offset(): number {
    return this.#o.clock.wall() - this.#o.clock.mono();
  }

  #flush(): void {
    if (this.#notifier.size === 0 || this.#stopped) this.#rest();
    else this.#stopSweep ??= every(this.#o.clock, SWEEP, () => this.#flush());
    for (const one of [...this.#notifier.due(this.#o.clock.mono())]) {
      // Marked before anything is awaited, so that one NOTIFY is under way at a time.
      one.busy = true;
      one.dirty = false;
      void this.#tell(one);
    }
  }

  async #tell(subscription: Subscription): Promise<void> {
    const body = await this.#o.body(subscription).catch(() => undefined);
    if (body === undefined) subscription.over ??= 'noresource';
    this.#o.sip.act((endpoint, now, out) => {
      // What changed while the body was being made is still to be told.
      const { dirty } = subscription;
      const message = this.#notifier.notify(subscription, body, now);
      subscription.dirty = dirty;
      this.#keep(subscription);
      this.#sent.set(endpoint.request(message, subscription.flow, now, out), subscription);
    });
  }
}

const refused = (status: number): Subscribed => ({ status, headers: [] });
