/** Runs one scenario on one world: faults by the clock, steps in their order, gates at the end. Never throws for what a scenario finds. */
import type { Clock } from '#shared/kernel/world.ts';
import { type FaultKind, faultKinds, type PlannedFault } from './faults.ts';
import type { Prepare } from './ground.ts';
import type { StageHome } from './home.ts';
import { Fleet, provision } from './light.ts';
import type { LightIdentity } from './light-gateway.ts';
import { type Gate, judge, type Summary, summary } from './percentiles.ts';
import { processGround } from './process-stage.ts';
import { Seeded, streamOf } from './random.ts';
import { type MeasureName, Run, type Scenario, type Step, type WorldName } from './scenario.ts';
import { type AnyStage, Stage } from './stage.ts';
import { drivenGround } from './virtual-stage.ts';
import type { VirtualWorld } from './world.ts';

export interface RunOptions {
  readonly scenario: Scenario;
  readonly world: WorldName;
  readonly homes: number;
  readonly light: number;
  readonly seed: number;
  readonly faults: readonly PlannedFault[];
  readonly gates: readonly Gate[];
  /** Everything that happens, as it happens. */
  readonly tell: (event: RunEvent) => void;
}

export type RunEvent =
  | { readonly event: 'step'; readonly name: string; readonly at: number }
  | { readonly event: 'note'; readonly text: string; readonly at: number }
  | { readonly event: 'fault'; readonly fault: string; readonly what: 'begins' | 'ends'; readonly at: number };

export interface StepOutcome {
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Milliseconds in the scenario's own world. */
  readonly ms: number;
  readonly failure?: string;
}

export interface Report {
  readonly scenario: string;
  readonly world: WorldName;
  readonly homes: number;
  readonly light: number;
  readonly seed: number;
  readonly state: 'passed' | 'warned' | 'failed';
  readonly steps: readonly StepOutcome[];
  readonly warnings: readonly string[];
  readonly measures: Readonly<Record<string, Summary>>;
  /** Milliseconds: of the scenario's own world, and of the person's. */
  readonly ms: number;
  readonly realMs: number;
  /** SHA-256 over every packet and journal row; of the virtual world alone. */
  readonly hash?: string;
  /** The command that does the same again. */
  readonly replay: string;
}

/** More virtual time than any scenario takes, ms. */
const FOR_EVER = 30 * 86_400_000;
/** Milliseconds of real time, which the virtual world does not bend. */
const realTime = () => Number(process.hrtime.bigint()) / 1e6;

/** The command of a run. */
export function replayOf(
  options: Pick<RunOptions, 'scenario' | 'world' | 'homes' | 'light' | 'seed' | 'faults'>,
): string {
  const { scenario, world, homes, light, seed, faults } = options;
  return [
    `hearthline sim run ${scenario.name} --seed ${seed}`,
    ...(world === 'virtual' ? ['--virtual'] : []),
    `--homes ${homes}`,
    ...(light > 0 ? [`--light ${light}`] : []),
    ...(faults.length > 0 ? [`--faults ${faults.map(({ text }) => text).join(',')}`] : []),
  ].join(' ');
}

/** Runs a scenario from an empty cloud to an empty machine. Rejects where the stage itself could not be set up. */
export async function runScenario(options: RunOptions): Promise<Report> {
  const began = realTime();
  const logged: string[] = [];
  const log = (line: string) => void logged.push(line);
  const provisioned: Provisioned = { identities: [], ca: '' };
  const prepare: Prepare | undefined =
    options.light === 0
      ? undefined
      : async (world, store, authority) => {
          provisioned.ca = authority.certificate;
          provisioned.identities = await provision(world, store, authority, options.light);
        };
  if (options.world === 'virtual') {
    const { ground, world } = drivenGround({ seed: options.seed, log, level: 'error' }, prepare);
    const whole = Stage.open(ground).then((stage) => onStage(stage, { ...options, fleet: provisioned }, world, logged));
    const report = await world.settle(whole, FOR_EVER);
    return { ...report, realMs: realTime() - began };
  }
  const ground = processGround({ log, ...(prepare && { prepare }) });
  try {
    const stage = await Stage.open(ground);
    return {
      ...(await onStage(stage, { ...options, fleet: provisioned }, undefined, logged)),
      realMs: realTime() - began,
    };
  } finally {
    await ground.close();
  }
}

/** The fleet's certificates, once they are made. */
interface Provisioned {
  identities: readonly LightIdentity[];
  ca: string;
}

async function onStage(
  stage: AnyStage,
  options: RunOptions & { readonly fleet: Provisioned },
  virtual: VirtualWorld | undefined,
  logged: readonly string[],
): Promise<Report> {
  const { scenario, homes, seed, world, gates } = options;
  const { clock } = stage.ground;
  const start = clock.mono();
  const since = () => clock.mono() - start;
  const fleet = options.light === 0 ? undefined : (run: Run) => newFleet(run, options.fleet);
  const run = new Run(stage, homes, virtual, fleet, (text) => options.tell({ event: 'note', text, at: since() }));
  const faults = new FaultPlan(stage, options, since);
  const steps: StepOutcome[] = [];
  for (const step of [...fleetUp(run), ...scenario.steps(run), ...fleetStill(run)]) {
    if (steps.at(-1)?.state === 'failed' || steps.at(-1)?.state === 'skipped') {
      steps.push({ name: step.name, state: 'skipped', ms: 0 });
      continue;
    }
    options.tell({ event: 'step', name: step.name, at: since() });
    const from = clock.mono();
    const failure = await step.run().then(() => undefined, reason);
    const ms = clock.mono() - from;
    steps.push({
      name: step.name,
      ms,
      ...(failure === undefined ? { state: 'passed' } : { state: 'failed', failure }),
    });
  }
  const ms = since();
  const warnings = await faults.end();
  run.end();
  const hash = virtual?.hash();
  const ended = await stage[Symbol.asyncDispose]().then(() => undefined, reason);
  if (ended !== undefined) steps.push({ name: 'everything stops cleanly', state: 'failed', ms: 0, failure: ended });
  const judged = judge(gates, run.samples);
  for (const failure of judged.failures) steps.push({ name: 'gates', state: 'failed', ms: 0, failure });
  warnings.push(...judged.warnings, ...errorsOf(logged));
  const failed = steps.some(({ state }) => state === 'failed');
  return {
    scenario: scenario.name,
    world,
    homes,
    light: options.light,
    seed,
    state: failed ? 'failed' : warnings.length > 0 ? 'warned' : 'passed',
    steps,
    warnings,
    measures: Object.fromEntries(
      [...run.samples].map(([name, samples]: [MeasureName, number[]]) => [name, summary(samples)]),
    ),
    ms,
    realMs: 0,
    ...(hash === undefined ? {} : { hash }),
    replay: replayOf(options),
  };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function newFleet(run: Run, { identities, ca }: Provisioned): Fleet {
  const { stage } = run;
  const { world } = stage.ground.host('fleet');
  const cloud = () => stage.ground.mqtt(stage.cloud);
  return new Fleet({ world, identities, ca, cloud, connected: (ms) => run.measure('connect', ms) });
}

/** A fleet is up before the scenario begins … */
function fleetUp(run: Run): Step[] {
  const { fleet } = run;
  if (fleet === undefined) return [];
  const connect = async () => {
    const since = run.now;
    await fleet.start();
    await run.until(() => fleet.ready === fleet.size, 120_000, `${fleet.size} light gateways to be up`);
    const ms = run.now - since;
    run.note(
      `${fleet.size} light gateways up in ${(ms / 1000).toFixed(1)} s, ${((fleet.size * 1000) / ms).toFixed(0)} per second`,
    );
  };
  return [{ name: `${fleet.size} light gateways connect`, run: connect }];
}

/** … and is still up when it ends. */
function fleetStill(run: Run): Step[] {
  const { fleet } = run;
  if (fleet === undefined) return [];
  const look = () => run.until(() => fleet.ready === fleet.size, 90_000, `all ${fleet.size} light gateways to be up`);
  return [{ name: 'every light gateway is still there', run: look }];
}

/** What was logged as an error, each once. */
function errorsOf(logged: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of logged) {
    const event = /"event":"([^"]+)"/.exec(line)?.[1] ?? line.slice(0, 120);
    counts.set(event, (counts.get(event) ?? 0) + 1);
  }
  return [...counts].map(([event, n]) => `logged as an error: ${event}${n > 1 ? ` (${n} times)` : ''}`);
}

/** The faults of a run: each begins and ends by the clock, whatever the steps do meanwhile. */
class FaultPlan {
  readonly #stage: AnyStage;
  readonly #options: RunOptions;
  readonly #since: () => number;
  readonly #clock: Clock;
  readonly #running = new Set<Promise<void>>();
  readonly #warnings: string[] = [];
  #over = false;

  constructor(stage: AnyStage, options: RunOptions, since: () => number) {
    this.#stage = stage;
    this.#options = options;
    this.#since = since;
    this.#clock = stage.ground.clock;
    for (const fault of options.faults) {
      const one = this.#play(fault).catch((error) => void this.#warnings.push(`${fault.text}: ${reason(error)}`));
      this.#running.add(one);
      void one.then(() => this.#running.delete(one));
    }
  }

  /** Waits for the faults that have begun, so that everything is whole again; those that never began are named. */
  async end(): Promise<string[]> {
    this.#over = true;
    while (this.#running.size > 0) await this.#stage.ground.settle(Promise.race(this.#running));
    return this.#warnings;
  }

  async #play(fault: PlannedFault): Promise<void> {
    const stage = this.#stage;
    await this.#wait(fault.at);
    const kind: FaultKind = faultKinds[fault.kind];
    const homes = kind.target === 'cloud' ? [] : await this.#struck(fault.home);
    if (this.#over || (kind.target === 'home' && homes.length === 0)) {
      const why = fault.home === undefined ? 'the run was over' : 'the run ended without such a home';
      this.#warnings.push(`${fault.text} struck nobody: ${why}`);
      return;
    }
    this.#tell(fault, 'begins');
    const random = new Seeded(this.#options.seed, streamOf(fault.text));
    const ends =
      kind.target === 'cloud'
        ? [await kind.begin({ stage, random }, fault.value)]
        : await Promise.all(homes.map((home) => kind.begin({ stage, home, random }, fault.value)));
    await this.#wait(fault.lasts);
    for (const end of ends) await end();
    this.#tell(fault, 'ends');
  }

  /** The homes that a fault strikes; one that is not there yet is waited for. */
  async #struck(number: number | undefined): Promise<readonly StageHome[]> {
    const { started } = this.#stage;
    const needed = number ?? this.#options.homes;
    while (started.length < needed && !this.#over) await this.#wait(100);
    return number === undefined ? started : started.slice(number - 1, number);
  }

  /** Waits so long, or until the run is over. */
  async #wait(ms: number): Promise<void> {
    for (const end = this.#clock.mono() + ms; this.#clock.mono() < end && !this.#over; )
      await this.#stage.ground.pass(Math.min(100, end - this.#clock.mono()));
  }

  #tell(fault: PlannedFault, what: 'begins' | 'ends'): void {
    this.#options.tell({ event: 'fault', fault: fault.text, what, at: this.#since() });
  }
}
