/**
 * Star codes for what has more than one value: `*60*number#` puts a number on the block list, `#60*number#` takes it off, `#60#` empties
 * the list; likewise `*68` for the allow list, `*64` for who rings along and `*65` for who rings next. `*51*code*number#` makes a short
 * code, `#51*code#` takes it away, `#51#` all of them. `*52*number#` makes a hot line, `*53*number#` one that waits (ETSI's fixed
 * destination call), `#52#` and `#53#` end both. `*34*PIN*classes#` bars classes (1 local, 2 national, 3 mobile, 4 international,
 * 5 premium, 6 free), `#34*PIN#` none; `*35*PIN*new*new#` gives another PIN. `*44*number*ring#` chooses how it rings for a caller (0 as for
 * anybody, 1 family, 2 friend), `*45*number*name#` the name that is shown (an underline is a blank), `#44*number#` and `#45*number#` forget
 * either, `#44#` and `#45#` for all.
 */
import type { DestinationClass } from '../plans.ts';
import type { Changes, Contact, LineFeatures } from './document.ts';

type List = 'block' | 'allow' | 'ringAlso' | 'hunt';

export type Edit =
  | { readonly of: List; readonly how: 'add' | 'remove'; readonly number: string }
  | { readonly of: List | 'short'; readonly how: 'empty' }
  | { readonly of: 'short'; readonly how: 'add'; readonly code: string; readonly number: string }
  | { readonly of: 'short'; readonly how: 'remove'; readonly code: string }
  /** Without a number it is off. */
  | { readonly of: 'hotLine'; readonly number?: string; readonly waits?: number }
  | { readonly of: 'bar'; readonly pin: string; readonly classes: readonly DestinationClass[] }
  | { readonly of: 'pin'; readonly pin: string; readonly next: string }
  /** Without a number of all; `to` nothing: it is taken away. */
  | { readonly of: 'ring' | 'name'; readonly number?: string; readonly to?: string };

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
const CONTACTS_MOST = 200;
/** Seconds that a hot line waits which was made by `*53`, unless the code says. */
export const WARM_AFTER = 4;
/** Codes of this file besides those of lists. */
const CODES: ReadonlySet<string> = new Set(['34', '35', '44', '45', '51', '52', '53']);
/** What a digit says of the ring; nothing: as for anybody. */
const RINGS: ReadonlyMap<string, Contact['ring']> = new Map([
  ['0', undefined],
  ['1', 'family'],
  ['2', 'friend'],
]);

/** Reads a code and what follows it; undefined for none of these, `refuse` for one that says nothing that can be done. */
export function readEdit(code: string, on: boolean, rest: string): Edit | 'refuse' | undefined {
  if (!(LISTS.has(code) || CODES.has(code)) || rest === '' || (on && rest === '#')) return undefined;
  if (!rest.startsWith('*') && rest !== '#') return undefined;
  const words = (rest.endsWith('#') ? rest.slice(0, -1) : rest).split('*').slice(1);
  return editOf(code, on, words) ?? 'refuse';
}

function editOf(code: string, on: boolean, words: readonly string[]): Edit | undefined {
  const list = LISTS.get(code);
  if (list !== undefined) return listEdit(list.of, on, words);
  if (code === '34') return barEdit(on, words);
  if (code === '35') return pinEdit(on, words);
  if (code === '51') return shortEdit(on, words);
  if (code === '44' || code === '45') return contactEdit(code === '44' ? 'ring' : 'name', on, words);
  return hotLineEdit(code === '53', on, words);
}

function hotLineEdit(warm: boolean, on: boolean, [number, seconds, ...more]: readonly string[]): Edit | undefined {
  if (!on) return number === undefined ? { of: 'hotLine' } : undefined;
  if (more.length > 0 || !isNumber(number)) return undefined;
  if (!warm) return seconds === undefined ? { of: 'hotLine', number } : undefined;
  const waits = seconds ?? String(WARM_AFTER);
  return /^[1-4]$/.test(waits) ? { of: 'hotLine', number, waits: Number(waits) } : undefined;
}

/** The new one twice, lest a slip of the finger locks its owner out. */
function pinEdit(on: boolean, [pin, next, again, ...more]: readonly string[]): Edit | undefined {
  if (!on || pin === undefined || next === undefined || next !== again || more.length > 0) return undefined;
  return /^[0-9]{4,8}$/.test(next) ? { of: 'pin', pin, next } : undefined;
}

function contactEdit(of: 'ring' | 'name', on: boolean, [number, to, ...more]: readonly string[]): Edit | undefined {
  if (more.length > 0 || (number !== undefined && !isNumber(number)) || on === (to === undefined)) return undefined;
  if (to === undefined) return { of, ...(number === undefined ? {} : { number }) };
  const fits = of === 'ring' ? RINGS.has(to) : /^[A-Za-z0-9._-]{1,64}$/.test(to);
  return number !== undefined && fits ? { of, number, to } : undefined;
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
  if (edit.of === 'pin') return edit.pin === features.pin ? { pin: edit.next } : undefined;
  if (edit.of === 'hotLine') {
    if (edit.number === undefined) return { hotLine: undefined, hotLineAfter: undefined };
    return { hotLine: full(edit.number), hotLineAfter: edit.waits };
  }
  if (!('how' in edit)) return noted(features, edit, edit.number === undefined ? undefined : full(edit.number));
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

/** A contact of which nothing is noted any more goes. */
function noted(
  { contacts = [] }: LineFeatures,
  { of, to }: Extract<Edit, { of: 'ring' | 'name' }>,
  number: string | undefined,
): Changes | undefined {
  if (number !== undefined && !number.startsWith('+')) return undefined;
  const value = of === 'ring' ? RINGS.get(to ?? '') : to?.replaceAll('_', ' ');
  const next = contacts.map((one) =>
    number === undefined || one.number === number ? { ...one, [of]: undefined } : one,
  );
  const before = next.find((one) => one.number === number);
  const others = next.filter((one) => one !== before);
  const changed = number === undefined ? [] : [{ ...before, number, ...(value === undefined ? {} : { [of]: value }) }];
  const left = [...others, ...changed].flatMap(({ name, ring, ...one }): Contact[] =>
    name === undefined && ring === undefined
      ? []
      : [{ ...one, ...(name === undefined ? {} : { name }), ...(ring === undefined ? {} : { ring }) }],
  );
  return left.length <= CONTACTS_MOST ? { contacts: left } : undefined;
}
