/** The bus of a part in a process of its own, and the main process's end of it: the same promises over a link (`link.ts`). */
import { err, type Result } from '#shared/kernel/result.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { BusEventName, BusEvents } from '#shared/protocol/events.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import { type VerbName, type VerbRequest, verbs } from '#shared/protocol/verbs/index.ts';
import type { Bus, Context, Handlers, Outcome } from './bus.ts';
import { createBus, type InProcessBus, REQUEST_TIMEOUT } from './in-process.ts';
import { Limits } from './limits.ts';
import { BUSY_LIMIT, type BusMessage, type Pipe, Waiting } from './link.ts';

type Answer = Result<unknown, Fault>;
type To = Pick<Pipe<BusMessage>, 'send' | 'waiting'>;

/** Asks over a pipe that may be away. */
class Asker {
  readonly #limits: Limits;
  readonly #waiting = new Waiting<Answer>();
  #to: To | undefined;

  constructor(clock: Clock) {
    this.#limits = new Limits(clock);
  }

  attach(to: To): void {
    this.#to = to;
  }

  /** Nobody knows what became of the questions under way. */
  detach(): void {
    this.#to = undefined;
    this.#waiting.settleAll(err(fault('server_unavailable', 'The link to the other process broke.')));
  }

  async ask(verb: VerbName, request: unknown, context: Context, limit: number): Promise<Answer> {
    const { server } = verbs[verb];
    const to = this.#to;
    if (to === undefined || to.waiting > BUSY_LIMIT) {
      return err(fault('server_unavailable', `The process of the ${server} server cannot be reached.`, { server }));
    }
    const { n, answer } = this.#waiting.open();
    to.send({ on: 'ask', n, verb, request, context, limit });
    const answered = await this.#limits.within(limit, answer);
    if (answered !== undefined) return answered;
    this.#waiting.drop(n);
    return err(fault('timeout', `The ${server} server did not answer ${verb} in ${limit} ms.`, { server }));
  }

  answered(n: number, outcome: Answer): void {
    this.#waiting.settle(n, outcome);
  }
}

/** The child's bus: verbs that it serves itself stay inside, all others go over the link; without one they are `server_unavailable`. */
export class LinkedBus implements Bus {
  readonly #local: InProcessBus;
  readonly #asker: Asker;
  readonly #heard = new Map<BusEventName, number>();
  #parts = new Set<ServerName>();
  #to: To | undefined;

  constructor(world: { readonly log: Log; readonly clock: Clock }) {
    this.#local = createBus(world, { trusting: true });
    this.#asker = new Asker(world.clock);
  }

  /** There is a link, for the first time or again. */
  attach(to: To): void {
    this.#to = to;
    this.#asker.attach(to);
    for (const event of this.#heard.keys()) to.send({ on: 'hear', event, wanted: true });
  }

  detach(): void {
    this.#to = undefined;
    this.#parts = new Set();
    this.#asker.detach();
  }

  take(message: BusMessage): void {
    switch (message.on) {
      case 'ask':
        void this.#answer(message);
        break;
      case 'answer':
        this.#asker.answered(message.n, message.outcome);
        break;
      case 'event':
        this.#local.publish(message.event, message.data as BusEvents[typeof message.event]);
        break;
      case 'parts':
        this.#parts = new Set(message.names);
        break;
      default:
    }
  }

  serve<S extends ServerName>(part: S, handlers: Handlers<S>): () => void {
    return this.#local.serve(part, handlers);
  }

  async request<V extends VerbName>(
    verb: V,
    request: VerbRequest<V>,
    context: Context,
    timeout?: number,
  ): Promise<Outcome<V>> {
    return this.ask(verb, request, context, timeout);
  }

  ask<V extends VerbName>(
    verb: V,
    request: VerbRequest<V>,
    context: Context,
    timeout = REQUEST_TIMEOUT,
  ): Soon<Outcome<V>> {
    if (this.#local.has(verbs[verb].server)) return this.#local.ask(verb, request, context, timeout);
    return this.#asker.ask(verb, request, context, timeout) as Promise<Outcome<V>>;
  }

  /** It comes back over the link where somebody here listens, in the order of all. */
  publish<E extends BusEventName>(event: E, data: BusEvents[E]): void {
    if (this.#to === undefined) this.#local.publish(event, data);
    else this.#to.send({ on: 'event', event, data });
  }

  subscribe<E extends BusEventName>(event: E, handler: (data: BusEvents[E]) => void): () => void {
    const leave = this.#local.subscribe(event, handler);
    this.#count(event, 1);
    let there = true;
    return () => {
      leave();
      if (there) this.#count(event, -1);
      there = false;
    };
  }

  has(part: ServerName): boolean {
    return this.#local.has(part) || this.#parts.has(part);
  }

  #count(event: BusEventName, by: number): void {
    const before = this.#heard.get(event) ?? 0;
    if (before + by === 0) this.#heard.delete(event);
    else this.#heard.set(event, before + by);
    if (before === 0 || before + by === 0) this.#to?.send({ on: 'hear', event, wanted: before === 0 });
  }

  async #answer({ n, verb, request, context, limit }: Extract<BusMessage, { on: 'ask' }>): Promise<void> {
    const to = this.#to;
    const outcome = await this.#local.request(verb, request as VerbRequest<typeof verb>, context, limit);
    if (this.#to === to) to?.send({ on: 'answer', n, outcome });
  }
}

/** The main process's end of a child's bus. */
export class BusDoor {
  readonly #bus: Bus;
  readonly #to: To;
  readonly #asker: Asker;
  readonly #heard = new Map<BusEventName, () => void>();
  #closed = false;

  constructor(bus: Bus, clock: Clock, to: To) {
    this.#bus = bus;
    this.#to = to;
    this.#asker = new Asker(clock);
    this.#asker.attach(to);
  }

  /** `seen` gets the outcome of what the child asks. */
  take(message: BusMessage, seen?: (verb: VerbName, request: unknown, outcome: Answer) => void): void {
    switch (message.on) {
      case 'ask':
        void this.#answer(message, seen);
        break;
      case 'answer':
        this.#asker.answered(message.n, message.outcome);
        break;
      case 'event':
        this.#bus.publish(message.event, message.data as BusEvents[typeof message.event]);
        break;
      case 'hear':
        this.#hear(message.event, message.wanted);
        break;
      default:
    }
  }

  /** Asks the child, whatever the bus would do with the verb. */
  request(verb: VerbName, request: unknown, context: Context, limit: number): Promise<Answer> {
    return this.#asker.ask(verb, request, context, limit);
  }

  close(): void {
    this.#closed = true;
    this.#asker.detach();
    for (const leave of this.#heard.values()) leave();
    this.#heard.clear();
  }

  #hear(event: BusEventName, wanted: boolean): void {
    this.#heard.get(event)?.();
    this.#heard.delete(event);
    if (wanted)
      this.#heard.set(
        event,
        this.#bus.subscribe(event, (data) => this.#to.send({ on: 'event', event, data })),
      );
  }

  async #answer(
    { n, verb, request, context, limit }: Extract<BusMessage, { on: 'ask' }>,
    seen: ((verb: VerbName, request: unknown, outcome: Answer) => void) | undefined,
  ): Promise<void> {
    const outcome = await this.#bus.request(verb, request as VerbRequest<typeof verb>, context, limit);
    if (this.#closed) return;
    seen?.(verb, request, outcome);
    this.#to.send({ on: 'answer', n, outcome });
  }
}
