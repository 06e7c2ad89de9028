import { describe, expect, it } from 'vitest';
import { contactsText, type Features, featuresOf, listText, shortText } from './line-form.ts';

const ALL: Features = {
  doNotDisturb: true,
  hideNumber: true,
  block: ['+15550100001', '+15550100002'],
  ringAlso: ['+15550100003'],
  forward: { busy: '+15550100004', offline: 'kitchen' },
  noAnswerAfter: 25,
  bar: ['international', 'premium', 'free'],
  pin: '2468',
  hotLine: '+15550100005',
  hotLineAfter: 3,
  contacts: [
    { number: '+15550100006', name: 'Grandmother', ring: 'family' },
    { number: '+15550100007', name: 'Shop' },
    { number: '+15550100008' },
    { number: '+15550100009', name: 'Smith, John', ring: 'friend' },
    { number: '+15550100010', name: 'Smith, Jane' },
    { number: '+15550100011', name: 'family' },
    { number: '+15550100012', ring: 'family' },
  ],
  short: [{ code: '7', to: '+15550100007' }],
};

/** The fields as the page would show these features. */
function shown(features: Features): FormData {
  const form = new FormData();
  const { forward = {}, bar = [], contacts, block, allow, ringAlso, hunt, noAnswerAfter, pin, hotLine } = features;
  for (const name of ['doNotDisturb', 'rejectAnonymous', 'noWaiting', 'hideNumber'] as const)
    if (features[name] === true) form.set(name, 'on');
  for (const name of bar) form.set(`bar.${name}`, 'on');
  for (const [name, to] of Object.entries(forward)) form.set(name, ` ${to} `);
  for (const [name, items] of Object.entries({ block, allow, ringAlso, hunt }))
    form.set(name, `\n${listText(items)}\n\n`);
  form.set('contacts', contactsText(contacts));
  form.set('noAnswerAfter', String(noAnswerAfter ?? ''));
  form.set('pin', pin ?? '');
  form.set('hotLine', hotLine ?? '');
  form.set('hotLineAfter', String(features.hotLineAfter ?? ''));
  form.set('short', shortText(features.short));
  return form;
}

describe('the page of a line', () => {
  it('says what it shows', () => {
    expect(featuresOf(shown(ALL))).toEqual(ALL);
    expect(featuresOf(shown({}))).toEqual({});
    expect(featuresOf(new FormData())).toEqual({});
  });

  it('takes a ring that nobody knows for a part of the name, and leaves the cloud to judge the number', () => {
    const form = shown({});
    form.set('contacts', 'gran, Grandmother, sirens');
    expect(featuresOf(form)).toEqual({ contacts: [{ number: 'gran', name: 'Grandmother, sirens' }] });
  });
});
