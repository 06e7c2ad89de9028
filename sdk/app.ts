/**
 * Hearthline's SDK for network applications and user applets: no dependencies, the same words in both halves. It runs inside the
 * sandbox, where there is no network, no file and no timer but what the host grants; everything here is a message to the host.
 */
import type { Verbs } from './generated.ts';

/** What the host puts into the sandbox. */
interface Bridge {
  readonly boot: string;
  send(text: string): void;
  take?: (text: string) => void;
}

/** What a request was refused with. `code` is one of the faults of the open API. */
export class HearthlineFault extends Error {
  readonly code: string;
  /** JSON pointer to the field at fault. */
  readonly pointer: string | undefined;
  constructor(fault: { code: string; detail?: string; pointer?: string }) {
    super(fault.detail ?? fault.code);
    this.name = 'HearthlineFault';
    this.code = fault.code;
    this.pointer = fault.pointer;
  }
}

/** A CloudEvent (1.0) of the home. */
export interface HomeEvent {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly session?: string;
  readonly sequence?: string;
  readonly data: unknown;
}

/** A call in the house, as the applet hears of it. */
export type HouseCall =
  | { readonly on: 'ringing'; readonly call: string; readonly from: string; readonly to: string; readonly at: number }
  | { readonly on: 'answered'; readonly call: string; readonly at: number }
  | { readonly on: 'digit'; readonly call: string; readonly by: 'caller' | 'callee'; readonly digit: string }
  | { readonly on: 'ended'; readonly call: string; readonly reason: string; readonly at: number };

/** `at`: when it was to ring; `late`: more than 5 s ago. */
export interface TimerRing {
  readonly name: string;
  readonly at: number;
  readonly late: boolean;
  readonly data?: unknown;
}

/** What the other half said. `gateway`: which gateway's applet. */
export interface HalfMessage {
  readonly from: 'cloud' | 'applet';
  readonly gateway?: string;
  readonly body: unknown;
}

export interface LanDevice {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
}

interface Facts {
  readonly half: 'cloud' | 'applet';
  readonly install: string;
  readonly app: string;
  readonly version: string;
  readonly home?: string;
}

interface Kinds {
  start: undefined;
  call: HouseCall;
  timer: TimerRing;
  message: HalfMessage;
}
type Kind = keyof Kinds;
type EventType = `home.${string}`;
type Payload<K extends Kind | EventType> = K extends Kind ? Kinds[K] : HomeEvent;
type Handler = (payload: never) => unknown;

interface Waiting {
  readonly fits: (kind: string, payload: unknown) => boolean;
  readonly settle: (payload: unknown) => void;
}

interface Incoming {
  readonly re?: number;
  readonly ok?: unknown;
  readonly fault?: { code: string; detail?: string; pointer?: string };
  readonly n?: number;
  readonly start?: true;
  readonly event?: HomeEvent;
  readonly call?: HouseCall;
  readonly timer?: TimerRing;
  readonly message?: HalfMessage;
}

const root = globalThis as unknown as { hearthline?: Bridge };
root.hearthline ??= { boot: '{}', send: () => undefined };
const bridge = root.hearthline;
const facts = JSON.parse(bridge.boot) as Facts;

const handlers: { readonly kind: string; readonly run: Handler }[] = [];
const calls = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
const waiting = new Set<Waiting>();
let next = 1;

function ask(name: string, input: unknown): Promise<unknown> {
  const id = next++;
  return new Promise((resolve, reject) => {
    calls.set(id, { resolve, reject });
    bridge.send(JSON.stringify({ id, do: name, with: input }));
  });
}

function write(level: string, words: readonly unknown[]): void {
  const text = words.map((word) =>
    typeof word === 'string' ? word : word instanceof Error ? `${word.name}: ${word.message}` : JSON.stringify(word),
  );
  bridge.send(JSON.stringify({ log: level, text: text.join(' ') }));
}

function covers(kind: string, type: string): boolean {
  return kind.endsWith('*') ? type.startsWith(kind.slice(0, -1)) : kind === type;
}

async function handle(n: number, kind: string, payload: unknown): Promise<void> {
  for (const one of [...waiting]) if (one.fits(kind, payload)) one.settle(payload);
  const fitting = handlers.filter((one) => covers(one.kind, kind));
  await Promise.all(
    fitting.map(async ({ run }) => {
      try {
        await run(payload as never);
      } catch (error) {
        write('error', [`${kind}:`, error]);
      }
    }),
  );
  if (n > 0) bridge.send(JSON.stringify({ done: n }));
}

bridge.take = (text) => {
  const { re, ok, fault, n = 0, start, event, call, timer, message } = JSON.parse(text) as Incoming;
  if (re !== undefined) {
    const open = calls.get(re);
    calls.delete(re);
    if (fault === undefined) open?.resolve(ok);
    else open?.reject(new HearthlineFault(fault));
  } else if (event !== undefined) void handle(n, event.type, event);
  else if (call !== undefined) void handle(n, 'call', call);
  else if (timer !== undefined) void handle(n, 'timer', timer);
  else if (message !== undefined) void handle(n, 'message', message);
  else if (start === true) void handle(n, 'start', undefined);
};

/** The application, from inside either half. */
export const app = {
  half: facts.half,
  install: facts.install,
  id: facts.app,
  version: facts.version,
  /** The home that installed it; the applet does not know it. */
  home: facts.home ?? '',

  /**
   * Registers a handler, at the top of the bundle: `start`, `call` (applet), `timer`, `message`, or an event of the home such as
   * `home.message.v1.delivered` or `home.message.v1.*` (cloud half). Facts come at least once; an event keeps its `id`.
   */
  on<K extends Kind | EventType>(kind: K, run: (payload: Payload<K>) => unknown): void {
    handlers.push({ kind, run: run as Handler });
  },

  /** The next fact of a kind for which `where` holds; undefined after `within` ms (at most a minute). */
  next<K extends Kind | EventType>(
    kind: K,
    { where = () => true, within = 60_000 }: { where?: (payload: Payload<K>) => boolean; within?: number } = {},
  ): Promise<Payload<K> | undefined> {
    return new Promise((resolve) => {
      const one: Waiting = {
        fits: (type, payload) => covers(kind, type) && where(payload as Payload<K>),
        settle: (payload) => {
          waiting.delete(one);
          resolve(payload as Payload<K> | undefined);
        },
      };
      waiting.add(one);
      void app.sleep(within).then(() => one.settle(undefined));
    });
  },

  /** Waits; at most a minute, and not over a restart: for more there is `timer`. */
  async sleep(ms: number): Promise<void> {
    await ask('sleep', { ms: Math.max(0, Math.round(ms)) });
  },

  /**
   * An operation of the open API. In the cloud half: any verb whose scope was granted; in the applet: `call.create`, `session.get`,
   * `session.end`, `media.list`, `media.play` within its permissions. The same `key` again has the effect once. Throws HearthlineFault.
   */
  api<V extends keyof Verbs>(
    verb: V,
    request: Verbs[V]['request'],
    options: { key?: string } = {},
  ): Promise<Verbs[V]['reply']> {
    return ask('api', { verb, request, ...options }) as Promise<Verbs[V]['reply']>;
  },

  /** A network service application that the manifest names: `app.service('weather', 'today', { place: 'Oslo' })`. Cloud half only. */
  service<T = unknown>(service: string, method: string, input: object = {}): Promise<T> {
    return ask('service.call', { service, method, input }) as Promise<T>;
  },

  /** Says something to the other half. From the applet it is kept until the cloud half has dealt with it. */
  async send(body: unknown, gateway?: string): Promise<void> {
    await ask('half.send', gateway === undefined ? { body } : { body, gateway });
  },

  /** Lasts over restarts. */
  storage: {
    get<T = unknown>(name: string): Promise<T | null> {
      return ask('storage.get', { name }) as Promise<T | null>;
    },
    async set(name: string, value: unknown): Promise<void> {
      await ask('storage.set', { name, value });
    },
    async remove(name: string): Promise<void> {
      await ask('storage.remove', { name });
    },
    list(): Promise<string[]> {
      return ask('storage.list', {}) as Promise<string[]>;
    },
  },

  /** Timers that last over restarts; what rang meanwhile rings once, `late`. The same name again sets it anew. */
  timer: {
    async set(name: string, when: { at: number; every?: number; data?: unknown }): Promise<void> {
      await ask('timer.set', { name, ...when });
    },
    async cancel(name: string): Promise<void> {
      await ask('timer.cancel', { name });
    },
  },

  /** Calls of the house, for applets. */
  house: {
    /**
     * Rings phones of the house for a call to a service code (`*…`) that has just begun and cannot reach the cloud: the first
     * that answers has it. Throws `conflict` for any other call: the cloud has it already.
     */
    async ring(call: string, numbers: readonly string[]): Promise<void> {
      await ask('house.ring', { call, numbers });
    },
  },

  /** Appliances of the house, for applets. */
  lan: {
    devices(): Promise<LanDevice[]> {
      return ask('lan.devices', {}) as Promise<LanDevice[]>;
    },
    /** One HTTP request to an appliance of the inventory, by its name or id. */
    http(request: {
      device: string;
      method: 'GET' | 'POST' | 'PUT';
      path: string;
      port?: number;
      body?: string;
    }): Promise<{ status: number; body: string }> {
      return ask('lan.http', request) as Promise<{ status: number; body: string }>;
    },
  },

  log: {
    debug: (...words: unknown[]) => write('debug', words),
    info: (...words: unknown[]) => write('info', words),
    warn: (...words: unknown[]) => write('warn', words),
    error: (...words: unknown[]) => write('error', words),
  },
};
