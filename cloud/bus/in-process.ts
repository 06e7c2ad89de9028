/**
 * The bus of one process. Requests and events are cloned on the way, so that nothing is shared and a part could move to
 * another process without a change; a request costs two clones and no I/O.
 *
 * Order: events reach each subscriber in the order of publication, never inside the publisher's own call. Time: a
 * request's timeout runs on the world's clock; a reply that comes later is dropped.
 */

import { err, type Result } from '#shared/kernel/result.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { BusEventName, BusEvents } from '#shared/protocol/events.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import { type VerbName, type VerbRequest, verbs } from '#shared/protocol/verbs/index.ts';
import type { Bus, Context, Handlers, Outcome } from './bus.ts';
import { copyData } from './copy.ts';
import { Limits } from './limits.ts';

/** Milliseconds that a request may take unless it says otherwise. */
export const REQUEST_TIMEOUT = 10_000;

/** Requests of one verb by what became of them: `ok` or the fault's code. */
export interface BusCount {
  readonly verb: VerbName;
  readonly outcome: string;
  readonly count: number;
  /** Milliseconds that these requests took together. */
  readonly milliseconds: number;
}

export interface InProcessBus extends Bus {
  /** What was asked since the start, for `/metrics`. */
  counts(): BusCount[];
}

type AnyHandler = (request: unknown, context: Context) => Promise<Result<unknown, Fault>>;
type AnySubscriber = (data: unknown) => void;

/** Makes a bus; `log` gets what handlers and subscribers throw, `clock` drives the timeouts. */
export function createBus({ log, clock }: { readonly log: Log; readonly clock: Clock }): InProcessBus {
  const handlers = new Map<VerbName, AnyHandler>();
  const parts = new Set<ServerName>();
  const subscribers = new Map<BusEventName, Set<AnySubscriber>>();
  const limits = new Limits(clock);
  const counters = new Map<VerbName, Map<string, { count: number; milliseconds: number }>>();

  function count(verb: VerbName, outcome: string, since: number): void {
    const outcomes = counters.get(verb) ?? new Map<string, { count: number; milliseconds: number }>();
    const counter = outcomes.get(outcome);
    const took = clock.mono() - since;
    if (counter === undefined) {
      counters.set(verb, outcomes);
      outcomes.set(outcome, { count: 1, milliseconds: took });
      return;
    }
    counter.count++;
    counter.milliseconds += took;
  }

  /** Runs a handler; what it throws is a bug of its part: logged, answered as `internal`. */
  async function run(
    verb: VerbName,
    handler: AnyHandler,
    request: unknown,
    context: Context,
  ): Promise<Result<unknown, Fault>> {
    try {
      return copyData(await handler(copyData(request), copyData(context)));
    } catch (error) {
      log.error('bus.handler-failed', { verb, error: describe(error) });
      return err(fault('internal', `The part that serves ${verb} failed.`));
    }
  }

  function deliver(event: BusEventName, handler: AnySubscriber, data: unknown): void {
    if (!subscribers.get(event)?.has(handler)) return;
    try {
      handler(data);
    } catch (error) {
      log.error('bus.subscriber-failed', { event, error: describe(error) });
    }
  }

  return {
    serve<S extends ServerName>(part: S, served: Handlers<S>): () => void {
      if (parts.has(part)) throw new Error(`${part} serves its verbs already`);
      const names = (Object.keys(served) as VerbName[]).filter((name) => Object.hasOwn(verbs, name));
      for (const name of names) handlers.set(name, (served as unknown as Record<VerbName, AnyHandler>)[name]);
      parts.add(part);
      return () => {
        if (!parts.delete(part)) return;
        for (const name of names) handlers.delete(name);
      };
    },

    async request<V extends VerbName>(verb: V, request: VerbRequest<V>, context: Context, timeout = REQUEST_TIMEOUT) {
      const since = clock.mono();
      const handler = handlers.get(verb);
      const server = verbs[verb].server;
      const outcome =
        handler === undefined
          ? err(fault('server_unavailable', `The ${server} server is not running.`, { server }))
          : ((await limits.within(timeout, run(verb, handler, request, context))) ??
            err(fault('timeout', `The ${server} server did not answer ${verb} in ${timeout} ms.`, { server })));
      count(verb, outcome.ok ? 'ok' : outcome.fault.code, since);
      return outcome as Outcome<V>;
    },

    publish(event, data) {
      const known = subscribers.get(event);
      if (known === undefined) return;
      // Whoever subscribes later has not heard of it.
      const to = [...known];
      const said = copyData(data);
      queueMicrotask(() => {
        for (const handler of to) deliver(event, handler, copyData(said));
      });
    },

    subscribe<E extends BusEventName>(event: E, handler: (data: BusEvents[E]) => void): () => void {
      const known = subscribers.get(event) ?? new Set();
      subscribers.set(event, known);
      const entry: AnySubscriber = (data) => handler(data as BusEvents[E]);
      known.add(entry);
      return () => known.delete(entry);
    },

    has: (part) => parts.has(part),
    counts: () =>
      [...counters].flatMap(([verb, outcomes]) => [...outcomes].map(([outcome, one]) => ({ verb, outcome, ...one }))),
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
