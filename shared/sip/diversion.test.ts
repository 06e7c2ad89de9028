import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CAUSES,
  type DiversionReason,
  type Diverted,
  ENTRIES,
  readDiversion,
  timesOf,
  writeDiversion,
} from './diversion.ts';
import { diversionsOf, readHistory, writeHistory } from './history-info.ts';
import { newRequest } from './message.ts';

const message = (headers: [string, string][]) => newRequest('INVITE', 'sip:1@x', headers);
const diversion = (...values: string[]) => readDiversion(message(values.map((value) => ['Diversion', value])));
const history = (...values: string[]) => readHistory(message(values.map((value) => ['History-Info', value])));
const TO = { called: '+15550100009', domain: 'x.example', trusted: true };

describe('Diversion', () => {
  it('is read with the oldest first', () => {
    expect(
      diversion(
        '<sip:+15550100002@a>;reason=user-busy;privacy=full;counter=2, "B" <tel:+1-555-0100>;reason="No-Answer"',
        '<sip:+15550100001;npdi@a>',
      ),
    ).toEqual([
      { number: '+15550100001', reason: 'unknown' },
      { number: '+1-555-0100', reason: 'no-answer' },
      { number: '+15550100002', reason: 'user-busy', hidden: true, count: 2 },
    ]);
  });

  it.each([
    ['a malformed address', 'x <'],
    ['nobody', '<sip:a.example>'],
    ['a long user', `<sip:${'1'.repeat(65)}@a>`],
  ])('%s is left out', (_name, value) => expect(diversion(value)).toEqual([]));

  it('counts a counter that is none as many', () => {
    expect(timesOf(diversion('<sip:1@a>;counter=99999999'))).toBe(100);
    expect(diversion('<sip:1@a>;reason=__proto__')).toEqual([{ number: '1', reason: 'unknown' }]);
  });

  it('is read no further than the limit', () => {
    expect(diversion(...new Array(ENTRIES + 1).fill('<sip:1@a>'))).toHaveLength(ENTRIES);
  });
});

const number = fc.stringMatching(/^\+[1-9][0-9]{5,14}$/);
const reason = fc.constantFrom(...(Object.keys(CAUSES) as DiversionReason[]));
const chain = (reasons: fc.Arbitrary<DiversionReason>) =>
  fc.array(
    fc
      .record({ number, reason: reasons, hidden: fc.boolean() })
      .map(({ hidden, ...one }): Diverted => ({ ...one, ...(hidden ? { hidden } : {}) })),
    { maxLength: 8 },
  );

describe('both header fields', () => {
  it('say what was written, Diversion with every reason', () => {
    fc.assert(
      fc.property(chain(reason), (list) => {
        expect(diversion(...writeDiversion(list, TO))).toEqual(list);
      }),
      { numRuns: 60 },
    );
  });

  it('say what was written, History-Info with every cause that has one reason', () => {
    const told = fc.constantFrom<DiversionReason>(
      'unconditional',
      'user-busy',
      'no-answer',
      'deflection',
      'unavailable',
      'unknown',
    );
    fc.assert(
      fc.property(chain(told), (list) => {
        fc.pre(list.every((one, i) => one.number !== list[i - 1]?.number));
        expect(history(...writeHistory(list, TO))).toEqual(list);
      }),
      { numRuns: 60 },
    );
  });

  it('never name a withheld number to those who may not know it', () => {
    fc.assert(
      fc.property(chain(reason), (list) => {
        const untrusted = { ...TO, trusted: false };
        const text = [...writeHistory(list, untrusted), ...writeDiversion(list, untrusted)].join();
        const open = new Set([TO.called, ...list.filter(({ hidden }) => hidden !== true).map((one) => one.number)]);
        for (const one of list) if (!open.has(one.number)) expect(text).not.toContain(`${one.number}@`);
      }),
      { numRuns: 60 },
    );
  });

  it('are both looked at: whichever tells of more times counts', () => {
    const longer = message([
      ['Diversion', '<sip:1@a>;counter=3'],
      ['History-Info', '<sip:2@a>;index=1, <sip:3@a;cause=302>;index=1.1;mp=1'],
    ]);
    expect(diversionsOf(longer)).toEqual([{ number: '1', reason: 'unknown', count: 3 }]);
    const bare = [['History-Info', '<sip:2@a>;index=1, <sip:3@a>;index=1.1;mp=1']] as [string, string][];
    expect(diversionsOf(message([['Diversion', '<sip:2@a>;reason=away'], ...bare]))[0]?.reason).toBe('away');
    expect(diversionsOf(message([['History-Info', '<sip:2@a>;index=1, <sip:3@a;cause=302>;index=1.1']]))).toEqual([
      { number: '2', reason: 'unconditional' },
    ]);
  });
});

describe('History-Info', () => {
  it('is written as a tree: each sends on to the next', () => {
    const list: Diverted[] = [
      { number: '+1', reason: 'unconditional' },
      { number: '+2', reason: 'user-busy', hidden: true },
    ];
    expect(writeHistory(list, { called: '+3', domain: 'a', trusted: true })).toEqual([
      '<sip:+1@a>;index=1',
      '<sip:+2@a;cause=302?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1.1;mp=1',
      '<sip:+3@a;cause=486>;index=1.1.1;mp=1.1',
    ]);
    expect(writeHistory(list, { called: '+3', domain: 'a', trusted: false })[1]).toBe(
      '<sip:anonymous@anonymous.invalid;cause=302>;index=1.1;mp=1',
    );
    expect(writeHistory([], TO)).toEqual([]);
  });

  it('says which response moved the call (RFC 7044 section 10.2)', () => {
    const moved: Diverted[] = [{ number: '+1', reason: 'deflection' }];
    expect(writeHistory(moved, { called: '+3', domain: 'a', trusted: true })).toEqual([
      '<sip:+1@a?Reason=SIP%3Bcause%3D302>;index=1',
      '<sip:+3@a;cause=480>;index=1.1;mp=1',
    ]);
  });

  it('gives who sends a call on twice another branch, and does not tell whom it rang in between', () => {
    const twice: Diverted[] = [
      { number: '+1', reason: 'user-busy' },
      { number: '+1', reason: 'no-answer' },
    ];
    expect(writeHistory(twice, { called: '+3', domain: 'a', trusted: true })).toEqual([
      '<sip:+1@a?Reason=SIP%3Bcause%3D486>;index=1',
      '<sip:+3@a;cause=408>;index=1.2;mp=1',
    ]);
  });

  it('is read by index, whatever the order', () => {
    expect(
      history('<sip:3@a;cause=408>;index=1.2.1;rc=1.2', '<sip:2@a;cause=487>;index=1.2;mp=1', '<sip:1@a>;index=1'),
    ).toEqual([
      { number: '1', reason: 'deflection' },
      { number: '2', reason: 'no-answer' },
    ]);
  });

  it('tells of those who sent the call on without a cause, by the response that moved it (RFC 7044 sections 10.2, 10.4)', () => {
    const moved = (responses: string, ...more: string[]) =>
      history('<sip:1@a>;index=1', `<sip:1@c${responses}>;index=1.1;rc=1`, '<sip:2@a>;index=1.2;mp=1', ...more);
    for (const [code, reason] of [
      [302, 'deflection'],
      [486, 'user-busy'],
      [600, 'user-busy'],
      [408, 'no-answer'],
      [480, 'no-answer'],
      [503, 'unavailable'],
      [404, 'unknown'],
    ])
      expect([code, moved(`?Privacy=history&Reason=SIP%3Bcause%3D${code}%3Btext%3D%22x%22`)]).toEqual([
        code,
        [{ number: '1', reason }],
      ]);
    expect(moved('?Reason=Q.850%3Bcause%3D17')).toEqual([{ number: '1', reason: 'unknown' }]);
    expect(moved('')).toEqual([{ number: '1', reason: 'unknown' }]);
    expect(moved('', '<sip:3@a;cause=486>;index=1.2.1;mp=1.2').map(({ number }) => number)).toEqual(['1', '2']);
    // What another one answered is no reason of this one.
    const other = ['<sip:9@a?Reason=SIP%3Bcause%3D486>;index=2', '<sip:1@a>;index=3', '<sip:2@a>;index=3.1;mp=3'];
    expect(history(...other)).toEqual([{ number: '1', reason: 'unknown' }]);
    // The same user at another address has sent nothing on.
    expect(history('<sip:1@a>;index=1', '<sip:1@c>;index=1.1;rc=1', '<sip:1@d>;index=1.1.1;np=1.1')).toEqual([]);
  });

  it.each([
    ['an entry', ['<sip:1@a?Privacy=history>;index=1']],
    ['an entry, with its reason', ['<sip:1@a?Reason=SIP%3Bcause%3D486&Privacy=history%3Bid>;index=1']],
    ['nobody', ['<sip:anonymous@anonymous.invalid>;index=1']],
  ])('is kept by whoever it withholds: %s', (_name, [first = '']) => {
    expect(history(first, '<sip:2@a;cause=302>;index=1.1')[0]?.hidden).toBe(true);
  });

  it('is withheld as a whole where the message says so', () => {
    const all = message([
      ['Privacy', 'id;history'],
      ['History-Info', '<sip:1@a?Privacy=none>;index=1, <sip:2@a;cause=302>;index=1.1'],
    ]);
    expect(readHistory(all)).toEqual([{ number: '1', reason: 'unconditional', hidden: true }]);
    expect(history('<sip:1@a?Privacy=none>;index=1', '<sip:2@a;cause=302>;index=1.1')[0]?.hidden).toBeUndefined();
    const told = message([
      ['Privacy', 'header'],
      ['Diversion', '<sip:1@a>;reason=user-busy'],
    ]);
    expect(diversionsOf(told)).toEqual([{ number: '1', reason: 'user-busy', hidden: true }]);
  });

  it.each([
    ['no index', '<sip:2@a;cause=302>'],
    ['an index that is none', '<sip:2@a;cause=302>;index=1.x'],
    ['an index too deep', `<sip:2@a;cause=302>;index=${new Array(17).fill(1).join('.')}`],
    ['nobody above', '<sip:2@a;cause=302>;index=4.1'],
  ])('%s tells nothing', (_name, value) => expect(history('<sip:1@a>;index=1', value)).toEqual([]));
});
