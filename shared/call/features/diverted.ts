/** Why a line sends a call on, in the words of RFC 5806: what carriers and phones are told of it. */
import type { DiversionReason } from '../../sip/diversion.ts';
import { MOVED } from '../outcome.ts';
import type { LineFeatures } from './document.ts';
import { forwardAlways } from './forwarding.ts';

/** Reasons that lines of ours have. */
export type OwnReason = Extract<
  DiversionReason,
  'unconditional' | 'user-busy' | 'no-answer' | 'unavailable' | 'do-not-disturb' | 'deflection' | 'unknown'
>;

/** One time that a call was sent on: by whom, and why. */
export interface SentOn {
  readonly number: string;
  readonly reason: OwnReason;
  readonly hidden?: boolean;
}

/** A line that withholds its number withholds it here too. */
export function sentOnBy(number: string, { hideNumber }: LineFeatures, reason: OwnReason): SentOn {
  return { number, reason, ...(hideNumber === true ? { hidden: true } : {}) };
}

/** Before any phone rang: forwarding that holds always, else what the line's own wishes made of the call. */
export function divertedAtOnce(features: LineFeatures): OwnReason {
  if (forwardAlways(features) !== undefined) return 'unconditional';
  return features.doNotDisturb === true ? 'do-not-disturb' : 'user-busy';
}

/** After its phones did not take it, for this reason (a fault code). */
export function divertedAfter(reason: string): OwnReason {
  switch (reason) {
    case 'callee_busy':
      return 'user-busy';
    case 'no_answer':
      return 'no-answer';
    case 'callee_offline':
      return 'unavailable';
    case MOVED:
      return 'deflection';
    default:
      return 'unknown';
  }
}
