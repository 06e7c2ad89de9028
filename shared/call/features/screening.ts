/** Who gets through to a line: block and allow list, callers without a number, do not disturb, call waiting. */
import type { LineFeatures } from './document.ts';

/** A call as its callee's line sees it. */
export interface Caller {
  /** E.164; absent for a caller that has none. */
  readonly number?: string;
  readonly hidden: boolean;
}

export type Screened =
  | { readonly pass: true }
  /** With a fault code: the word under which the leg ends. */
  | { readonly pass: false; readonly reason: 'callee_declined' | 'caller_anonymous' | 'callee_busy' };

const PASS: Screened = { pass: true };

/** Whether the line wants to hear of this caller at all, at its phones or wherever it forwards to. A number that is withheld is screened all the same. */
export function welcome(features: LineFeatures, { number, hidden }: Caller): Screened {
  const { block = [], allow = [], rejectAnonymous } = features;
  if (number !== undefined && block.includes(number)) return { pass: false, reason: 'callee_declined' };
  const known = number !== undefined && allow.includes(number);
  if (allow.length > 0 && !known) return { pass: false, reason: 'callee_declined' };
  if (rejectAnonymous === true && !known && (hidden || number === undefined)) {
    return { pass: false, reason: 'caller_anonymous' };
  }
  return PASS;
}

/** What becomes of a call before any phone rings; `talking`: calls that the line has. */
export function screen(features: LineFeatures, caller: Caller, talking: number): Screened {
  const { doNotDisturb, noWaiting } = features;
  const welcomed = welcome(features, caller);
  if (!welcomed.pass) return welcomed;
  if (doNotDisturb === true) return { pass: false, reason: 'callee_busy' };
  if (noWaiting === true && talking > 0) return { pass: false, reason: 'callee_busy' };
  return PASS;
}
