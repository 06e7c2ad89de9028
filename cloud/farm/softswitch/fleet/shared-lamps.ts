/**
 * Busy lamps over several softswitch processes: whoever has a subscription for a line asks the others for its calls, and hears of them
 * whenever they change. Lines that nobody watches cost nothing.
 */
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { DialogView } from '#shared/sip/dialog-info.ts';
import type { Word } from './words.ts';

export interface SharedLampsOptions {
  readonly fleet: Fleet;
  /** The calls of a line that this process has. */
  readonly own: (line: string) => readonly DialogView[];
  /** The calls of a line at another process changed. */
  readonly changed: (line: string) => void;
}

export class SharedLamps {
  readonly #o: SharedLampsOptions;
  /** Lines that somebody here watches. */
  readonly #watched = new Set<string>();
  /** Who wants to know of a line. */
  readonly #asking = new Map<string, Set<string>>();
  /** What the others said, by line and owner. */
  readonly #heard = new Map<string, Map<string, readonly DialogView[]>>();
  #known: readonly string[];

  constructor(options: SharedLampsOptions) {
    this.#o = options;
    this.#known = options.fleet.alive();
    options.fleet.onChange(() => this.#changed());
  }

  /** The calls of a line at the other processes. */
  elsewhere(line: string): DialogView[] {
    return [...(this.#heard.get(line)?.values() ?? [])].flat();
  }

  /** Somebody here watches this line now. */
  watch(line: string): void {
    if (this.#watched.has(line)) return;
    this.#watched.add(line);
    this.#sayAll({ do: 'watch', lines: [line], on: true });
  }

  /** Lines that nobody here watches any more. */
  keepOnly(watched: (line: string) => boolean): void {
    const gone = [...this.#watched].filter((line) => !watched(line));
    if (gone.length === 0) return;
    for (const line of gone) {
      this.#watched.delete(line);
      this.#heard.delete(line);
    }
    this.#sayAll({ do: 'watch', lines: gone, on: false });
  }

  /** A call of this line changed here. */
  tell(line: string): void {
    const asking = this.#asking.get(line);
    if (asking === undefined) return;
    const views = this.#o.own(line);
    for (const owner of asking) this.#o.fleet.send(owner, { do: 'lamps', line, views });
  }

  hear(from: string, word: Extract<Word, { do: 'watch' | 'lamps' }>): void {
    if (word.do === 'lamps') {
      if (!this.#watched.has(word.line)) return;
      const of = this.#heard.get(word.line) ?? new Map<string, readonly DialogView[]>();
      this.#heard.set(word.line, of.set(from, word.views));
      this.#o.changed(word.line);
      return;
    }
    for (const line of word.lines) {
      const asking = this.#asking.get(line) ?? new Set<string>();
      if (word.on) this.#asking.set(line, asking.add(from));
      else if (asking.delete(from) && asking.size === 0) this.#asking.delete(line);
      const views = word.on ? this.#o.own(line) : [];
      if (views.length > 0) this.#o.fleet.send(from, { do: 'lamps', line, views });
    }
  }

  #sayAll(word: Word): void {
    const { fleet } = this.#o;
    for (const owner of fleet.alive()) if (owner !== fleet.owner) fleet.send(owner, word);
  }

  /** Who is gone shows nothing and asks for nothing; who is new is asked. */
  #changed(): void {
    const { fleet, changed } = this.#o;
    const alive = fleet.alive();
    for (const owner of this.#known) {
      if (alive.includes(owner)) continue;
      for (const [line, asking] of this.#asking)
        if (asking.delete(owner) && asking.size === 0) this.#asking.delete(line);
      for (const [line, of] of this.#heard) if (of.delete(owner)) changed(line);
    }
    const lines = [...this.#watched];
    for (const owner of alive) {
      if (owner === fleet.owner || this.#known.includes(owner) || lines.length === 0) continue;
      fleet.send(owner, { do: 'watch', lines, on: true });
    }
    this.#known = alive;
  }
}
