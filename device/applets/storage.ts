/** An applet's own data and timers: one file on the gateway's disk, written whole. */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { Disk } from '#shared/kernel/world.ts';

export interface StoredTimer {
  readonly name: string;
  /** Wall clock, ms. */
  readonly at: number;
  readonly every?: number;
  readonly data?: unknown;
}

interface Content {
  values: [string, unknown][];
  timers: StoredTimer[];
}

export class AppletStorage {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #values: Map<string, unknown>;
  readonly #timers: Map<string, StoredTimer>;
  #writing: Promise<void> = Promise.resolve();
  #removed = false;

  private constructor(disk: Disk, path: string, content: Content) {
    this.#disk = disk;
    this.#path = path;
    this.#values = new Map(content.values);
    this.#timers = new Map(content.timers.map((timer) => [timer.name, timer]));
  }

  /** A file that cannot be read is as good as none. */
  static async open(disk: Disk, path: string): Promise<AppletStorage> {
    const octets = await disk.read(path);
    let content: Content = { values: [], timers: [] };
    if (octets !== undefined) {
      try {
        const read = JSON.parse(new TextDecoder().decode(octets)) as Partial<Content>;
        content = { values: read.values ?? [], timers: read.timers ?? [] };
      } catch {
        // Falls through with nothing.
      }
    }
    return new AppletStorage(disk, path, content);
  }

  get(name: string): unknown {
    return this.#values.get(name) ?? null;
  }

  names(): string[] {
    return [...this.#values.keys()].sort();
  }

  timers(): StoredTimer[] {
    return [...this.#timers.values()];
  }

  /** Keeps a value; false where everything together would be larger than `limit` characters. */
  async set(name: string, value: unknown, limit: number): Promise<boolean> {
    const before = this.#values.get(name);
    const had = this.#values.has(name);
    this.#values.set(name, value);
    if (this.#text().length > limit) {
      if (had) this.#values.set(name, before);
      else this.#values.delete(name);
      return false;
    }
    await this.#write();
    return true;
  }

  async remove(name: string): Promise<void> {
    if (this.#values.delete(name)) await this.#write();
  }

  async setTimer(timer: StoredTimer): Promise<void> {
    this.#timers.set(timer.name, timer);
    await this.#write();
  }

  async removeTimer(name: string): Promise<void> {
    if (this.#timers.delete(name)) await this.#write();
  }

  /** Takes the file away; nothing is written any more. */
  async erase(): Promise<void> {
    this.#removed = true;
    await this.#writing;
    await this.#disk.remove(this.#path);
  }

  #text(): string {
    return JSON.stringify({ values: [...this.#values], timers: [...this.#timers.values()] });
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() =>
      this.#removed ? undefined : this.#disk.write(this.#path, utf8(this.#text())),
    );
    return this.#writing;
  }
}
