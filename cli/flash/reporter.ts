/** Tells how far flashing is, in the form that its reader takes: a bar, lines, or events. */
import type { Io } from '../command.ts';
import { EVERY, progressEvent, progressLine, type Step } from './progress.ts';

export class Reporter {
  readonly #io: Io;
  readonly #kind: keyof typeof EVERY;
  readonly #bar: (text: string) => void;
  #phase: Step['phase'] | undefined;
  #began = 0;
  #shown = Number.NEGATIVE_INFINITY;

  /** `bar` takes text of the same line again and again; absent: nobody looks at a terminal. */
  constructor(io: Io, json: boolean, bar: ((text: string) => void) | undefined) {
    this.#io = io;
    this.#kind = json ? 'json' : bar === undefined ? 'line' : 'bar';
    this.#bar = bar ?? (() => {});
  }

  /** Something that happened, for programs; the same in words for people. */
  event(name: string, facts: Readonly<Record<string, unknown>>, words: string): void {
    this.#endBar();
    if (this.#kind === 'json') this.#io.out(JSON.stringify({ event: name, ...facts }));
    else this.#io.out(words);
  }

  /** Hears of octets done, and shows it not too often. */
  step(phase: Step['phase'], done: number, total: number | undefined): void {
    const now = performance.now();
    if (phase !== this.#phase) [this.#phase, this.#began, this.#shown] = [phase, now, Number.NEGATIVE_INFINITY];
    const over = done === total;
    if (!over && now < this.#shown + EVERY[this.#kind]) return;
    this.#shown = now;
    const step: Step = { phase, done, total, elapsed: now - this.#began };
    if (this.#kind === 'json') this.#io.out(JSON.stringify(progressEvent(step)));
    else if (this.#kind === 'line') this.#io.error(progressLine(step, false));
    else this.#bar(`\r${progressLine(step, true)}\u001b[K${over ? '\n' : ''}`);
  }

  #endBar(): void {
    if (this.#kind === 'bar' && this.#phase !== undefined) this.#bar('\r\u001b[K');
    this.#phase = undefined;
  }
}
