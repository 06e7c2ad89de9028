/** What one guest used, was denied and said: for `applet explain` and `applet logs`. */

/** Messages per second of a guest, and as many at once. */
export const TALK_RATE = 50;
export const TALK_BURST = 400;
/** Lines of log per minute, and lines that are kept. */
export const LOG_RATE = 120;
export const LOG_LINES = 200;
/** Names of functions that are counted each; the others together. */
const NAMES = 64;

export interface Counted {
  readonly name: string;
  readonly used: number;
  readonly denied: number;
  readonly failed: number;
}

export class Account {
  readonly #names = new Map<string, { used: number; denied: number; failed: number }>();
  #logs: { at: number; level: string; text: string }[] = [];
  #talk = TALK_BURST;
  #talkAt = 0;
  #lines = LOG_RATE;
  #linesAt = 0;
  #muted = false;

  /** Whether one more message fits its rate. */
  mayTalk(now: number): boolean {
    this.#talk = Math.min(TALK_BURST, this.#talk + ((now - this.#talkAt) * TALK_RATE) / 1000);
    this.#talkAt = now;
    if (this.#talk < 1) return false;
    this.#talk--;
    return true;
  }

  /** A message that was too much or no message. */
  refused(): void {
    this.#of('(refused message)').failed++;
  }

  count(name: string, code: string | undefined): void {
    const counter = this.#of(name);
    if (code === undefined) counter.used++;
    else if (code === 'not_permitted' || code === 'forbidden') counter.denied++;
    else counter.failed++;
  }

  /** A line by the guest, within its rate. */
  log(wall: number, now: number, level: string, text: string): void {
    this.#lines = Math.min(LOG_RATE, this.#lines + ((now - this.#linesAt) * LOG_RATE) / 60_000);
    this.#linesAt = now;
    if (this.#lines >= 1) {
      this.#lines--;
      this.#muted = false;
      this.note(wall, level, text);
    } else if (!this.#muted) {
      this.#muted = true;
      this.note(wall, 'warn', `more than ${LOG_RATE} lines in a minute; the rest is left out`);
    }
  }

  /** A line about the guest, without a rate. */
  note(wall: number, level: string, text: string): void {
    this.#logs.push({ at: wall, level, text });
    if (this.#logs.length > LOG_LINES) this.#logs = this.#logs.slice(-LOG_LINES);
  }

  counted(): Counted[] {
    return [...this.#names].map(([name, counter]) => ({ name, ...counter }));
  }

  logs(): readonly { readonly at: number; readonly level: string; readonly text: string }[] {
    return this.#logs;
  }

  #of(name: string): { used: number; denied: number; failed: number } {
    const key = this.#names.has(name) || this.#names.size < NAMES ? name : '(others)';
    let counter = this.#names.get(key);
    if (counter === undefined) {
      counter = { used: 0, denied: 0, failed: 0 };
      this.#names.set(key, counter);
    }
    return counter;
  }
}
