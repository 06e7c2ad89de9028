/** The calls that `*66` and `*69` are about; pure. Of each line only the last in either direction counts. */
import { lastNumber, type PastCall } from '#shared/call/features/recent.ts';

export class Recent {
  #past: readonly PastCall[] = [];

  get past(): readonly PastCall[] {
    return this.#past;
  }

  restore(past: readonly PastCall[]): void {
    this.#past = past;
  }

  add(call: PastCall): void {
    const seen = new Set<string>();
    const isLast = (key: string | undefined) => key !== undefined && !seen.has(key) && seen.add(key) !== undefined;
    this.#past = [call, ...this.#past].filter(({ line, rung }) => {
      const own = isLast(line === undefined ? undefined : `dialled ${line}`);
      const theirs = rung.filter((one) => isLast(one.line === undefined ? undefined : `caller ${one.line}`));
      return own || theirs.length > 0;
    });
  }

  /** Lines that are gone leave nothing behind: the next ones are somebody else's. */
  keepOnly(isLine: (line: string) => boolean): void {
    const is = (line: string | undefined) => line !== undefined && isLine(line);
    this.#past = this.#past.filter(({ line, rung }) => is(line) || rung.some((one) => is(one.line)));
  }

  last(line: string, of: 'dialled' | 'caller'): string | undefined {
    return lastNumber(this.#past, line, of);
  }
}
