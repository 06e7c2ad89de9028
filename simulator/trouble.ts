/**
 * What can be wrong around one gateway: the way to the cloud (cut, slow, lossy, half-open, an impostor at its end), the clock, the
 * disk. It works on the virtual and on the real world alike, since it only stands between a program and what the program was handed
 * (`troubled.ts`).
 */
import type { Address } from '#shared/kernel/world.ts';

/** The weather on the way between a gateway and the cloud. All zero and false: fair. */
export interface Weather {
  /** Nothing passes; what was sent into a stream waits. */
  readonly cut: boolean;
  /** Extra one-way delay, ms. */
  readonly delay: number;
  /** Probability that a packet is lost; a stream pays 200 ms for each. */
  readonly loss: number;
  /** Probability that a datagram comes twice. */
  readonly duplicate: number;
  /** Probability that a datagram is overtaken by those behind it. */
  readonly reorder: number;
  /** The gateway reads nothing from its streams. */
  readonly deaf: boolean;
  /** Who answers in the cloud's place when a stream is opened. */
  readonly impostor: Address | undefined;
}

const FAIR: Weather = {
  cut: false,
  delay: 0,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  deaf: false,
  impostor: undefined,
};

/** What happens to a stream: it goes silent without an end, or ends. */
type Strand = (how: 'silent' | 'broken') => void;

/** The conditions of one gateway; they outlive its reboots. */
export class Trouble {
  weather: Weather = FAIR;
  /** Milliseconds that its wall clock is ahead. */
  ahead = 0;
  /** Where the weather is, of the ways to the cloud that are opened from now on; absent: on all. */
  only: ((to: Address) => boolean) | undefined;
  /** Its disk takes nothing more. */
  diskFull = false;
  /** Milliseconds after which its disk says that a file is written. */
  diskSlow = 0;
  /** Power fails in its next write, of which this share (0 to 1) arrives; called when that has happened. */
  tear: { readonly share: number; readonly torn: () => void } | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #streams = new Set<Strand>();

  /** Changes the weather; streams and waiting packets follow at once. */
  set(change: Partial<Weather>): void {
    this.weather = { ...this.weather, ...change };
    for (const listener of [...this.#listeners]) listener();
  }

  /** Every stream to the cloud that is open now goes on in silence for ever: each end believes in it. */
  halfOpen(): void {
    for (const strand of [...this.#streams]) strand('silent');
  }

  /** Every stream to the cloud that is open now breaks. */
  reset(): void {
    for (const strand of [...this.#streams]) strand('broken');
  }

  /** Called after every change of the weather, until the result is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A stream to the cloud, by what makes it half-open or breaks it; the result forgets it. */
  onStream(strand: Strand): () => void {
    this.#streams.add(strand);
    return () => this.#streams.delete(strand);
  }
}
