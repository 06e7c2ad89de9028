import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromCarrier, identityOf, onlyCodecs, type TrunkChoice, translate, trunksFor } from './trunk.ts';

describe('digits', () => {
  const rules = [
    { prefix: '+44', replace: '0044' },
    { prefix: '+4420', replace: '020' },
    { prefix: '', replace: '9' },
  ];
  it.each([
    ['+4420123', '020123'],
    ['+44161', '0044161'],
    ['+1', '9+1'],
  ])('%s becomes %s: the longest prefix, once', (number, expected) => {
    expect(translate(number, rules)).toBe(expected);
  });

  it.each([
    ['15550100001', '+15550100001'],
    ['+15550100001', '+15550100001'],
    ['5550100001', '+15550100001'],
    ['442071838750', '+442071838750'],
    ['anonymous', undefined],
    ['+33-142.(68)5301', '+33142685301'],
    ['', undefined],
  ])('a carrier’s %s is %s', (text, expected) => {
    expect(fromCarrier(text, [])).toBe(expected);
  });

  it('a carrier’s own writing is translated first', () => {
    expect(fromCarrier('0161123456', [{ prefix: '0', replace: '+44' }])).toBe('+44161123456');
  });
});

const trunk = (id: string, more: Partial<TrunkChoice> = {}): TrunkChoice => ({
  ...{ id, priority: 100, weight: 1, prefixes: [], maxCalls: 10, calls: 0, down: false },
  ...more,
});
const order = (number: string, all: readonly TrunkChoice[], fraction = 0) =>
  trunksFor(number, all, () => fraction).map(({ id }) => id);

describe('which trunk', () => {
  it.each([
    ['the lowest priority first', [trunk('b', { priority: 2 }), trunk('a', { priority: 1 })], ['a', 'b']],
    ['a longer prefix before it', [trunk('a', { priority: 1 }), trunk('b', { prefixes: ['+44'] })], ['b', 'a']],
    ['not those of other prefixes', [trunk('a', { prefixes: ['+49'] }), trunk('b')], ['b']],
    ['not the full ones', [trunk('a', { calls: 10 }), trunk('b')], ['b']],
    ['the dead ones last', [trunk('a', { down: true, priority: 1 }), trunk('b', { priority: 9 })], ['b', 'a']],
  ])('%s', (_name, all, expected) => {
    expect(order('+442071838750', all)).toEqual(expected);
  });

  it.each([
    [1, 1, 500],
    [9, 1, 900],
    [1, 3, 250],
    // A weight of 0 is for when nobody else is there; of several such each has the same chance.
    [0, 1, 0],
    [0, 0, 500],
  ])('of equals with weights %i and %i the first comes %i times of 1,000', (a, b, expected) => {
    const all = [trunk('a', { weight: a }), trunk('b', { weight: b })];
    const first = Array.from({ length: 1_000 }, (_, i) => order('+1', all, i / 1_000)[0]);
    expect(first.filter((id) => id === 'a')).toHaveLength(expected);
  });

  it('each that fits comes once, whatever is drawn', () => {
    const one = fc.record({
      ...{ priority: fc.nat(3), weight: fc.nat(5), calls: fc.nat(2), maxCalls: fc.constant(2), down: fc.boolean() },
      prefixes: fc.constantFrom([], ['+4'], ['+44']),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), fc.double({ min: 0, max: 0.999, noNaN: true }), (list, draw) => {
        const all = list.map((entry, i) => ({ id: `t${i}`, ...entry }));
        const chosen = trunksFor('+44', all, () => draw).map(({ id }) => id);
        expect(chosen.toSorted()).toEqual(
          all
            .filter(({ calls }) => calls < 2)
            .map(({ id }) => id)
            .toSorted(),
        );
      }),
    );
  });
});

describe('codecs', () => {
  const sdp = [
    ...[
      'v=0',
      'o=- 1 1 IN IP4 h',
      's=-',
      'c=IN IP4 h',
      't=0 0',
      'm=audio 4000 RTP/AVP 111 0 8 101',
      'a=rtpmap:111 opus/48000/2',
    ],
    ...['a=fmtp:111 useinbandfec=1', 'a=rtpmap:101 telephone-event/8000', 'a=fmtp:101 0-15', 'a=sendrecv', ''],
  ].join('\r\n');

  it('those named stay, with their lines; digits always do', () => {
    const text = onlyCodecs(sdp, ['pcma']) ?? '';
    expect(text).toContain('m=audio 4000 RTP/AVP 8 101\r\n');
    expect(text).not.toMatch(/111|opus/);
    expect(text).toContain('a=fmtp:101 0-15');
    expect(onlyCodecs(sdp, ['OPUS'])).toContain('RTP/AVP 111 101\r\n');
  });

  it('no names: as it is; none in common: nothing', () => {
    expect(onlyCodecs(sdp, [])).toBe(sdp);
    expect(onlyCodecs(sdp, ['G729'])).toBeUndefined();
    expect(onlyCodecs('junk', ['PCMU'])).toBe('junk');
  });
});

describe('whose name', () => {
  const caller = { number: '+15550100001', display: 'Ann', hidden: false };
  it.each([
    ['both', {}, caller, { user: '+15550100001', display: 'Ann' }, '+15550100001'],
    ['From alone', { header: 'from' as const }, caller, { user: '+15550100001', display: 'Ann' }, undefined],
    ['the account in From', { header: 'asserted' as const }, caller, { user: 'acc', display: 'Ann' }, '+15550100001'],
    ['one for all', { number: '+1555' }, caller, { user: '+1555', display: 'Ann' }, '+1555'],
    [
      'who sent it on vouches',
      {},
      { ...caller, owner: '+15550100002' },
      { user: '+15550100001', display: 'Ann' },
      '+15550100002',
    ],
    ['a withheld one', {}, { ...caller, hidden: true }, undefined, '+15550100001'],
  ])('%s', (_name, rules, of, from, asserted) => {
    const identity = identityOf(of, rules, 'acc');
    expect([identity.from, identity.asserted, identity.private]).toEqual([from, asserted, of.hidden]);
  });
});
