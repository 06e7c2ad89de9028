import { describe, expect, it } from 'vitest';
import { withChanges } from './document.ts';
import { readStarCode } from './star-codes.ts';

describe('star codes', () => {
  it.each([
    ['*21*+15550100009#', { forward: { always: '+15550100009' } }],
    ['*21*5550100009', { forward: { always: '5550100009' } }],
    ['#21#', { forward: { always: undefined } }],
    ['*67*102#', { forward: { busy: '102' } }],
    ['*61*102#', { forward: { noAnswer: '102' } }],
    ['*61*102*30#', { forward: { noAnswer: '102' }, noAnswerAfter: 30 }],
    ['*61*102*5', { forward: { noAnswer: '102' }, noAnswerAfter: 5 }],
    ['*62*102#', { forward: { offline: '102' } }],
    ['#62#', { forward: { offline: undefined } }],
    ['*26#', { doNotDisturb: true }],
    ['#26#', { doNotDisturb: false }],
    ['*30#', { rejectAnonymous: true }],
    ['*31#', { hideNumber: true }],
    ['#31#', { hideNumber: false }],
    ['*43#', { noWaiting: false }],
    ['#43#', { noWaiting: true }],
    ['*46#', { noHoldMusic: false }],
    ['#46#', { noHoldMusic: true }],
  ])('%s', (dialled, changes) => expect(readStarCode(dialled)).toEqual({ do: 'change', changes }));

  it.each([
    ['#31#+15550100009', true],
    ['*31#+15550100009', false],
  ])('%s is a call', (dialled, hidden) =>
    expect(readStarCode(dialled)).toEqual({ do: 'call', to: '+15550100009', hidden }),
  );

  it('lets one call past the bar', () => {
    expect(readStarCode('*33*2468*+4930123456')).toEqual({ do: 'call', to: '+4930123456', pin: '2468' });
  });

  it.each([
    ['*8', undefined],
    ['*8#', undefined],
    ['*8*102#', '102'],
    ['*8*102', '102'],
  ])('%s takes a call that rings', (dialled, at) =>
    expect(readStarCode(dialled)).toEqual({ do: 'pickup', ...(at === undefined ? {} : { at }) }),
  );

  it.each(['*7', '*7#'])('%s brings two calls together', (dialled) =>
    expect(readStarCode(dialled)).toEqual({ do: 'together' }),
  );

  it.each([
    ['*66', 'dialled'],
    ['*66#', 'dialled'],
    ['*69', 'caller'],
    ['*69#', 'caller'],
  ])('%s calls the last number again', (dialled, of) => expect(readStarCode(dialled)).toEqual({ do: 'last', of }));

  it.each([
    '+15550100009',
    '#66',
    '*66*1',
    '#33*1*2',
    '112',
    '*',
    '#',
    '*99#',
    '*55',
    '*21',
    '#21*1#',
    '*26',
    '*26#7',
    'kitchen',
  ])('%s is none of them', (dialled) => expect(readStarCode(dialled)).toBeUndefined());

  it.each([
    '*8*',
    '*8*#',
    '*8*1*2',
    '*33**102',
    '*33*2468',
    '*33*2468*',
    '*33*1*2*3',
    '*21*#',
    '*21*1#',
    '*21*12#34#',
    '*21*12*34#',
    '*61*102*4#',
    '*61*102*61#',
    '*61*102*#',
    '*61*102*30*1#',
  ])('%s is refused', (dialled) => expect(readStarCode(dialled)).toEqual({ do: 'refuse' }));
});

describe('changes of the document', () => {
  it('come and go without leaving anything behind', () => {
    const on = withChanges({ block: ['+1'] }, { doNotDisturb: true, forward: { busy: '102' } });
    expect(on).toEqual({ block: ['+1'], doNotDisturb: true, forward: { busy: '102' } });
    const more = withChanges(on, { forward: { always: '103' } });
    expect(more.forward).toEqual({ busy: '102', always: '103' });
    const off = withChanges(withChanges(more, { forward: { busy: undefined } }), { forward: { always: undefined } });
    expect(withChanges(off, { doNotDisturb: false })).toEqual({ block: ['+1'] });
  });
});
