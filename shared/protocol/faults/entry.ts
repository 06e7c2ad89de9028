/** One row of the fault table. */
export interface FaultEntry {
  /** What happened, one sentence without a full stop. */
  readonly title: string;
  /** What to do next. */
  readonly next: string;
  readonly retry: 'never' | 'later' | 'now';
  readonly http: number;
  /** RFC 3261 section 21. */
  readonly sip: number;
}

export function faultTable<const T extends Readonly<Record<string, FaultEntry>>>(table: T): T {
  return table;
}
