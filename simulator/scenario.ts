/** The form of a scenario: what it is about, on which worlds it runs, and its steps, each of which does something and expects something. */
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { StageHome } from './home.ts';
import type { Fleet } from './light.ts';
import type { Phone, PhoneCall } from './phone.ts';
import type { AnyStage } from './stage.ts';
import type { VirtualWorld } from './world.ts';

export const worldNames = ['virtual', 'real'] as const;
export type WorldName = (typeof worldNames)[number];

/** Durations that are gathered, in ms of the scenario's own world. */
export const measureNames = ['pairing', 'call-setup', 'delivery', 'reconnect', 'connect'] as const;
export type MeasureName = (typeof measureNames)[number];

export interface Step {
  readonly name: string;
  /** Throws what a person should read where an expectation is not met. */
  run(): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** One sentence. */
  readonly about: string;
  readonly worlds: readonly WorldName[];
  /** Homes unless asked for otherwise, and how many it cannot do without. */
  readonly homes: { readonly usual: number; readonly least: number };
  /** Light gateways unless asked for otherwise; default none. */
  readonly light?: number;
  /** Its steps, in order; the first that fails ends the run. */
  steps(run: Run): readonly Step[];
}

/** What the steps of one run share. */
export class Run {
  readonly stage: AnyStage;
  /** How many homes the run was asked for. */
  readonly homeCount: number;
  /** Present on the virtual world. */
  readonly virtual: VirtualWorld | undefined;
  readonly samples = new Map<MeasureName, number[]>();
  /** Light gateways beside the homes. */
  readonly fleet: Fleet | undefined;
  /** Phones by their home. */
  readonly phones = new Map<StageHome, Phone[]>();
  readonly #note: (text: string) => void;
  readonly #ends: (() => void)[] = [];

  constructor(
    stage: AnyStage,
    homeCount: number,
    virtual: VirtualWorld | undefined,
    fleet: ((run: Run) => Fleet) | undefined,
    note: (text: string) => void,
  ) {
    this.stage = stage;
    this.homeCount = homeCount;
    this.virtual = virtual;
    this.#note = note;
    this.fleet = fleet?.(this);
    stage.onMeasure = (name, ms) => this.measure(name, ms);
  }

  get homes(): readonly StageHome[] {
    return this.stage.homes;
  }

  /** Milliseconds since some moment. */
  get now(): number {
    return this.stage.ground.clock.mono();
  }

  home(index: number): StageHome {
    const home = this.homes[index];
    if (home === undefined) throw new Error(`there is no home ${index + 1}`);
    return home;
  }

  phone(home: StageHome, index = 0): Phone {
    const phone = this.phones.get(home)?.[index];
    if (phone === undefined) throw new Error(`${home.name} has no phone ${index + 1}`);
    return phone;
  }

  number(home: StageHome, index = 0): string {
    return home.lines[index]?.number ?? '';
  }

  measure(name: MeasureName, ms: number): void {
    const samples = this.samples.get(name);
    if (samples === undefined) this.samples.set(name, [ms]);
    else samples.push(ms);
  }

  /** Measures how long a task takes. */
  async timed<T>(name: MeasureName, task: () => Promise<T>): Promise<T> {
    const since = this.now;
    const result = await task();
    this.measure(name, this.now - since);
    return result;
  }

  pass(ms: number): Promise<void> {
    return this.stage.ground.pass(ms);
  }

  /** Waits for something; `what` completes “expected …”. */
  until(condition: () => boolean | Promise<boolean>, limit: number, what: string): Promise<void> {
    return this.stage.ground.until(condition, limit, `expected ${what}`);
  }

  /** Throws unless it holds. */
  expect(holds: boolean, what: string): void {
    if (!holds) throw new Error(`expected ${what}`);
  }

  api<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    return this.stage.api(verb, request);
  }

  /** Runs at the end, whatever has happened. */
  onEnd(task: () => void): void {
    this.#ends.push(task);
  }

  end(): void {
    for (const task of this.#ends.splice(0)) task();
    this.fleet?.stop();
  }

  /** A line for the reader. */
  note(text: string): void {
    this.#note(text);
  }

  /** Does something for every item, so many at a time; the order of the results is that of the items. */
  async each<T, R>(items: readonly T[], atOnce: number, task: (item: T, index: number) => Promise<R>): Promise<R[]> {
    const results: R[] = new Array(items.length);
    let next = 0;
    const worker = async () => {
      for (let i = next++; i < items.length; i = next++) results[i] = await task(items[i] as T, i);
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
    return results;
  }
}

/** The newest call of a phone. */
export function lastCall(phone: Phone): PhoneCall {
  const call = phone.calls.at(-1);
  if (call === undefined) throw new Error('the phone has had no call');
  return call;
}
