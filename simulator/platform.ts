/**
 * Third-party libraries call the platform's timers and clock. While a virtual world runs, those calls follow its clock.
 *
 * Our own code must not call them at all (the World's clock is handed in). To make a breach show, `Date` tells the real
 * time to a caller outside `node_modules`: two runs of the same seed then differ.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { Timer } from '#shared/kernel/world.ts';

export interface PlatformClock {
  mono(): number;
  wall(): number;
  at(deadline: number, run: () => void): Timer;
}

const RealDate = Date;
const realNow = Date.now.bind(Date);

/** What setTimeout and its kin give back in Node: an object that becomes a number where one is asked for. */
class Handle {
  static #serial = 1;
  readonly #id = Handle.#serial++;
  readonly #clock: PlatformClock;
  readonly #run: () => void;
  readonly #wait: number;
  readonly #repeat: boolean;
  #timer: Timer | undefined;

  constructor(clock: PlatformClock, run: () => void, wait: number, repeat: boolean) {
    this.#clock = clock;
    this.#run = run;
    this.#wait = wait;
    this.#repeat = repeat;
    this.refresh();
  }

  refresh(): this {
    this.close();
    this.#timer = this.#clock.at(this.#clock.mono() + this.#wait, () => {
      this.#timer = undefined;
      if (this.#repeat) this.refresh();
      this.#run();
    });
    return this;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  [Symbol.toPrimitive](): number {
    return this.#id;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

type Callback = (...values: unknown[]) => void;

/** Puts the platform's timers and `Date` under `clock`; the returned function puts the real ones back. */
export function installPlatform(clock: PlatformClock): () => void {
  const timeout = (run: Callback, wait = 0, ...values: unknown[]) =>
    new Handle(clock, () => run(...values), Math.max(1, Number(wait) || 0), false);
  const interval = (run: Callback, wait = 0, ...values: unknown[]) =>
    new Handle(clock, () => run(...values), Math.max(1, Number(wait) || 0), true);
  const immediate = (run: Callback, ...values: unknown[]) => new Handle(clock, () => run(...values), 0, false);
  const clear = (handle: unknown) => {
    if (handle instanceof Handle) handle.close();
  };
  const timers = {
    setTimeout: timeout,
    setInterval: interval,
    setImmediate: immediate,
    clearTimeout: clear,
    clearInterval: clear,
    clearImmediate: clear,
  };
  const targets = [globalThis, createRequire(import.meta.url)('node:timers')] as Record<string, unknown>[];
  const saved = targets.map((target) => Object.fromEntries(Object.keys(timers).map((name) => [name, target[name]])));
  for (const target of targets) Object.assign(target, timers);
  const world = globalThis as Record<string, unknown>;
  world.Date = virtualDate(clock);
  const now = performance.now;
  performance.now = () => (calledByLibrary() ? clock.mono() : now.call(performance));
  syncBuiltinESMExports();
  return () => {
    targets.forEach((target, i) => {
      Object.assign(target, saved[i]);
    });
    world.Date = RealDate;
    performance.now = now;
    syncBuiltinESMExports();
  };
}

function virtualDate(clock: PlatformClock): DateConstructor {
  const time = () => (calledByLibrary() ? clock.wall() : realNow());
  class VirtualDate extends RealDate {
    constructor(...values: unknown[]) {
      if (values.length === 0) super(time());
      else super(...(values as [number]));
    }
    static override now(): number {
      return time();
    }
  }
  return VirtualDate as unknown as DateConstructor;
}

/** True where the caller of the patched function stands in a library or in Node itself. */
function calledByLibrary(): boolean {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 6;
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  Error.stackTraceLimit = limit;
  const caller = lines.find((line) => !line.includes('/simulator/platform.ts'));
  return caller === undefined || caller.includes('/node_modules/') || caller.includes('node:');
}
