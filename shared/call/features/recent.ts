/** The numbers that a line dialled last and that called it last, for `*66` and `*69`. */

/** A call of the past: who called, what was meant, and who was rung under which number of the caller. */
export interface PastCall {
  /** The line that called; absent for a caller from elsewhere. */
  readonly line?: string;
  /** E.164, short code or name. */
  readonly to: string;
  /** The lines that were rung; `from` is what was shown to them. */
  readonly rung: readonly { readonly line?: string; readonly from: string }[];
}

/** Shown for a caller that withholds its number. */
export const WITHHELD = 'anonymous';

/** The number of the line's last call in that direction, `past` with the newest first; undefined for none, and for a caller that withheld it. */
export function lastNumber(past: Iterable<PastCall>, line: string, of: 'dialled' | 'caller'): string | undefined {
  for (const call of past) {
    const number =
      of === 'caller'
        ? call.rung.find((one) => one.line === line)?.from
        : call.line === line && call.rung.length > 0
          ? call.to
          : undefined;
    if (number !== undefined) return number === WITHHELD ? undefined : number;
  }
  return undefined;
}
