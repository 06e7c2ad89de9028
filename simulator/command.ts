/** What `hearthline sim` does: reads what is asked for, runs it, says what came of it. */
import { appendFileSync, writeFileSync } from 'node:fs';
import type { Parsed } from '#shared/host/config.ts';
import { faultKinds, type PlannedFault, readFault } from './faults.ts';
import { junit } from './junit.ts';
import { type Gate, readGates } from './percentiles.ts';
import { type Report, type RunEvent, type RunOptions, runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { scenarios } from './scenarios/index.ts';

/** Where the command writes: results, and everything else. */
interface Io {
  out(text: string): void;
  error(text: string): void;
}

/** The most that one command runs, by its option: what is meant otherwise is a slip of the keyboard, and would eat the machine. */
const MOST = { homes: 5_000, light: 100_000, runs: 10_000 } as const;

/** 0 ok, 1 warnings, 2 failed, 3 could not run. */
type Exit = 0 | 1 | 2 | 3;

interface Plan {
  readonly scenarios: readonly Scenario[];
  readonly faults: readonly PlannedFault[];
  readonly gates: readonly Gate[];
}

/** `hearthline sim run`; the values are those of `cli/sim.ts`. */
export async function simRun(input: Parsed, io: Io): Promise<Exit> {
  const plan = readPlan(input);
  if (typeof plan === 'string') {
    io.error(`hearthline sim: ${plan}`);
    return 3;
  }
  const wall = Date.now();
  const { junit: file, lines, runs, seed, json } = input.values;
  // Tried before anything runs; and what an earlier command left there is not taken for the outcome of this one.
  if (lines !== undefined) appendFileSync(lines, '');
  if (file !== undefined) writeFileSync(file, junit([], wall));
  const reports: Report[] = [];
  const asked = plan.scenarios.flatMap((scenario) =>
    Array.from({ length: Number(runs) }, (_none, i) => ({ scenario, seed: Number(seed) + i })),
  );
  for (const one of asked) {
    const report = await runOne(one.scenario, one.seed, plan, input, io);
    if (report === undefined) break;
    reports.push(report);
  }
  if (file !== undefined) writeFileSync(file, junit(reports, wall));
  if (json === 'true') io.out(JSON.stringify(reports));
  if (reports.length < asked.length) return 3;
  if (reports.some(({ state }) => state === 'failed')) return 2;
  return reports.some(({ state }) => state === 'warned') ? 1 : 0;
}

/** `hearthline sim list`. */
export function simList({ values }: Parsed, io: Io): Exit {
  const faults = Object.entries(faultKinds).map(([name, { about }]) => ({ name, about }));
  if (values.json === 'true') {
    io.out(JSON.stringify({ scenarios: scenarios.map(({ steps: _, ...rest }) => rest), faults }));
    return 0;
  }
  io.out('Scenarios:');
  for (const { name, about, worlds, homes } of scenarios)
    io.out(`  ${name.padEnd(19)} ${about}. (${worlds.join(', ')}; ${homes.usual} homes)`);
  io.out('\nFaults, for --faults KIND[=VALUE][:HOME]@TIME[+DURATION]:');
  for (const { name, about } of faults) io.out(`  ${name.padEnd(19)} ${about}`);
  return 0;
}

/** What is asked for, or why it cannot be done. */
function readPlan({ values, words }: Parsed): Plan | string {
  const world = values.virtual === 'true' ? 'virtual' : 'real';
  for (const [name, most] of Object.entries(MOST)) {
    const least = name === 'runs' ? 1 : 0;
    if (values[name] !== undefined && !(Number(values[name]) >= least && Number(values[name]) <= most))
      return `--${name} ${values[name]}: is from ${least} to ${most}`;
  }
  if (words.length === 0) return 'which scenario? `hearthline sim list` names them; `all` runs every one';
  const chosen: Scenario[] = [];
  for (const word of words) {
    const named =
      word === 'all'
        ? scenarios.filter(({ worlds }) => worlds.includes(world))
        : scenarios.filter(({ name }) => name === word);
    if (named.length === 0)
      return `there is no scenario "${word}"; there are ${scenarios.map(({ name }) => name).join(', ')}`;
    for (const scenario of named) {
      if (!scenario.worlds.includes(world)) return `${scenario.name} runs with --virtual only`;
      if (values.homes !== undefined && Number(values.homes) < scenario.homes.least)
        return `${scenario.name} needs at least ${scenario.homes.least} homes`;
    }
    chosen.push(...named);
  }
  const faults: PlannedFault[] = [];
  for (const text of values.faults?.split(',') ?? []) {
    const fault = readFault(text);
    if (!fault.ok) return fault.fault;
    faults.push(fault.value);
  }
  const gates: Gate[] = [];
  for (const [rank, text] of [
    ['p50', values['max-p50']],
    ['p99', values['max-p99']],
    ['max', values.max],
  ] as const) {
    if (text === undefined) continue;
    const read = readGates(rank, text);
    if (!read.ok) return read.fault;
    gates.push(...read.value);
  }
  return { scenarios: chosen, faults, gates };
}

/** One run with its lines for the reader; undefined where the stage could not be set up. */
async function runOne(
  scenario: Scenario,
  seed: number,
  { faults, gates }: Plan,
  { values }: Parsed,
  io: Io,
): Promise<Report | undefined> {
  const quiet = values.json === 'true';
  const line = (what: object) => {
    if (values.lines !== undefined)
      appendFileSync(values.lines, `${JSON.stringify({ scenario: scenario.name, seed, ...what })}\n`);
  };
  const world = values.virtual === 'true' ? 'virtual' : 'real';
  const homes = values.homes === undefined ? scenario.homes.usual : Number(values.homes);
  const light = values.light === undefined ? (scenario.light ?? 0) : Number(values.light);
  const run: RunOptions = {
    scenario,
    world,
    homes,
    light,
    seed,
    faults,
    gates,
    tell: (event) => {
      line(event);
      if (!quiet) io.error(shown(event));
    },
  };
  if (!quiet) io.error(`${scenario.name}: ${homes} homes, ${world} world, seed ${seed}`);
  line({ event: 'run', world, homes, light });
  try {
    const report = await runScenario(run);
    line({ event: 'report', ...report });
    if (!quiet) for (const text of summaryOf(report)) io.out(text);
    return report;
  } catch (error) {
    io.error(
      `hearthline sim: ${scenario.name} could not be set up: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}

function shown(event: RunEvent): string {
  const at = `${(event.at / 1000).toFixed(1).padStart(8)} s  `;
  if (event.event === 'step') return `${at}${event.name}`;
  if (event.event === 'note') return `${at}  ${event.text}`;
  return `${at}  fault ${event.fault} ${event.what}`;
}

function summaryOf(report: Report): string[] {
  const { scenario, state, steps, warnings, measures, ms, realMs, hash, replay } = report;
  const passed = steps.filter((step) => step.state === 'passed').length;
  const lines = [
    `${state === 'failed' ? 'FAILED' : 'ok'} ${scenario}: ${passed} of ${steps.length} steps, ${(ms / 1000).toFixed(1)} s in ${(realMs / 1000).toFixed(1)} s`,
  ];
  for (const [name, { count, p50, p90, p99, max }] of Object.entries(measures))
    lines.push(
      `  ${name.padEnd(12)} ${count} times: p50 ${p50.toFixed(0)} ms, p90 ${p90.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, most ${max.toFixed(0)} ms`,
    );
  for (const warning of warnings) lines.push(`  warning: ${warning}`);
  for (const { name, failure } of steps) if (failure !== undefined) lines.push(`  FAILED: ${name}: ${failure}`);
  if (hash !== undefined) lines.push(`  trace ${hash}`);
  if (state === 'failed') lines.push(`  replay: ${replay}`);
  return lines;
}
