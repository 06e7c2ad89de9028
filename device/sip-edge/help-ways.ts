/** The ways out of the house for a call for help: opened at the same time, tried one after the other. */
import type { Target } from '#shared/call/call.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Ring, WayOfHelp } from './edge-call.ts';
import { TRY_FOR_HELP } from './emergency.ts';

/** Milliseconds after its beginning for which a call waits for a better way that is still being opened, where another stands open. */
const HEAD_START = 400;

type Branch = Target<Ring>['branches'][number];

/** A way; `branch` once it is open. */
interface Way {
  readonly opened: Promise<unknown>;
  branch?: Branch;
}

export interface Ways {
  /** The flow to the softswitch, where it stands. */
  readonly cloud: Flow | undefined;
  /** These two may still have to be opened; undefined where they cannot be. */
  readonly fallback: Promise<Flow | undefined>;
  readonly modem: Promise<Flow | undefined>;
}

/** Ways of one call, the best first. One that cannot be opened delays those after it by `HEAD_START` at most, and those before it not at all. */
export class WaysOfHelp {
  readonly #clock: Clock;
  readonly #begun: number;
  /** Not tried yet. */
  #left: Way[];

  constructor(clock: Clock, dialled: string, { cloud, fallback, modem }: Ways) {
    this.#clock = clock;
    this.#begun = clock.mono();
    this.#left = [];
    if (cloud !== undefined) {
      const to = { kind: 'softswitch' as const, dialled, flow: cloud };
      this.#left.push({ opened: Promise.resolve(), branch: { branch: 'cloud', to } });
    }
    this.#open('fallback', fallback);
    this.#open('modem', modem);
  }

  /** The next way to ring, open; undefined when there is none left. */
  async next(): Promise<WayOfHelp | undefined> {
    for (;;) {
      const [first] = this.#left;
      if (first === undefined) return undefined;
      const open = this.#left.find(({ branch }) => branch !== undefined);
      const wait = this.#begun + HEAD_START - this.#clock.mono();
      if (open?.branch !== undefined && (open === first || wait <= 0)) return this.#take(open.branch);
      const opened = this.#left.filter(({ branch }) => branch === undefined).map((way) => way.opened);
      await (open === undefined ? Promise.race(opened) : this.#upTo(wait, opened));
    }
  }

  #open(kind: 'fallback' | 'modem', flow: Promise<Flow | undefined>): void {
    const way: Way = {
      opened: flow.then((found) => {
        if (found === undefined) this.#left = this.#left.filter((one) => one !== way);
        else if (kind === 'modem') way.branch = { branch: kind, to: { kind, flow: found } };
        else way.branch = { branch: kind, to: { kind, flow: found }, bare: { kind, flow: found, unlocated: true } };
      }),
    };
    this.#left.push(way);
  }

  #take(branch: Branch): WayOfHelp {
    this.#left = this.#left.filter((way) => way.branch !== branch);
    return { branches: [branch], oneByOne: { tryFor: TRY_FOR_HELP } };
  }

  /** Whichever comes first: one of them, or so many milliseconds. */
  #upTo(ms: number, opened: readonly Promise<unknown>[]): Promise<unknown> {
    return new Promise((resolve) => {
      const late = this.#clock.at(this.#clock.mono() + ms, () => resolve(undefined));
      void Promise.race(opened).then(() => {
        late.cancel();
        resolve(undefined);
      });
    });
  }
}

/** Whether a call took a way out that the cloud hears nothing of. */
export const isAlone = (to: Ring | undefined): boolean => to?.kind === 'fallback' || to?.kind === 'modem';
