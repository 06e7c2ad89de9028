import { describe, expect, it } from 'vitest';
import { misfit } from '../../protocol/check.ts';
import { LineFeatures as Schema } from '../../protocol/verbs/line-features.ts';
import { meaning } from './dialling.ts';
import { type LineFeatures, withChanges } from './document.ts';
import { WARM_AFTER } from './list-codes.ts';
import { readStarCode } from './star-codes.ts';

const OWN = '+15550100000';
const [one, two, three] = ['+15550100001', '+15550100002', '+15550100003'];

/** The document after a code; `refuse` where the phone hears no. */
function changedBy(features: LineFeatures, dialled: string): LineFeatures | 'refuse' {
  const meant = meaning(features, dialled, false, OWN);
  if (meant.do === 'refuse') return 'refuse';
  if (meant.do !== 'change') throw new Error(`${dialled} is ${meant.do}`);
  const next = withChanges(features, meant.changes);
  expect(misfit(Schema, next)).toBeUndefined();
  return next;
}

describe.each([
  ['block', '60'],
  ['allow', '68'],
  ['ringAlso', '64'],
  ['hunt', '65'],
] as const)('the list %s', (name, code) => {
  it.each<[string, LineFeatures, LineFeatures]>([
    [`*${code}*${one}#`, {}, { [name]: [one] }],
    [`*${code}*${one}`, {}, { [name]: [one] }],
    [`*${code}*5550100002#`, { [name]: [one] }, { [name]: [one, two] }],
    [`*${code}*${one}#`, { [name]: [one, two] }, { [name]: [two, one] }],
    [`#${code}*5550100001#`, { [name]: [one, two] }, { [name]: [two] }],
    [`#${code}*${one}#`, { [name]: [one] }, {}],
    [`#${code}*${three}#`, { [name]: [one] }, { [name]: [one] }],
    [`#${code}#`, { [name]: [one, two], doNotDisturb: true }, { doNotDisturb: true }],
    [`*${code}*77#`, { short: [{ code: '77', to: two }] }, { short: [{ code: '77', to: two }], [name]: [two] }],
  ])('%s', (dialled, before, expected) => expect(changedBy(before, dialled)).toEqual(expected));

  it('takes no more than it may have', () => {
    const most = name === 'block' || name === 'allow' ? 100 : 8;
    const full = Array.from({ length: most }, (_, n) => `+1555020${String(1000 + n)}`);
    expect(changedBy({ [name]: full.slice(1) }, `*${code}*${one}#`)).toEqual({ [name]: [...full.slice(1), one] });
    expect(changedBy({ [name]: full }, `*${code}*${one}#`)).toBe('refuse');
    expect(changedBy({ [name]: full }, `*${code}*${full[0]}#`)).toEqual({ [name]: [...full.slice(1), full[0]] });
  });

  it.each([`*${code}*#`, `*${code}**#`, `*${code}*${one}*1#`, `*${code}*1#`, `#${code}*#`])(
    '%s is refused',
    (dialled) => expect(changedBy({}, dialled)).toBe('refuse'),
  );

  it.each([`*${code}`, `*${code}#`, `#${code}`, `*${code}7#`])('%s is no code', (dialled) =>
    expect(readStarCode(dialled)).toBeUndefined(),
  );
});

it('names of the house ring along, but only numbers are blocked', () => {
  expect(changedBy({}, '*64*kitchen#')).toEqual({ ringAlso: ['kitchen'] });
  expect(changedBy({}, '*60*kitchen#')).toBe('refuse');
});

describe('short dialling', () => {
  it.each<[string, LineFeatures, LineFeatures | 'refuse']>([
    ['*51*7*5550100001#', {}, { short: [{ code: '7', to: one }] }],
    [`*51*7*${two}#`, { short: [{ code: '7', to: one }] }, { short: [{ code: '7', to: two }] }],
    ['#51*7#', { short: [{ code: '7', to: one }] }, {}],
    ['#51#', { short: [{ code: '7', to: one }] }, {}],
    [`*51*123*${one}#`, {}, 'refuse'],
    ['*51*7#', {}, 'refuse'],
    [`#51*7*${one}#`, {}, 'refuse'],
  ])('%s', (dialled, before, expected) => expect(changedBy(before, dialled)).toEqual(expected));

  it('has a hundred places', () => {
    const short = Array.from({ length: 100 }, (_, n) => ({ code: `${n}`, to: one }));
    expect(changedBy({ short }, `*51*00*${two}#`)).toBe('refuse');
    expect(changedBy({ short }, `*51*99*${two}#`)).toEqual({ short: [...short.slice(0, 99), { code: '99', to: two }] });
  });
});

describe('hot line and warm line', () => {
  it.each<[string, LineFeatures, LineFeatures | 'refuse']>([
    ['*52*5550100001#', {}, { hotLine: one }],
    [`*53*${one}#`, {}, { hotLine: one, hotLineAfter: WARM_AFTER }],
    [`*52*${two}#`, { hotLine: one, hotLineAfter: 2 }, { hotLine: two }],
    ['#52#', { hotLine: one, hotLineAfter: 2 }, {}],
    ['#53#', { hotLine: one }, {}],
    [`*53*${one}*2#`, {}, { hotLine: one, hotLineAfter: 2 }],
    [`*53*${one}*5#`, {}, 'refuse'],
    [`*53*${one}*2*1#`, {}, 'refuse'],
    [`*52*${one}*2#`, {}, 'refuse'],
    ['*52*#', {}, 'refuse'],
    [`#52*${one}#`, {}, 'refuse'],
  ])('%s', (dialled, before, expected) => expect(changedBy(before, dialled)).toEqual(expected));

  it('a hot line is called whatever is dialled, a warm one where nothing is', () => {
    const warm = { hotLine: '5550100001', hotLineAfter: 3 };
    expect(meaning({ hotLine: one }, two, false, OWN)).toMatchObject({ do: 'call', to: one });
    expect(meaning({ hotLine: one }, '', false, OWN)).toMatchObject({ do: 'call', to: one });
    expect(meaning(warm, two, false, OWN)).toMatchObject({ do: 'call', to: two });
    expect(meaning(warm, '', true, OWN)).toEqual({ do: 'wait', to: one, hidden: true, seconds: 3 });
    expect(meaning({}, '', false, OWN)).toMatchObject({ do: 'call', to: '' });
  });
});

describe('barring', () => {
  const pin = '2468';
  it.each<[string, LineFeatures, LineFeatures | 'refuse']>([
    ['*34*2468*45#', { pin }, { pin, bar: ['international', 'premium'] }],
    ['*34*2468*123456#', { pin }, { pin, bar: ['local', 'national', 'mobile', 'international', 'premium', 'free'] }],
    ['*34*2468*1#', { pin, bar: ['premium'] }, { pin, bar: ['local'] }],
    ['#34*2468#', { pin, bar: ['premium'] }, { pin }],
    ['*34*1357*4#', { pin }, 'refuse'],
    ['#34*1357#', { pin, bar: ['premium'] }, 'refuse'],
    ['#34#', { pin, bar: ['premium'] }, 'refuse'],
    ['#34*#', { bar: ['premium'] }, 'refuse'],
    ['*34*2468*4#', {}, 'refuse'],
    ['*34*2468*7#', { pin }, 'refuse'],
    ['*34*2468#', { pin }, 'refuse'],
    ['#34*2468*4#', { pin }, 'refuse'],
    ['*35*2468*1357*1357#', { pin }, { pin: '1357' }],
    ['*35*2468*1357*1357', { pin, bar: ['premium'] }, { pin: '1357', bar: ['premium'] }],
    ['*35*1111*1357*1357#', { pin }, 'refuse'],
    ['*35*2468*1357*1375#', { pin }, 'refuse'],
    ['*35*2468*135*135#', { pin }, 'refuse'],
    ['*35*2468*123456789*123456789#', { pin }, 'refuse'],
    ['*35*2468*1357#', { pin }, 'refuse'],
    ['*35*1357*1357#', {}, 'refuse'],
    ['*35*2468*1357*1357#', {}, 'refuse'],
    ['*35*2468*1357*1357*1#', { pin }, 'refuse'],
    ['#35*2468#', { pin }, 'refuse'],
  ])('%s', (dialled, before, expected) => expect(changedBy(before, dialled)).toEqual(expected));
});

describe('callers that are known', () => {
  const [aunt, bob] = [
    { number: one, name: 'Aunt Mary' },
    { number: two, name: 'Bob', ring: 'friend' },
  ] as const;
  it.each<[string, LineFeatures, LineFeatures | 'refuse']>([
    ['*44*5550100001*1#', {}, { contacts: [{ number: one, ring: 'family' }] }],
    [`*44*${one}*2`, { contacts: [aunt] }, { contacts: [{ ...aunt, ring: 'friend' }] }],
    [`*44*${two}*0#`, { contacts: [bob] }, { contacts: [{ number: two, name: 'Bob' }] }],
    [`*45*${one}*Aunt_Mary#`, {}, { contacts: [aunt] }],
    [`*45*${two}*Rob#`, { contacts: [aunt, bob] }, { contacts: [aunt, { ...bob, name: 'Rob' }] }],
    [`#45*${two}#`, { contacts: [aunt, bob] }, { contacts: [aunt, { number: two, ring: 'friend' }] }],
    [`#44*${two}#`, { contacts: [aunt, bob] }, { contacts: [aunt, { number: two, name: 'Bob' }] }],
    [`#45*${one}#`, { contacts: [aunt] }, {}],
    ['#45#', { contacts: [aunt, bob] }, { contacts: [{ number: two, ring: 'friend' }] }],
    ['#44#', { contacts: [aunt, bob] }, { contacts: [aunt, { number: two, name: 'Bob' }] }],
    [`#44*${three}#`, { contacts: [aunt] }, { contacts: [aunt] }],
    [`*44*${one}*3#`, {}, 'refuse'],
    [`*44*${one}#`, {}, 'refuse'],
    [`*44*${one}*1*1#`, {}, 'refuse'],
    ['*44*kitchen*1#', {}, 'refuse'],
    [`*45*${one}*${'a'.repeat(65)}#`, {}, 'refuse'],
    [`#45*${one}*Bob#`, {}, 'refuse'],
    ['#45*#', { contacts: [aunt] }, 'refuse'],
  ])('%s', (dialled, before, expected) => expect(changedBy(before, dialled)).toEqual(expected));

  it('are two hundred', () => {
    const contacts = Array.from({ length: 200 }, (_, n) => ({ number: `+1555020${1000 + n}`, name: 'x' }));
    expect(changedBy({ contacts }, `*44*${one}*1#`)).toBe('refuse');
    expect(changedBy({ contacts }, '*44*+15550201000*1#')).toMatchObject({ contacts: { length: 200 } });
  });
});

it.each(['*51', '*52', '*53'])('%s alone is a place to park', (dialled) =>
  expect(readStarCode(dialled)).toBeUndefined(),
);
