/**
 * Features that two sides change without hearing of each other: the cloud, and a gateway whose WAN is cut. What a phone can set by a star
 * code carries a stamp per field, and the later one stands. A stamp is the wall clock of who made the change, but always later than the
 * stamp of what it replaces (a hybrid logical clock), so whoever knew a value and changed it wins, however wrong its clock is; only of
 * changes that knew nothing of each other the clocks decide. Of equal stamps the cloud's stands. See `docs/adr/0019-features-meet-again.md`.
 */
import { type Changes, type Forwards, type LineFeatures, withChanges } from './document.ts';

/** What a phone can set by a star code and has one short value. */
export const BRIEF = [
  'hideNumber',
  'doNotDisturb',
  'rejectAnonymous',
  'noWaiting',
  'noHoldMusic',
  'forward.always',
  'forward.busy',
  'forward.noAnswer',
  'forward.offline',
  'hotLine',
  'hotLineAfter',
  'bar',
  'pin',
  'noAnswerAfter',
] as const;
/** What a phone can set by a star code. */
export const SETTABLE = [...BRIEF, 'block', 'allow', 'hunt', 'ringAlso', 'short', 'contacts'] as const;
export type Settable = (typeof SETTABLE)[number];

/** When each field was changed last, ms; absent: never since it counts. */
export type Stamps = { readonly [F in Settable]?: number };

export interface Stamped {
  readonly features: LineFeatures;
  readonly stamps: Stamps;
}

const FORWARD = 'forward.';

/** The value of a field; undefined: off. */
export function fieldValue(features: LineFeatures, field: Settable): LineFeatures[keyof LineFeatures] {
  if (field.startsWith(FORWARD)) return features.forward?.[field.slice(FORWARD.length) as keyof Forwards];
  const value = features[field as Exclude<Settable, `forward.${string}`>];
  return value === false ? undefined : value;
}

/** The change that gives these fields the values that they have in `from`. */
function changesFrom(from: LineFeatures, fields: readonly Settable[]): Changes {
  const forward: { -readonly [K in keyof Forwards]: string | undefined } = {};
  const rest: Record<string, unknown> = {};
  for (const field of fields) {
    const value = fieldValue(from, field);
    if (!field.startsWith(FORWARD)) rest[field] = value;
    else forward[field.slice(FORWARD.length) as keyof Forwards] = typeof value === 'string' ? value : undefined;
  }
  return { ...rest, forward: forward as Changes['forward'] & object };
}

/** The document `features` with the values that `from` has in these fields. */
export function withFields(features: LineFeatures, from: LineFeatures, fields: readonly Settable[]): LineFeatures {
  return withChanges(features, changesFrom(from, fields));
}

const differing = (a: LineFeatures, b: LineFeatures) =>
  SETTABLE.filter((field) => JSON.stringify(fieldValue(a, field)) !== JSON.stringify(fieldValue(b, field)));

/** The stamps of a document that takes the place of another; every field that differs gets a new one. */
export function restamped(before: Stamped, after: LineFeatures, wall: number): Stamped {
  const { stamps } = changed(before, after, differing(before.features, after), wall);
  return { features: after, stamps };
}

/** The fields that a star code sets. */
export function fieldsOf({ forward = {}, ...switches }: Changes): Settable[] {
  return [...Object.keys(switches), ...Object.keys(forward).map((when) => `${FORWARD}${when}`)] as Settable[];
}

/** The same for a star code: what it names is changed, even to what it was. */
export function changed(before: Stamped, after: LineFeatures, fields: readonly Settable[], wall: number): Stamped {
  const stamps: { -readonly [F in Settable]?: number } = { ...before.stamps };
  for (const field of fields) stamps[field] = Math.max(Math.floor(wall), (stamps[field] ?? 0) + 1);
  return { features: withFields(before.features, after, fields), stamps };
}

/** The fields of `there` that are later than here, as far as it has a stamp for them. */
export function later(here: Stamps, there: Stamps): Settable[] {
  return SETTABLE.filter((field) => (there[field] ?? 0) > (here[field] ?? 0));
}

/** What stands after both sides meet. Whoever merges is the one that wins where stamps are equal. */
export function merged(here: Stamped, there: Stamped): Stamped {
  const fields = later(here.stamps, there.stamps);
  const stamps = { ...here.stamps, ...only(there.stamps, fields) };
  return { features: withFields(here.features, there.features, fields), stamps };
}

/** A change that cannot be (its number is nobody's): the values of here stand, under stamps that say so to who made it. */
export function overruled(here: Stamped, there: Stamps): Stamped {
  const stamps: { -readonly [F in Settable]?: number } = { ...here.stamps };
  for (const field of later(here.stamps, there)) stamps[field] = (there[field] ?? 0) + 1;
  return { features: here.features, stamps };
}

/** The stamps of these fields alone. */
export function only(stamps: Stamps, fields: readonly Settable[]): Stamps {
  return Object.fromEntries(fields.flatMap((field) => (stamps[field] === undefined ? [] : [[field, stamps[field]]])));
}
