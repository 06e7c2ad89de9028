import type { VerbReply } from './verbs/index.ts';

/** The facts of an ended leg that make its call detail record, as the journal's rows carry them. Times are wall clock, ms. */
export interface LegRecord {
  readonly leg: string;
  readonly home?: string;
  readonly payer?: string;
  readonly from: string;
  readonly to: string;
  readonly start: number;
  readonly answer?: number;
  readonly end: number;
  readonly reason: string;
  /** What the number of a caller from outside proved to be (RFC 8224). */
  readonly verstat?: NonNullable<VerbReply<'cdr.list'>['items'][number]['verstat']>;
}
