/** How much a turn may use: CPU time in the real world, interrupts counted as fuel in the virtual one, where time stands still. */
export interface Meter {
  /** A turn begins that may use `limit` ms. */
  begin(limit: number): void;
  /** Asked every ten thousand steps or so of the guest; true ends its turn. */
  spent(): boolean;
  /** Milliseconds since `begin`. */
  used(): number;
  /** A job of the guest's queue was run: many small ones count too. */
  job(): void;
}

/** Milliseconds that one interrupt stands for where fuel is counted (about what 10,000 steps of QuickJS take). */
const MS_PER_INTERRUPT = 0.2;
const MS_PER_JOB = 0.002;

/** Counts fuel: the same for the same code, whatever the machine does. */
export function fuelMeter(): Meter {
  let fuel = 0;
  let allowed = 0;
  return {
    begin: (limit) => {
      fuel = 0;
      allowed = limit;
    },
    spent: () => {
      fuel += MS_PER_INTERRUPT;
      return fuel > allowed;
    },
    used: () => fuel,
    job: () => {
      fuel += MS_PER_JOB;
    },
  };
}

/** Measures the CPU time (ms) of this thread by `cpu`, so that a busy machine harms no innocent guest. */
export function cpuMeter(cpu: () => number): Meter {
  let since = 0;
  let allowed = 0;
  return {
    begin: (limit) => {
      since = cpu();
      allowed = limit;
    },
    spent: () => cpu() - since > allowed,
    used: () => cpu() - since,
    job: () => undefined,
  };
}
