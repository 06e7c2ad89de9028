/** Deaths of the cloud, one at a time: at a numbered crash point of a flow, or at any instant of it. */
import { Seeded } from '#simulator/random.ts';
import { isLong } from '../peers.ts';
import { Died, type Flow, leftovers } from './crash-flows.ts';
import { eventually, type House, isDead, pause } from './crash-house.ts';

/** Milliseconds that a signal may take to reach the store's writer, and that a death may take to be seen. */
const SIGNAL = 50;
const SEEN = 500;

/** Runs a flow on a fresh cloud that is to die at the n-th crash point after its beginning; true if it died before the flow was through. */
async function diesAt(house: House, flow: Flow, point: number): Promise<boolean> {
  await house.startCloud(point);
  await house.reachable();
  await leftovers(house, point);
  const died = await diesIn(house, flow, async () => {
    house.cloud.child.kill('SIGUSR2');
    await pause(SIGNAL);
  });
  await house.killCloud();
  return died;
}

/** Runs a flow on a fresh cloud that is killed after so many ms. */
async function killedAfter(house: House, flow: Flow, ms: number): Promise<void> {
  await house.startCloud();
  await house.reachable();
  await leftovers(house, ms);
  const killing = pause(ms).then(() => house.killCloud());
  await diesIn(house, flow);
  await killing;
}

async function diesIn(house: House, flow: Flow, begun?: () => Promise<void>): Promise<boolean> {
  try {
    await flow(house, begun);
    await pause(SIGNAL);
    return isDead(house.cloud);
  } catch (error) {
    // Whatever else a flow complains of while its cloud dies is the death's doing, and may be heard before the death is.
    await eventually(() => isDead(house.cloud), 'the death', SEEN).catch(() => undefined);
    if (error instanceof Died || isDead(house.cloud)) return true;
    throw error;
  }
}

/** A death that is to be died: at this crash point of the flow, or at this instant (ms) of it. */
type Death =
  | { readonly name: string; readonly flow: Flow; readonly point: number }
  | { readonly name: string; readonly flow: Flow; readonly ms: number };

/** As many deaths at random instants (up to `within` ms) of random flows. */
export function instants(flows: Readonly<Record<string, Flow>>, count: number, within: number, seed: number): Death[] {
  const random = new Seeded(seed);
  const all = Object.entries(flows);
  return Array.from({ length: count }, (): Death[] => {
    const [name = '', flow] = all[random.below(all.length)] ?? [];
    return flow === undefined ? [] : [{ name, flow, ms: random.below(within) }];
  }).flat();
}

/** The long suite dies at every crash point; the usual one at each of the first ten, where a flow is begun, and at every third after. */
const EACH_OF_FIRST = 10;
const STRIDE = 3;

/** The crash point to die at after this one. */
export function pointAfter(point: number): number {
  return point < EACH_OF_FIRST || isLong ? point + 1 : point + STRIDE;
}

/** Crash points in a row that a flow has to outlive: how commits are grouped differs from run to run, and so does their number. */
const OUTLIVED = 2;

interface Progress {
  next: number;
  /** Points that houses are at. */
  busy: number;
  outlived: number;
  /** The last point at which the cloud died. */
  last: number;
}

/**
 * The crash points of all flows, found by dying at them (see `pointAfter`): each flow's are handed out one after another until it
 * outlives some in a row, so that a commit which is added is visited by itself. Houses take from it side by side, and at best from different flows.
 */
export class Matrix {
  readonly #flows: Readonly<Record<string, Flow>>;
  readonly #progress: Map<string, Progress>;
  readonly #instants: Death[];
  #failed = false;

  constructor(flows: Readonly<Record<string, Flow>>, instants: readonly Death[] = []) {
    this.#flows = flows;
    this.#instants = [...instants];
    const fresh = (): Progress => ({ next: 1, busy: 0, outlived: 0, last: 0 });
    this.#progress = new Map(Object.keys(flows).map((name) => [name, fresh()]));
  }

  /** The last crash point of each flow at which the cloud died. */
  get points(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#progress].map(([name, { last }]) => [name, last]));
  }

  /** Dies at whatever is left, on one house; rejects with the case that went wrong, and then no house begins another. */
  async run(house: House): Promise<void> {
    for (let death = this.#take(); death !== undefined; death = this.#take()) {
      const { name, flow } = death;
      const at = 'point' in death ? `at crash point ${death.point}` : `after ${death.ms} ms`;
      try {
        if ('ms' in death) await killedAfter(house, flow, death.ms);
        else this.#tried(name, death.point, await diesAt(house, flow, death.point));
      } catch (error) {
        this.#failed = true;
        throw new Error(`${name}, ${at}: ${String(error)}\n${house.said}`, { cause: error });
      }
    }
  }

  #take(): Death | undefined {
    if (this.#failed) return undefined;
    const open = [...this.#progress].filter(([, { outlived }]) => outlived < OUTLIVED);
    const [name, progress] = open.toSorted(([, a], [, b]) => a.busy - b.busy || a.next - b.next)[0] ?? [];
    const flow = name === undefined ? undefined : this.#flows[name];
    if (name === undefined || progress === undefined || flow === undefined) return this.#instants.shift();
    progress.busy++;
    const point = progress.next;
    progress.next = pointAfter(point);
    return { name, flow, point };
  }

  #tried(name: string, point: number, died: boolean): void {
    const progress = this.#progress.get(name);
    if (progress === undefined) return;
    progress.busy--;
    if (!died) progress.outlived++;
    else if (point > progress.last) {
      progress.last = point;
      progress.outlived = 0;
    }
  }
}
