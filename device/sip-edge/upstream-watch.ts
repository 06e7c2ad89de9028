/**
 * What the softswitch says of the house's lines (RFC 6665): the gateway subscribes over its flow for what phones of the house watch, and
 * keeps what it was told last: waiting messages (RFC 3842), and calls that do not pass this gateway (RFC 4235).
 */
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipAsks } from '#shared/host/sip-messaging.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { every } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { DIALOG_INFO } from '#shared/sip/dialog-info.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { MESSAGE_SUMMARY } from '#shared/sip/message-summary.ts';
import { refuseNotify } from '#shared/sip/stray-notify.ts';
import { Subscriber } from '#shared/sip/subscriber.ts';
import type { EndpointOutput, Flow, TransactionHandle } from '#shared/sip/types.ts';

/** Milliseconds between looks for subscriptions that are due. */
const LOOK_EVERY = 5_000;
/** Seconds asked for. */
const EXPIRES = 3_600;
/** Octets of a summary, and of a document of dialogs, that are kept. */
export const SUMMARY_LIMIT = 4_096;
export const DIALOGS_LIMIT = 32_768;

export type Watched = 'message-summary' | 'dialog';
const TYPES: Readonly<Record<Watched, { readonly accept: string; readonly most: number }>> = {
  'message-summary': { accept: MESSAGE_SUMMARY, most: SUMMARY_LIMIT },
  dialog: { accept: DIALOG_INFO, most: DIALOGS_LIMIT },
};

export interface UpstreamWatchOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly upstream: () => Flow | undefined;
  /** Address of record of a line; undefined for one that is gone. */
  readonly address: (line: string) => string | undefined;
  /** True while a phone of the house wants to know. */
  readonly wanted: (event: Watched, line: string) => boolean;
  readonly changed: (event: Watched, line: string) => void;
}

interface Watch {
  readonly event: Watched;
  readonly line: string;
  readonly subscriber: Subscriber;
  body?: string;
}

export class UpstreamWatch {
  readonly #o: UpstreamWatchOptions;
  readonly #asks: SipAsks;
  readonly #watches = new Map<string, Watch>();
  /** Runs while there is anything to watch. */
  #stopLooking: (() => void) | undefined;

  constructor(options: UpstreamWatchOptions) {
    this.#o = options;
    this.#asks = new SipAsks(options.sip);
  }

  /** A phone of the house wants to know of this line; `body`: what an earlier process was told last. */
  watch(event: Watched, line: string, body?: string): void {
    const key = keyOf({ event, line });
    if (this.#watches.has(key)) return;
    const { random } = this.#o.world;
    const names = () => ({ callId: hex(random.bytes(12)), tag: hex(random.bytes(8)) });
    const subscriber = new Subscriber({ event, accept: TYPES[event].accept, expires: EXPIRES }, names);
    const watch: Watch = { event, line, subscriber, ...(body === undefined ? {} : { body }) };
    this.#watches.set(key, watch);
    this.#stopLooking ??= every(this.#o.world.clock, LOOK_EVERY, () => this.#look());
    this.#subscribe(watch);
  }

  /** What the softswitch said last; undefined where it has not. */
  body(event: Watched, line: string): string | undefined {
    return this.#watches.get(keyOf({ event, line }))?.body;
  }

  /** All that it said last of one kind. */
  bodies(event: Watched): string[] {
    return [...this.#watches.values()].flatMap((watch) => (watch.event === event ? (watch.body ?? []) : []));
  }

  /** There is a new flow to the softswitch, which may have forgotten who came over the old one. */
  flowChanged(): void {
    for (const watch of this.#watches.values()) this.#subscribe(watch);
  }

  /** The flow is gone: messages wait as they did, calls elsewhere are unknown. */
  flowLost(): void {
    for (const watch of this.#watches.values()) {
      if (watch.event !== 'dialog' || watch.body === undefined) continue;
      delete watch.body;
      this.#o.changed(watch.event, watch.line);
    }
  }

  /** True for the news of a SUBSCRIBE. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  /** A NOTIFY of the softswitch. */
  notified(transaction: TransactionHandle, message: SipMessage): void {
    const { sip, world, changed } = this.#o;
    const watch = [...this.#watches.values()].find(({ subscriber }) => subscriber.callId === message.callId);
    if (watch === undefined) return void this.refuse(transaction, message);
    const { status, body } = watch.subscriber.notified(message, world.clock.mono());
    sip.act((endpoint, now, out) => endpoint.reply(transaction, status, {}, now, out));
    if (body === undefined || watch.body === body) return;
    const { accept, most } = TYPES[watch.event];
    const isOurs = message.header('Content-Type')?.toLowerCase().startsWith(accept) === true;
    if (!isOurs || body.length > most) return;
    watch.body = body;
    changed(watch.event, watch.line);
  }

  /** A NOTIFY of what nobody here watches. */
  refuse(transaction: TransactionHandle, message: SipMessage): void {
    const { status, headers } = refuseNotify(message, Object.keys(TYPES));
    this.#o.sip.act((endpoint, now, out) => endpoint.reply(transaction, status, { headers }, now, out));
  }

  stop(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }

  #look(): void {
    const now = this.#o.world.clock.mono();
    for (const [key, watch] of this.#watches) {
      if (watch.subscriber.due > now) continue;
      if (this.#o.wanted(watch.event, watch.line)) this.#subscribe(watch);
      else this.#watches.delete(key);
    }
    if (this.#watches.size === 0) this.stop();
  }

  #subscribe(watch: Watch): void {
    const { sip, upstream, address } = this.#o;
    const [flow, own] = [upstream(), address(watch.line)];
    if (own === undefined) return void this.#watches.delete(keyOf(watch));
    if (flow === undefined) return;
    const request = watch.subscriber.request({ uri: own, from: own, contact: sip.contact(flow) });
    const asked = this.#asks.send((endpoint, now, out) => endpoint.request(request, flow, now, out));
    void asked.then(({ message }) => {
      const again = watch.subscriber.answered(message, this.#o.world.clock.mono());
      if (again && this.#watches.get(keyOf(watch)) === watch) this.#subscribe(watch);
    });
  }
}

const keyOf = ({ event, line }: Pick<Watch, 'event' | 'line'>): string => `${event} ${line}`;
