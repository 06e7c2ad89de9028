/** The places of the softswitch processes: each has a child, which is started again whenever it ends, ever later where it ends soon. */
import type { World } from '#shared/kernel/world.ts';

/** Milliseconds until a process is started again, the first time and at the most. */
const AGAIN = { first: 200, most: 5_000 } as const;
/** Milliseconds that a process lasted after which its next end counts as a first one. */
const STEADY = 30_000;
/** Milliseconds that a process of an earlier main process has to come back. */
const RETURN_WITHIN = 3_000;

/** A process that was started. */
export interface Child {
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Calls back once it has ended, or could not be started (`error`). */
  onEnd(ended: (why: { readonly code?: number; readonly signal?: string; readonly error?: string }) => void): void;
}

interface Place {
  child: Child | undefined;
  again: number;
  startedAt: number;
}

export interface PlacesOptions {
  readonly world: Pick<World, 'clock' | 'log'>;
  readonly start: (index: number) => Child;
  /** True while the process that was started last at this place, by whomever, lives. */
  readonly lives: (index: number) => boolean;
  /** A process has this place, ours or one of an earlier main process. */
  readonly taken: (index: number) => boolean;
  /** Runs it so many milliseconds later, unless everything stops before. */
  readonly later: (ms: number, run: () => void) => void;
}

export class Places {
  readonly #o: PlacesOptions;
  readonly #places = new Map<number, Place>();
  #stopped = false;

  constructor(options: PlacesOptions) {
    this.#o = options;
  }

  child(index: number): Child | undefined {
    return this.#places.get(index)?.child;
  }

  /** No child is started any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Starts the process of a place, unless the one that an earlier main process had there comes back. */
  begin(index: number): void {
    const { world, start, lives, taken, later } = this.#o;
    const place = this.#places.get(index) ?? { child: undefined, again: AGAIN.first, startedAt: 0 };
    this.#places.set(index, place);
    if (this.#stopped || place.child !== undefined || taken(index)) return;
    const isFirst = place.startedAt === 0;
    place.startedAt = world.clock.mono();
    if (isFirst && lives(index)) {
      later(RETURN_WITHIN, () => this.begin(index));
      return;
    }
    const child = start(index);
    place.child = child;
    child.onEnd((why) => {
      place.child = undefined;
      if (this.#stopped) return;
      if (why.error !== undefined) world.log.error('softswitch.not-started', { error: why.error });
      else world.log.warn('softswitch.process-ended', { index, ...why });
      this.again(index);
    });
  }

  /** The process of a place has ended. */
  again(index: number): void {
    const place = this.#places.get(index);
    if (place === undefined || this.#stopped) return;
    const { clock } = this.#o.world;
    if (clock.mono() - place.startedAt > STEADY) place.again = AGAIN.first;
    this.#o.later(place.again, () => this.begin(index));
    place.again = Math.min(AGAIN.most, place.again * 2);
  }
}
