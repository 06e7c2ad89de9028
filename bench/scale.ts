/**
 * What several softswitch processes cost beside one: CPU of the whole cloud per call, the same calls from the same SIPp, in one run.
 * `in-process` is the cloud as it starts by default; the others have so many processes, and every process its share of the calls, each
 * to a phone that registered with it. Rounds alternate; medians and their ratios are printed. Needs `sipp`.
 * A process costs less per call the more it has to do, whatever it is a part of: where `--processes` has 1 and more, the cloud of one
 * process is also asked for as many calls as each of the others has, and several are compared with that too.
 *
 * Run: `bin/node bench/scale.ts [--rate 300] [--seconds 8] [--rounds 3] [--processes 1,2]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { beginAnswering, type Door, fleetCloud } from './fleet.fixture.ts';
import { childrenOf, cpuOf, load, median, Processes } from './processes.fixture.ts';
import { calling, freePort, type Outcome, play } from './sipp.fixture.ts';

/** A cloud under test: its doors, with a caller and a phone that answers at each. */
interface Side {
  readonly name: string;
  /** Processes of their own. */
  readonly count: number;
  /** Calls a second in all. */
  readonly rate: number;
  readonly doors: readonly Door[];
  /** CPU seconds of all its processes, and of the main one alone. */
  cpu(): number;
  own(): number;
}

/** Seconds before the rounds that count: a server runs for weeks, its compiled code is what matters. */
const WARM_UP = 10;

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    processes: { type: 'string', default: '1,2' },
  },
});
const asked = {
  rate: Number(values.rate),
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  counts: values.processes.split(',').map(Number),
};
const fits = (n: number, most: number): boolean => Number.isInteger(n) && n >= 1 && n <= most;
if (
  !fits(asked.rate, 3000) ||
  !fits(asked.seconds, 60) ||
  !fits(asked.rounds, 9) ||
  !asked.counts.every((n) => fits(n, 8))
) {
  console.error('bench/scale.ts: --rate is 1 to 3000, --seconds 1 to 60, --rounds 1 to 9, --processes 1 to 8 each');
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/scale.ts: the program sipp is not installed');
  process.exit(3);
}

async function side(processes: Processes, count: number): Promise<Side> {
  const { cloud, doors } = await fleetCloud(processes, count);
  const pids = [cloud.pid, ...childrenOf(cloud.pid)];
  return {
    ...{ name: nameOf(count), count, rate: asked.rate, doors },
    cpu: () => pids.reduce((sum, pid) => sum + cpuOf(pid), 0),
    own: () => cpuOf(cloud.pid),
  };
}

const nameOf = (count: number): string =>
  count === 0 ? 'in-process' : count === 1 ? '1 process' : `${count} processes`;

/** The cloud of one process with as many calls as each of several has. */
const withShareOf = (single: Side, { count, name }: Side): Side => ({
  ...single,
  ...{ rate: Math.round(asked.rate / count), name: `1 process with a share of ${name}` },
});

/** All doors of a side at once, each with its share of the calls. */
async function round(processes: Processes, one: Side, mark: string, seconds: number, ports: readonly number[]) {
  const rate = Math.round(one.rate / one.doors.length);
  const outcomes = await Promise.all(
    one.doors.map(({ server, caller, callee }, i) => {
      const text = calling(caller, callee.number);
      return play(processes, `${one.name}-${mark}-${i}`, text, { rate, seconds, server, port: ports[i] ?? 0 });
    }),
  );
  // What the last calls leave to do, records among it, belongs to the price.
  await pause(1500);
  return outcomes;
}

const sum = (outcomes: readonly Outcome[], of: (one: Outcome) => number) =>
  outcomes.reduce((all, one) => all + of(one), 0);

async function main(): Promise<void> {
  await using processes = new Processes();
  const sides: Side[] = [];
  for (const count of [0, ...asked.counts]) sides.push(await side(processes, count));
  await beginAnswering(
    processes,
    sides.flatMap(({ doors }) => doors),
    await freePort(),
  );
  const ports = await Promise.all(Array.from({ length: Math.max(...asked.counts) }, freePort));
  // Every process compiles its code for itself, so each gets all the calls once.
  for (const one of sides) {
    for (const [i, door] of one.doors.entries())
      await round(processes, { ...one, doors: [door] }, `warm-up-${i}`, WARM_UP, ports);
  }
  const single = sides.find(({ count }) => count === 1);
  if (single !== undefined)
    sides.push(...sides.filter(({ count }) => count > 1).map((one) => withShareOf(single, one)));
  const prices = new Map<Side, number[]>(sides.map((one) => [one, []]));
  const shares = new Map<Side, number[]>(sides.map((one) => [one, []]));
  const failed = new Map<Side, number>(sides.map((one) => [one, 0]));
  for (let n = 0; n < asked.rounds; n++) {
    for (const one of sides) {
      const [before, own] = [one.cpu(), one.own()];
      const outcomes = await round(processes, one, String(n), asked.seconds, ports);
      const lost = sum(outcomes, (each) => each.failed);
      const done = sum(outcomes, (each) => each.calls) - lost;
      prices.get(one)?.push(((one.cpu() - before) * 1000) / done);
      shares.get(one)?.push(((one.own() - own) * 1000) / done);
      failed.set(one, (failed.get(one) ?? 0) + lost);
    }
  }
  const priceOf = (one: Side): number => median(prices.get(one) ?? []);
  for (const one of sides) {
    const beside =
      one.count > 1 ? [single, sides.find(({ name }) => name === `1 process with a share of ${one.name}`)] : [];
    const ratios = [sides[0], ...beside].flatMap((other) =>
      other === undefined || other === one ? [] : `${(priceOf(one) / priceOf(other)).toFixed(2)}x ${other.name}`,
    );
    const main = one.count === 0 ? '' : ` (${median(shares.get(one) ?? []).toFixed(3)} of the main process)`;
    const price = `${priceOf(one).toFixed(3)} CPU-s per 1,000 calls${main}; ${failed.get(one)} failed`;
    console.log([`${one.rate} calls/s, ${one.name}: ${price}`, ...ratios].join('; '));
  }
  console.log(load());
}

await main();
