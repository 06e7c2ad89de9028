import { expect, it } from 'vitest';
import { newRequest } from './message.ts';
import { privacyOf, privacyToPass, wantsPrivacy } from './privacy.ts';

const OWN = '<sip:a@example.com>;tag=1';

it.each([
  ['nothing', OWN, [], false],
  ['id', OWN, ['id'], true],
  ['id, critical', OWN, ['ID;critical'], true],
  ['user in a list', OWN, ['session;user'], true],
  ['user in a list with commas, as some write it', OWN, ['session,user'], true],
  ['session alone', OWN, ['session'], false],
  ['none', OWN, ['none'], false],
  ['none beside id', OWN, ['id', 'none'], false],
  ['an anonymous From', '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1', [], true],
  ['an anonymous user of some domain', '<sip:Anonymous@example.com>;tag=1', [], true],
  ['an anonymous From and none', '<sip:anonymous@anonymous.invalid>;tag=1', ['none'], false],
])('%s', (_name, from, values, expected) => {
  const headers = [['From', from] as const, ...values.map((value) => ['Privacy', value] as const)];
  expect(wantsPrivacy(newRequest('INVITE', 'sip:b@example.com', headers))).toBe(expected);
});

it.each<[values: string[], session: boolean, critical: boolean, unknown: boolean]>([
  [['id;critical'], false, true, false],
  [['Session; Critical'], true, true, false],
  [['header', 'user;session'], true, false, false],
  [['history;'], false, false, false],
  [['x-more;critical'], false, true, true],
  [['x-more', 'none'], false, false, false],
  [[], false, false, false],
])('%j asks for more', (values, session, critical, unknown) => {
  const headers = [['From', OWN] as const, ...values.map((value) => ['Privacy', value] as const)];
  expect(privacyOf(newRequest('INVITE', 'sip:b@example.com', headers))).toMatchObject({ session, critical, unknown });
});

it.each<[values: string[], history: boolean]>([
  [['history'], true],
  [['id;header'], true],
  [['id;user;session'], false],
  [['none;history'], false],
])('%j asks for a history without names: %s', (values, history) => {
  const headers = [['From', OWN] as const, ...values.map((value) => ['Privacy', value] as const)];
  expect(privacyOf(newRequest('INVITE', 'sip:b@example.com', headers)).history).toBe(history);
});

it.each<[from: string, values: string[], passed: string[]]>([
  [OWN, [], []],
  [OWN, ['ID'], ['id']],
  [OWN, ['user;header'], ['id', 'user', 'header']],
  [OWN, ['session', 'history; critical'], ['session', 'history', 'critical']],
  [OWN, ['x-more;session'], ['session']],
  [OWN, ['id', 'none'], ['none']],
  ['<sip:anonymous@anonymous.invalid>;tag=1', ['session'], ['id', 'session']],
])('%s, %j: the next one hears of %j', (from, values, passed) => {
  const headers = [['From', from] as const, ...values.map((value) => ['Privacy', value] as const)];
  expect(privacyToPass(newRequest('INVITE', 'sip:b@example.com', headers))).toEqual(passed);
});
