/** The places of the softswitch processes: each has a child, which is started again whenever it ends, ever later where it ends soon. */
import type { ChildProcess } from 'node:child_process';
import type { World } from '#shared/kernel/world.ts';
import { childLives, startChild } from './adapter-child.ts';

/** Milliseconds until a process is started again, the first time and at the most. */
const AGAIN = { first: 200, most: 5_000 } as const;
/** Milliseconds that a process lasted after which its next end counts as a first one. */
const STEADY = 30_000;
/** Milliseconds that a process of an earlier main process has to come back. */
const RETURN_WITHIN = 3_000;

interface Place {
  child: ChildProcess | undefined;
  again: number;
  startedAt: number;
}

export interface PlacesOptions {
  readonly world: Pick<World, 'clock' | 'log'>;
  readonly socket: string;
  readonly level: string;
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

  child(index: number): ChildProcess | undefined {
    return this.#places.get(index)?.child;
  }

  /** No child is started any more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Starts the process of a place, unless the one that an earlier main process had there comes back. */
  begin(index: number): void {
    const { world, socket, level, taken, later } = this.#o;
    const place = this.#places.get(index) ?? { child: undefined, again: AGAIN.first, startedAt: 0 };
    this.#places.set(index, place);
    if (this.#stopped || place.child !== undefined || taken(index)) return;
    const isFirst = place.startedAt === 0;
    place.startedAt = world.clock.mono();
    if (isFirst && childLives({ socket, index })) {
      later(RETURN_WITHIN, () => this.begin(index));
      return;
    }
    const child = startChild({ socket, index, level });
    place.child = child;
    child.on('error', (error) => world.log.error('softswitch.not-started', { error: error.message }));
    child.on('exit', (code, signal) => {
      place.child = undefined;
      if (this.#stopped) return;
      const why = { code: code ?? undefined, signal: signal ?? undefined };
      world.log.warn('softswitch.process-ended', { index, ...why });
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
