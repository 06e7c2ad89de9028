/** What only time tells: jumps of the wall clock, starts of the program that did not end as asked, messages dropped. */
import { utf8 } from '#shared/kernel/bytes.ts';
import { every } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';

const LOOK_EVERY = 60_000;
/** A slower clock is no jump: NTP slews by half a millisecond a second (adjtimex(2)). */
const JUMP = 500;
const HOUR = 3_600_000;
const RECENT = 600_000;
const STARTS_KEPT = 20;

export class Watch {
  readonly #world: World;
  readonly #path: string;
  #offset: number;
  #jumps: { readonly at: number; readonly by: number }[] = [];
  #starts: number[] = [];
  /** Counts of dropped messages with the time at which they were seen. */
  #dropped: { readonly at: number; readonly count: number }[] = [];
  #stop: () => void = () => {};

  constructor(world: World, path: string) {
    this.#world = world;
    this.#path = path;
    this.#offset = world.clock.wall() - world.clock.mono();
  }

  /** Notes this start on the disk and begins to look. A disk that fails costs the note and nothing else. */
  async start(): Promise<void> {
    const { clock, disk } = this.#world;
    this.#stop = every(clock, LOOK_EVERY, () => this.#look());
    try {
      this.#starts = [...readStarts(await disk.read(this.#path)), Math.floor(clock.wall())].slice(-STARTS_KEPT);
      await this.#note(this.#starts);
    } catch {
      // `storage.write` tells of it.
    }
  }

  /** Ends as it was asked to: this start is none that would be wondered at. */
  async stop(): Promise<void> {
    this.#stop();
    try {
      await this.#note(readStarts(await this.#world.disk.read(this.#path)).slice(0, -1));
    } catch {
      // Then this start counts as one that crashed.
    }
  }

  #note(starts: readonly number[]): Promise<void> {
    return this.#world.disk.write(this.#path, utf8(JSON.stringify(starts)));
  }

  /** The largest jump in the last hour, ms. */
  jump(): number {
    this.#look();
    return this.#jumps.reduce((most, { by }) => (Math.abs(by) > Math.abs(most) ? by : most), 0);
  }

  /** This start and those of the last ten minutes that ended by a crash, a kill or a power cut. */
  starts(): number {
    const wall = this.#world.clock.wall();
    return Math.max(1, this.#starts.filter((at) => wall - at < RECENT && at <= wall).length);
  }

  /** How many of `count` messages were dropped in the last ten minutes. */
  dropped(count: number): number {
    const now = this.#world.clock.mono();
    this.#dropped = this.#dropped.filter(({ at }) => now - at < RECENT).slice(-60);
    const first = this.#dropped[0]?.count ?? 0;
    this.#dropped.push({ at: now, count });
    return count - first;
  }

  #look(): void {
    const { clock } = this.#world;
    const now = clock.mono();
    const offset = clock.wall() - now;
    const by = offset - this.#offset;
    this.#offset = offset;
    if (Math.abs(by) > JUMP) this.#jumps.push({ at: now, by: Math.round(by) });
    this.#jumps = this.#jumps.filter(({ at }) => now - at < HOUR).slice(-20);
  }
}

function readStarts(file: Uint8Array | undefined): number[] {
  try {
    const value: unknown = file === undefined ? [] : JSON.parse(new TextDecoder().decode(file));
    return Array.isArray(value) ? value.filter((one) => typeof one === 'number') : [];
  } catch {
    return [];
  }
}
