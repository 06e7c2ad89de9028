/**
 * Registrations of direct phones over UDP in the store, so that a restarted softswitch can ring them at once. Those that came over a
 * connection are not kept: it breaks with the process, and whoever had it registers again.
 */
import { type Store, sql } from '#cloud/store/store.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import { type Binding, bindingOf, isSamePath, type PlainBinding, plainBinding } from '#shared/sip/registrar.ts';
import type { Flow } from '#shared/sip/types.ts';

/** A binding as it stands in the store, beside its wall-clock time, since another process reads it. */
interface Kept {
  readonly binding: PlainBinding;
  readonly flow: Flow;
}

interface Bound {
  readonly binding: Binding;
  readonly flow: Flow;
}

export interface Remembered {
  readonly line: string;
  readonly binding: Binding;
  readonly flow: Flow;
}

/** The same phones at the same places, and each with enough of its time. */
function stillServe(written: readonly Bound[], now: readonly Bound[], mono: number): boolean {
  return written.length === now.length && now.every((one, i) => stillServes(written[i], one, mono));
}

/**
 * What is written of a phone is that phone at that place, with at least two thirds of the time that it has now: one that refreshes at half its
 * time, as most do, is known after a restart until long after it has done so again.
 */
export function stillServes(written: Bound | undefined, { binding, flow }: Bound, mono: number): boolean {
  if (written === undefined) return false;
  const { binding: old } = written;
  if (old.uri !== binding.uri || written.flow.id !== flow.id) return false;
  if ((old.expiresAt - mono) * 3 < (binding.expiresAt - mono) * 2) return false;
  return isSamePath(old.path, binding.path) && areSame(old.params, binding.params);
}

function areSame(a: Binding['params'], b: Binding['params']): boolean {
  if (a.size !== b.size) return false;
  for (const [name, value] of b) if (!a.has(name) || a.get(name) !== value) return false;
  return true;
}

export class BindingStore {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Lines whose newest bindings are not written yet; several changes of one line make one write. */
  readonly #dirty = new Map<string, readonly Bound[]>();
  /** Resolved once they are. */
  #batch = Promise.withResolvers<void>();
  /** What is written of each line, or on its way. */
  readonly #written = new Map<string, readonly Bound[]>();
  #writing: Promise<void> | undefined;

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * These are the line's bindings over UDP now. Resolves once they are written, in groups, or once that has failed; undefined where what is
   * written serves, as after most refreshes.
   */
  keep(line: string, bindings: readonly Bound[]): Promise<void> | undefined {
    const written = this.#written.get(line);
    if (written !== undefined && stillServe(written, bindings, this.#clock.mono())) return undefined;
    if (bindings.length === 0) this.#written.delete(line);
    else this.#written.set(line, bindings);
    this.#dirty.set(line, bindings);
    const { promise } = this.#batch;
    this.#writing ??= this.#write();
    return promise;
  }

  /** Resolves once nothing waits to be written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  /** What is still good, on this process's monotonic clock. */
  async load(): Promise<Remembered[]> {
    const rows = await this.#store.all<{ line: string; body: string; expires_at: number }>(
      'SELECT line, body, expires_at FROM binding WHERE expires_at > ? ORDER BY line, uri',
      [this.#clock.wall()],
    );
    const offset = this.#clock.mono() - this.#clock.wall();
    return rows.map(({ line, body, expires_at }) => {
      const { binding, flow } = JSON.parse(body) as Kept;
      return { line, binding: bindingOf(binding, expires_at + offset), flow };
    });
  }

  async #write(): Promise<void> {
    while (this.#dirty.size > 0) {
      const lines = [...this.#dirty];
      const { resolve } = this.#batch;
      this.#dirty.clear();
      this.#batch = Promise.withResolvers();
      try {
        await this.#store.commit(lines.flatMap(([line, bindings]) => this.#rows(line, bindings)));
      } catch (error) {
        // The next refresh of each tries again.
        for (const [line, bindings] of lines) if (this.#written.get(line) === bindings) this.#written.delete(line);
        this.#log.error('softswitch.bindings-not-kept', { error: String(error) });
      }
      resolve();
    }
    this.#writing = undefined;
  }

  #rows(line: string, bindings: readonly Bound[]) {
    const offset = this.#clock.wall() - this.#clock.mono();
    return [
      sql('DELETE FROM binding WHERE line = ?', line),
      ...bindings.map(({ binding, flow }) => {
        const kept: Kept = { binding: plainBinding(binding), flow };
        return sql(
          'INSERT INTO binding (line, uri, body, expires_at) VALUES (?, ?, ?, ?)',
          line,
          binding.uri,
          JSON.stringify(kept),
          Math.floor(binding.expiresAt + offset),
        );
      }),
    ];
  }
}
