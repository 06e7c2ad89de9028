import { describe, expect, it } from 'vitest';
import { newRequest } from './message.ts';
import {
  isTag,
  readDialogName,
  readRefer,
  readReferredBy,
  referProgress,
  referredBy,
  renewsNews,
  writeDialogName,
} from './refer.ts';

const refer = (...headers: readonly (readonly [string, string])[]) => newRequest('REFER', 'sip:b@example.com', headers);
const NAME = { callId: 'a;b@c', toTag: 't1', fromTag: 'f1' };
const escaped = encodeURIComponent('x@y;to-tag=t1;from-tag=f1');

describe('REFER', () => {
  it.each([
    ['a blind one', '<sip:c@example.com>', { uri: 'sip:c@example.com', silent: false }],
    ['by INVITE', '<sip:c@example.com;method=INVITE>', { uri: 'sip:c@example.com', silent: false }],
    ['to a number', '<tel:+15550100003>', { uri: 'tel:+15550100003', silent: false }],
    [
      'an attended one',
      `<sip:c@example.com?Replaces=${escaped}&Require=replaces>`,
      {
        uri: 'sip:c@example.com',
        silent: false,
        replaces: { callId: 'x@y', toTag: 't1', fromTag: 'f1', earlyOnly: false },
      },
    ],
    [
      'with other headers, which are not sent',
      '<sip:c@example.com?Subject=x>',
      { uri: 'sip:c@example.com', silent: false },
    ],
  ])('%s', (_name, value, expected) => expect(readRefer(refer(['Refer-To', value]))).toEqual(expected));

  it.each([
    ['none', [], 400],
    [
      'two',
      [
        ['Refer-To', '<sip:c@e.com>'],
        ['Refer-To', '<sip:d@e.com>'],
      ],
      400,
    ],
    ['junk', [['Refer-To', '<<>']], 400],
    ['of a page', [['Refer-To', '<http://example.com/x>']], 603],
    ['by BYE', [['Refer-To', '<sip:c@e.com;method=BYE>']], 603],
    ['a Replaces without tags', [['Refer-To', '<sip:c@e.com?Replaces=x%40y>']], 400],
  ] as const)('%s is refused', (_name, headers, refuse) => expect(readRefer(refer(...headers))).toEqual({ refuse }));

  it('that wants to hear nothing (RFC 4488)', () => {
    expect(readRefer(refer(['Refer-To', '<sip:c@e.com>'], ['Refer-Sub', 'false']))).toMatchObject({ silent: true });
  });

  it('is told of: first active, at the end terminated', () => {
    expect(referProgress(100)).toEqual({
      headers: [
        ['Event', 'refer'],
        ['Subscription-State', 'active;expires=600'],
      ],
      body: 'SIP/2.0 100 Trying\r\n',
    });
    expect(referProgress(486).headers[1]?.[1]).toMatch(/^terminated/);
    expect(referProgress(200, 7).headers[0]).toEqual(['Event', 'refer;id=7']);
    expect(referProgress(486).body).toBe('SIP/2.0 486 Busy Here\r\n');
  });
});

describe('who transferred (RFC 3892 section 3)', () => {
  it.each([
    [['"Eve" <sip:+15550100001;npdi@x>;cid="a@b"'], '+15550100001'],
    [['sip:eve@x;cid="a@b"'], 'eve'],
    [['<tel:+15550100001>'], '+15550100001'],
    [[`<sip:${'1'.repeat(64)}@x>`], '1'.repeat(64)],
    [[`<sip:${'1'.repeat(65)}@x>`], undefined],
    [['<sip:x>'], undefined],
    [['<<>'], undefined],
    [['<sip:a@x>', '<sip:b@x>'], undefined],
    [[], undefined],
  ])('%j names %s', (values, user) => {
    expect(readReferredBy(refer(...values.map((value) => ['Referred-By', value] as const)))).toBe(user);
  });

  it('is written by the number alone', () => {
    expect(referredBy('+15550100001', 'e.com')).toEqual([['Referred-By', '<sip:+15550100001@e.com>']]);
    expect(referredBy(undefined, 'e.com')).toEqual([]);
  });
});

describe('the name of a dialog', () => {
  it('is read and written', () => {
    expect(readDialogName(writeDialogName({ ...NAME, callId: 'a@c' }))).toEqual({
      ...NAME,
      callId: 'a@c',
      earlyOnly: false,
    });
    expect(readDialogName('a@c; to-tag=t ;From-Tag=f;early-only')).toEqual({
      callId: 'a@c',
      toTag: 't',
      fromTag: 'f',
      earlyOnly: true,
    });
  });

  it.each(['', ';to-tag=a;from-tag=b', 'x;to-tag=a', 'x;from-tag=a', 'x;to-tag=a;to-tag=b;from-tag=c'])(
    '%j is none',
    (value) => expect(readDialogName(value)).toBeUndefined(),
  );
});

it.each<[string, string | undefined, boolean]>([
  ['a', 'a', true],
  ['a', 'b', false],
  ['0', '', true],
  ['0', undefined, false],
  ['0', '0', true],
  ['0', 'a', false],
  ['a', '', false],
])('the tag %s means %s: %s (RFC 3891 section 3)', (named, tag, means) => {
  expect(isTag(named, tag)).toBe(means);
});

describe('a SUBSCRIBE inside a call (RFC 6665 section 4.5.2)', () => {
  it.each([
    ['dialog', true],
    ['refer;id=9', false],
  ])('for "%s", of which nobody is told there, gets 403, that says so of another package: %s', (event, says) => {
    const { status, headers } = renewsNews(newRequest('SUBSCRIBE', 'sip:x@x', [['Event', event]]), { id: 7 });
    expect([status, headers.map(([name]) => name)]).toEqual([403, says ? ['Warning'] : []]);
  });
});
