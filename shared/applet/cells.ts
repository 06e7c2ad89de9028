/** Guests by id in one thread: what `local` and the process share. */
import { Cell, type Turn } from './adapter-quickjs.ts';
import type { Meter } from './meter.ts';
import type { GuestSpec, SandboxEvent } from './sandbox.ts';

export interface CellsOptions {
  readonly meter: () => Meter;
  readonly emit: (event: SandboxEvent) => void;
  /** Called before a guest gets the turn. */
  readonly turn?: (id: string) => void;
}

export class Cells {
  readonly #options: CellsOptions;
  readonly #cells = new Map<string, Cell>();
  /** Guests whose instance is being made. */
  readonly #opening = new Map<string, object>();

  constructor(options: CellsOptions) {
    this.#options = options;
  }

  async start(guest: GuestSpec): Promise<void> {
    const mark = {};
    this.#opening.set(guest.id, mark);
    const cell = await Cell.open(this.#options.meter(), (text) =>
      this.#options.emit({ on: 'message', id: guest.id, text }),
    );
    if (this.#opening.get(guest.id) !== mark) return;
    this.#opening.delete(guest.id);
    this.#cells.set(guest.id, cell);
    this.#options.turn?.(guest.id);
    this.#end(guest.id, cell.start(guest));
  }

  deliver(id: string, text: string): void {
    const cell = this.#cells.get(id);
    if (cell === undefined) return;
    this.#options.turn?.(id);
    this.#end(id, cell.deliver(text));
  }

  /** Lets the instance go; its memory is collected with it. */
  stop(id: string): void {
    this.#opening.delete(id);
    this.#cells.delete(id);
  }

  #end(id: string, turn: Turn): void {
    if (turn.ok) {
      this.#options.emit({ on: 'turn', id, ms: turn.ms, ...(turn.error === undefined ? {} : { error: turn.error }) });
      return;
    }
    this.#cells.delete(id);
    this.#options.emit({ on: 'ended', id, why: turn.why, detail: turn.detail });
  }
}
