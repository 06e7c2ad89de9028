/**
 * Star codes for what has more than one value: `*60*number#` puts a number on the block list, `#60*number#` takes it off, `#60#` empties
 * the list; likewise `*68` for the allow list, `*64` for who rings along and `*65` for who rings next. `*51*code*number#` makes a short
 * code, `#51*code#` takes it away, `#51#` all of them. `*52*number#` makes a hot line, `*53*number#` one that waits (ETSI's fixed
 * destination call), `#52#` and `#53#` end both. `*34*PIN*classes#` bars classes (1 local, 2 national, 3 mobile, 4 international,
 * 5 premium, 6 free), `#34*PIN#` none.
 */
import type { DestinationClass } from '../plans.ts';
import type { Changes, LineFeatures } from './document.ts';

type List = 'block' | 'allow' | 'ringAlso' | 'hunt';

export type Edit =
  | { readonly of: List; readonly how: 'add' | 'remove'; readonly number: string }
  | { readonly of: List | 'short'; readonly how: 'empty' }
  | { readonly of: 'short'; readonly how: 'add'; readonly code: string; readonly number: string }
  | { readonly of: 'short'; readonly how: 'remove'; readonly code: string }
  /** Without a number it is off. */
  | { readonly of: 'hotLine'; readonly number?: string; readonly waits: boolean }
  | { readonly of: 'bar'; readonly pin: string; readonly classes: readonly DestinationClass[] };

/** Lists by their codes, with the entries that each may have. */
const LISTS: ReadonlyMap<string, { readonly of: List; readonly most: number }> = new Map([
  ['60', { of: 'block', most: 100 }],
  ['64', { of: 'ringAlso', most: 8 }],
  ['65', { of: 'hunt', most: 8 }],
  ['68', { of: 'allow', most: 100 }],
]);
const MOST = new Map([...LISTS.values()].map(({ of, most }) => [of, most]));
/** Short codes of a line. */
const SHORT_MOST = 100;
const CLASSES: readonly DestinationClass[] = ['local', 'national', 'mobile', 'international', 'premium', 'free'];
/** Seconds that a hot line waits which was made by `*53`. */
export const WARM_AFTER = 4;

/** Reads a code and what follows it; undefined for none of these, `refuse` for one that says nothing that can be done. */
export function readEdit(code: string, on: boolean, rest: string): Edit | 'refuse' | undefined {
  const isOurs = LISTS.has(code) || code === '51' || code === '52' || code === '53' || code === '34';
  if (!isOurs || rest === '' || (on && rest === '#')) return undefined;
  if (!rest.startsWith('*') && rest !== '#') return undefined;
  const words = (rest.endsWith('#') ? rest.slice(0, -1) : rest).split('*').slice(1);
  return editOf(code, on, words) ?? 'refuse';
}

function editOf(code: string, on: boolean, words: readonly string[]): Edit | undefined {
  const list = LISTS.get(code);
  if (list !== undefined) return listEdit(list.of, on, words);
  if (code === '34') return barEdit(on, words);
  if (code === '51') return shortEdit(on, words);
  const waits = code === '53';
  const [number, ...more] = words;
  if (!on) return number === undefined ? { of: 'hotLine', waits } : undefined;
  return more.length === 0 && isNumber(number) ? { of: 'hotLine', number, waits } : undefined;
}

function listEdit(of: List, on: boolean, [number, ...more]: readonly string[]): Edit | undefined {
  if (number === undefined) return on ? undefined : { of, how: 'empty' };
  return more.length === 0 && isNumber(number) ? { of, how: on ? 'add' : 'remove', number } : undefined;
}

function shortEdit(on: boolean, [code, number, ...more]: readonly string[]): Edit | undefined {
  if (code === undefined) return on ? undefined : { of: 'short', how: 'empty' };
  if (!/^[0-9]{1,2}$/.test(code) || more.length > 0) return undefined;
  if (!on) return number === undefined ? { of: 'short', how: 'remove', code } : undefined;
  return isNumber(number) ? { of: 'short', how: 'add', code, number } : undefined;
}

function barEdit(on: boolean, [pin, classes = '', ...more]: readonly string[]): Edit | undefined {
  if (pin === undefined || more.length > 0 || on === (classes === '') || !/^[1-6]*$/.test(classes)) return undefined;
  return { of: 'bar', pin, classes: CLASSES.filter((_, n) => classes.includes(String(n + 1))) };
}

const isNumber = (text: string | undefined): text is string =>
  text !== undefined && /^[A-Za-z0-9+._-]{2,64}$/.test(text);

/**
 * The changes that an edit makes to a document; undefined where it cannot be made: a full list, a number that is none, a wrong PIN.
 * `full` writes a number as it is meant.
 */
export function edited(features: LineFeatures, edit: Edit, full: (number: string) => string): Changes | undefined {
  if (edit.of === 'bar') return edit.pin === features.pin ? { bar: edit.classes } : undefined;
  if (edit.of === 'hotLine') {
    if (edit.number === undefined) return { hotLine: undefined, hotLineAfter: undefined };
    return { hotLine: full(edit.number), hotLineAfter: edit.waits ? WARM_AFTER : undefined };
  }
  if (edit.how === 'empty') return { [edit.of]: [] };
  if (edit.of === 'short') return shortened(features, edit, full);
  return listed(features, edit, full(edit.number));
}

function shortened(
  { short = [] }: LineFeatures,
  edit: Extract<Edit, { of: 'short'; code: string }>,
  full: (number: string) => string,
): Changes | undefined {
  const others = short.filter(({ code }) => code !== edit.code);
  if (edit.how === 'remove') return { short: others };
  return others.length < SHORT_MOST ? { short: [...others, { code: edit.code, to: full(edit.number) }] } : undefined;
}

function listed(
  features: LineFeatures,
  { of, how }: Extract<Edit, { of: List; number: string }>,
  number: string,
): Changes | undefined {
  const others = (features[of] ?? []).filter((one) => one !== number);
  if (how === 'remove') return { [of]: others };
  // Who calls from outside is known by the full number alone.
  const isCaller = of === 'block' || of === 'allow';
  if ((isCaller && !number.startsWith('+')) || others.length >= (MOST.get(of) ?? 0)) return undefined;
  return { [of]: [...others, number] };
}
