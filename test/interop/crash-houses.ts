/** Houses that die side by side: each has its own cloud, gateways, phones and judge, so that what one waits for costs the others nothing. */
import type { Matrix } from './crash-cases.ts';
import { House, pause } from './crash-house.ts';
import { judge } from './crash-judge.ts';

/** As many as keep two cores busy. */
const HOUSES = 5;
/** Ports that a house has. */
const PORTS = 1_200;

export class Houses implements AsyncDisposable {
  readonly first: House;
  readonly #all: Promise<House[]>;

  private constructor(first: House, low: number) {
    this.first = first;
    const others = Array.from({ length: HOUSES - 1 }, (_, n) => House.open(low + PORTS * (n + 1)));
    this.#all = Promise.allSettled(others).then((opened) => [
      first,
      ...opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    ]);
  }

  /** The first stands when this resolves; the others are still being built. `low` is the first of their ports. */
  static async open(low: number): Promise<Houses> {
    const first = await House.open(low);
    // Its cloud to a clean end: what it compiled, the others find.
    await first.end(first.cloud);
    await first.startCloud();
    await first.reachable();
    return new Houses(first, low);
  }

  /** Dies at everything that the matrix has. */
  async die(matrix: Matrix): Promise<void> {
    const houses = await this.#all;
    if (houses.length < HOUSES) throw new Error(`only ${houses.length} of ${HOUSES} houses could be built`);
    await Promise.all(houses.map((house) => house.killCloud()));
    const ran = await Promise.allSettled(houses.map((house) => matrix.run(house)));
    for (const one of ran) if (one.status === 'rejected') throw one.reason;
  }

  /** What was acknowledged is there, ended once, recorded once per leg, and nothing is held: in every house. */
  async judge(): Promise<void> {
    const judged = async (house: House) => {
      await house.startCloud();
      await house.reachable();
      await pause(100);
      await judge(house);
    };
    await Promise.all((await this.#all).map(judged));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all((await this.#all).map((house) => house[Symbol.asyncDispose]()));
  }
}
