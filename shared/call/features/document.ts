/** The features of a line as one document: what its owner has set, by API or by star code. Absent means off. */

import type { DestinationClass } from '../plans.ts';

/** Where calls go instead; a number, a username or a line id. */
export interface Forwards {
  /** Always: the line's own phones do not ring (CFU). */
  readonly always?: string;
  /** While the line talks, or its phone says busy (CFB). */
  readonly busy?: string;
  /** After `noAnswerAfter` seconds of ringing (CFNR). */
  readonly noAnswer?: string;
  /** While no phone of the line is registered (CFNRc). */
  readonly offline?: string;
}

export interface LineFeatures {
  /** The line's number is withheld on every call (CLIR). */
  readonly hideNumber?: boolean;
  readonly doNotDisturb?: boolean;
  /** Callers that withhold their number are turned away (ACR). */
  readonly rejectAnonymous?: boolean;
  /** A second call while the line talks is refused as busy: call waiting is off. */
  readonly noWaiting?: boolean;
  /** Whom the line puts on hold hears silence, and no music. */
  readonly noHoldMusic?: boolean;
  readonly forward?: Forwards;
  /** Seconds of ringing before `forward.noAnswer`. */
  readonly noAnswerAfter?: number;
  /** E.164 numbers that never get through. */
  readonly block?: readonly string[];
  /** Where there are any: the only numbers that get through. */
  readonly allow?: readonly string[];
  /** Lines that ring one after the other when this one does not answer. */
  readonly hunt?: readonly string[];
  /** Lines and numbers that ring together with this one; whoever answers first has the call. */
  readonly ringAlso?: readonly string[];
  /** Whatever is dialled, this is called; calls for help and codes excepted. */
  readonly hotLine?: string;
  /** The hot line is a warm one: what is dialled is called, and only where nothing is dialled for so many seconds the hot line's number. */
  readonly hotLineAfter?: number;
  /** Classes of destinations that the line may not call. */
  readonly bar?: readonly DestinationClass[];
  /** Digits that let one call past the bar. */
  readonly pin?: string;
  /** Callers that are known: the name that the phone shows, and how it rings for them. */
  readonly contacts?: readonly Contact[];
  /** What one or two digits stand for. */
  readonly short?: readonly { readonly code: string; readonly to: string }[];
}

type Lists = Pick<LineFeatures, 'block' | 'allow' | 'hunt' | 'ringAlso' | 'short' | 'bar' | 'contacts' | 'pin'>;

export interface Contact {
  /** E.164. */
  readonly number: string;
  readonly name?: string;
  /** Alert source of RFC 7462. */
  readonly ring?: 'family' | 'friend';
}

/** Seconds of ringing unless the document says otherwise. */
export const NO_ANSWER_AFTER = 20;
/** Seconds that the document may say. */
export const NO_ANSWER_RANGE = { min: 5, max: 60 } as const;

/** A document with changes; what a change names as undefined is off again. */
export function withChanges(features: LineFeatures, changes: Changes): LineFeatures {
  const forward = { ...features.forward, ...changes.forward };
  const merged: Record<string, unknown> = { ...features, ...changes, forward };
  if (Object.values(forward).every((to) => to === undefined)) delete merged.forward;
  else merged.forward = Object.fromEntries(Object.entries(forward).filter(([, to]) => to !== undefined));
  for (const [name, value] of Object.entries(merged)) if (isOff(value)) delete merged[name];
  return merged as LineFeatures;
}

const isOff = (value: unknown) =>
  value === undefined || value === false || (Array.isArray(value) && value.length === 0);

/** What a star code changes; a list as a whole. */
export interface Changes extends Lists {
  readonly hideNumber?: boolean;
  readonly doNotDisturb?: boolean;
  readonly rejectAnonymous?: boolean;
  readonly noWaiting?: boolean;
  readonly noHoldMusic?: boolean;
  readonly hotLine?: string | undefined;
  readonly hotLineAfter?: number | undefined;
  readonly noAnswerAfter?: number | undefined;
  readonly forward?: { readonly [K in keyof Forwards]: string | undefined };
}
