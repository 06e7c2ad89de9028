/**
 * The bus of one process. What is sent is handed over and belongs to nobody from then on: neither who sent it nor who got it changes it,
 * so that it need not be copied and a part could move to another process without a change. Unless it is told to trust them, the bus
 * freezes all that passes: whoever changes it then throws. All tests run so; the command `cloud` trusts.
 *
 * Order: events reach each subscriber in the order of publication, never inside the publisher's own call. Time: a
 * request's timeout runs on the world's clock; a reply that comes later is dropped.
 */

import { err, type Result } from '#shared/kernel/result.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { BusEventName, BusEvents } from '#shared/protocol/events.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import { type VerbName, type VerbRequest, verbs } from '#shared/protocol/verbs/index.ts';
import type { Bus, Context, Handlers, Outcome } from './bus.ts';
import { frozen } from './frozen.ts';
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

type Answer = Result<unknown, Fault>;
type AnyHandler = (request: unknown, context: Context) => Soon<Answer>;
interface Subscriber {
  readonly hear: (data: unknown) => void;
  there: boolean;
}

/** What became of the requests of one verb; of those that were answered `ok` there are most. */
interface Counters {
  readonly ok: Counter;
  readonly faults: Map<string, Counter>;
}

interface Counter {
  count: number;
  milliseconds: number;
}

/** A verb that is served. */
interface Served {
  readonly handler: AnyHandler;
  readonly counters: Counters;
}

/** A handler of which neither what it gets nor what it says can be changed by anybody. */
function checked(handler: AnyHandler): AnyHandler {
  return (request, context) => soon(handler(frozen(request), frozen(context)), frozen);
}

/** Makes a bus; `log` gets what handlers and subscribers throw, `clock` drives the timeouts, `trusting` leaves what passes unfrozen. */
export function createBus(
  { log, clock }: { readonly log: Log; readonly clock: Clock },
  { trusting = false }: { readonly trusting?: boolean } = {},
): InProcessBus {
  const served = new Map<VerbName, Served>();
  const parts = new Set<ServerName>();
  /** Lists that are replaced, never changed: whoever publishes keeps the one of that moment. */
  const subscribers = new Map<BusEventName, readonly Subscriber[]>();
  const limits = new Limits(clock);
  const counters = new Map<VerbName, Counters>();

  function countersOf(verb: VerbName): Counters {
    const known = counters.get(verb) ?? { ok: { count: 0, milliseconds: 0 }, faults: new Map() };
    counters.set(verb, known);
    return known;
  }

  function count({ ok, faults }: Counters, outcome: Answer, since: number): void {
    const counter = outcome.ok ? ok : (faults.get(outcome.fault.code) ?? { count: 0, milliseconds: 0 });
    if (!outcome.ok) faults.set(outcome.fault.code, counter);
    counter.count++;
    counter.milliseconds += clock.mono() - since;
  }

  /** What a handler throws is a bug of its part: logged, answered as `internal`. */
  function broken(verb: VerbName, error: unknown): Answer {
    log.error('bus.handler-failed', { verb, error: describe(error) });
    return err(fault('internal', `The part that serves ${verb} failed.`));
  }

  /** Runs a handler, which may answer at once. */
  function run(verb: VerbName, { handler }: Served, request: unknown, context: Context): Soon<Answer> {
    try {
      return handler(request, context);
    } catch (error) {
      return broken(verb, error);
    }
  }

  function ask(verb: VerbName, request: unknown, context: Context, timeout: number): Soon<Answer> {
    const since = clock.mono();
    const to = served.get(verb);
    if (to === undefined) {
      const { server } = verbs[verb];
      const away = err(fault('server_unavailable', `The ${server} server is not running.`, { server }));
      count(countersOf(verb), away, since);
      return away;
    }
    const said = run(verb, to, request, context);
    if (said instanceof Promise) return settled(verb, to, said, since, timeout);
    count(to.counters, said, since);
    return said;
  }

  /** What a handler says later, or what is said of its lateness. */
  function settled(verb: VerbName, to: Served, said: Promise<Answer>, since: number, timeout: number): Promise<Answer> {
    return new Promise((resolve) => {
      const settle = (outcome: Answer): void => {
        if (!limits.end(wait)) return;
        count(to.counters, outcome, since);
        resolve(outcome);
      };
      const wait = limits.begin(since, timeout, () => {
        const { server } = verbs[verb];
        const late = err(fault('timeout', `The ${server} server did not answer ${verb} in ${timeout} ms.`, { server }));
        count(to.counters, late, since);
        resolve(late);
      });
      said.then(settle, (error: unknown) => settle(broken(verb, error)));
    });
  }

  function deliver(event: BusEventName, to: Subscriber, data: unknown): void {
    if (!to.there) return;
    try {
      to.hear(data);
    } catch (error) {
      log.error('bus.subscriber-failed', { event, error: describe(error) });
    }
  }

  return {
    serve<S extends ServerName>(part: S, handlers: Handlers<S>): () => void {
      if (parts.has(part)) throw new Error(`${part} serves its verbs already`);
      const names = (Object.keys(handlers) as VerbName[]).filter((name) => Object.hasOwn(verbs, name));
      for (const name of names) {
        const handler = (handlers as unknown as Record<VerbName, AnyHandler>)[name];
        served.set(name, { handler: trusting ? handler : checked(handler), counters: countersOf(name) });
      }
      parts.add(part);
      return () => {
        if (!parts.delete(part)) return;
        for (const name of names) served.delete(name);
      };
    },

    async request<V extends VerbName>(
      verb: V,
      request: VerbRequest<V>,
      context: Context,
      timeout = REQUEST_TIMEOUT,
    ): Promise<Outcome<V>> {
      return (await ask(verb, request, context, timeout)) as Outcome<V>;
    },

    ask<V extends VerbName>(verb: V, request: VerbRequest<V>, context: Context, timeout = REQUEST_TIMEOUT) {
      return ask(verb, request, context, timeout) as Soon<Outcome<V>>;
    },

    publish(event, data) {
      // Whoever subscribes later has not heard of it.
      const to = subscribers.get(event);
      if (to === undefined) return;
      const said = trusting ? data : frozen(data);
      queueMicrotask(() => {
        for (const one of to) deliver(event, one, said);
      });
    },

    subscribe<E extends BusEventName>(event: E, handler: (data: BusEvents[E]) => void): () => void {
      const entry: Subscriber = { hear: (data) => handler(data as BusEvents[E]), there: true };
      subscribers.set(event, [...(subscribers.get(event) ?? []), entry]);
      return () => {
        entry.there = false;
        const left = (subscribers.get(event) ?? []).filter((one) => one !== entry);
        if (left.length === 0) subscribers.delete(event);
        else subscribers.set(event, left);
      };
    },

    has: (part) => parts.has(part),
    counts: () =>
      [...counters].flatMap(([verb, { ok, faults }]) => {
        const outcomes: [string, Counter][] = [...(ok.count === 0 ? [] : [['ok', ok] as [string, Counter]]), ...faults];
        return outcomes.map(([outcome, one]) => ({ verb, outcome, ...one }));
      }),
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
