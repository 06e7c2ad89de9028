/** Features that meet: the same outcome straight at the softswitch, behind a gateway, and in a house that is cut off. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cutAt, OUTSIDE, openPlace, PLACES, type Place, restoreAt, setAt, wordsAt } from './feature-places.ts';
import { type Features, last } from './words.ts';

type Outcome = readonly (number | string)[];
/** A phone, and what it dials. */
interface Try {
  readonly by: number;
  readonly to: (numbers: readonly string[]) => string;
  readonly manners?: readonly (readonly [number, 'busy' | 'ring' | 'decline'])[];
  readonly comes: Outcome;
}
type Combination = readonly [string, (numbers: readonly string[]) => readonly Features[], readonly Try[]];

const to =
  (n: number, prefix = '') =>
  (numbers: readonly string[]) =>
    `${prefix}${numbers[n]}`;

const COMBINATIONS: readonly Combination[] = [
  [
    'a block comes before forwarding always',
    ([, b = '', c = '']) => [{ block: [b], forward: { always: c } }],
    [
      { by: 1, to: to(0), comes: [603] },
      { by: 3, to: to(0), comes: ['up', 2] },
    ],
  ],
  [
    'do not disturb lets forwarding always be',
    ([, , c = '']) => [{ doNotDisturb: true, forward: { always: c } }],
    [{ by: 1, to: to(0), comes: ['up', 2] }],
  ],
  [
    'a block comes before forwarding when busy',
    ([, b = '', c = '']) => [{ block: [b], forward: { busy: c } }],
    [
      { by: 1, to: to(0), manners: [[0, 'busy']], comes: [603] },
      { by: 3, to: to(0), manners: [[0, 'busy']], comes: ['up', 2] },
    ],
  ],
  [
    'who is sent on is screened by whom it reaches',
    ([, b = '', c = '']) => [{ forward: { always: c } }, {}, { block: [b] }],
    [
      { by: 1, to: to(0), comes: [603] },
      { by: 3, to: to(0), comes: ['up', 2] },
    ],
  ],
  [
    'do not disturb sends on to who is next',
    ([, , c = '']) => [{ doNotDisturb: true, forward: { busy: c } }],
    [{ by: 1, to: to(0), comes: ['up', 2] }],
  ],
  [
    'a hunt passes over who wants quiet or blocks the caller, and the caller',
    ([, b = '', c = '', d = '']) => [{ hunt: [b, c, d] }, { doNotDisturb: true }, { block: [b] }],
    [
      { by: 1, to: to(0), manners: [[0, 'busy']], comes: ['up', 3] },
      { by: 3, to: to(0), manners: [[0, 'busy']], comes: ['up', 2] },
    ],
  ],
  [
    'a hunt in which all are busy ends so',
    ([, , c = '', d = '']) => [{ hunt: [c, d] }],
    [
      {
        ...{ by: 1, to: to(0), comes: [486] },
        manners: [
          [0, 'busy'],
          [2, 'busy'],
          [3, 'busy'],
        ],
      },
    ],
  ],
  [
    'a hunt goes on where one declines, and ends as the last one left it; there is no forward for that',
    ([, , c = '', d = '']) => [{ hunt: [c], forward: { busy: d } }],
    [
      { by: 1, to: to(0), manners: [[0, 'decline']], comes: ['up', 2] },
      {
        ...{ by: 1, to: to(0), comes: [603] },
        manners: [
          [0, 'busy'],
          [2, 'decline'],
        ],
      },
    ],
  ],
  [
    'who declines does so for one line: who rings along rings on',
    ([, , c = '']) => [{ ringAlso: [c] }],
    [
      { by: 1, to: to(0), manners: [[0, 'decline']], comes: ['up', 2] },
      {
        ...{ by: 1, to: to(0), comes: [603] },
        manners: [
          [0, 'decline'],
          [2, 'busy'],
        ],
      },
    ],
  ],
  [
    'three lines that forward to each other ring nobody',
    ([a = '', b = '', c = '']) => [{ forward: { always: b } }, { forward: { always: c } }, { forward: { always: a } }],
    [{ by: 3, to: to(0), comes: [404] }],
  ],
  [
    'three lines that forward to each other when busy end busy',
    ([a = '', b = '', c = '']) => [{ forward: { busy: b } }, { forward: { busy: c } }, { forward: { busy: a } }],
    [
      {
        ...{ by: 3, to: to(0), comes: [486] },
        manners: [
          [0, 'busy'],
          [1, 'busy'],
          [2, 'busy'],
        ],
      },
    ],
  ],
  [
    'anonymous rejection holds for a number that is withheld for good, not for one that is shown once',
    () => [{ rejectAnonymous: true }, { hideNumber: true }],
    [
      { by: 1, to: to(0), comes: [433] },
      { by: 1, to: to(0, '*31#'), comes: ['up', 0] },
    ],
  ],
];

describe.each(PLACES)('%s', (where) => {
  let place: Place;
  beforeAll(async () => {
    place = await openPlace(where, 101);
  });
  afterAll(() => place?.stage[Symbol.asyncDispose]());
  afterEach(() => restoreAt(place));

  it.each(COMBINATIONS)('%s', async (_what, features, tries) => {
    const { phones, numbers } = place;
    for (const [line, own] of features(numbers).entries()) await setAt(place, own, line);
    await cutAt(place);
    const words = wordsAt(place);
    for (const { by, to: target, manners = [], comes } of tries) {
      for (const phone of phones) phone.manner = 'answer';
      for (const [n, manner] of manners) (phones[n] ?? words.a).manner = manner;
      expect(await words.tries(phones[by] ?? words.a, target(numbers))).toEqual(comes);
    }
  });

  it('whom anonymous rejection turned away is nobody to call back, and who called before is not any more', async () => {
    const { a, b, c, own, tries } = wordsAt(place);
    await cutAt(place);
    expect(await tries(b, own)).toEqual(['up', 0]);
    expect(await tries(c, `#31#${own}`)).toEqual(['up', 0]);
    expect(await tries(a, '*69')).toEqual([404]);
  });

  it('busy and a call waiting: forwarding when busy takes the second call only where none may wait', async () => {
    const { a, b, c, d, own, number, dial, until } = wordsAt(place);
    for (const noWaiting of [false, true]) {
      await restoreAt(place);
      await setAt(place, { forward: { busy: number(3) }, ...(noWaiting ? { noWaiting } : {}) });
      await cutAt(place);
      const [before, talk] = [a.calls.length, await dial(b, own)];
      const second = await dial(c, own);
      // Two of its own, or one of its own and one sent on.
      expect([second.state, a.calls.length - before, last(noWaiting ? d : a).state]).toEqual([
        'up',
        noWaiting ? 1 : 2,
        'up',
      ]);
      for (const call of [talk, second]) call.hangup();
      await until(() => last(a).state === 'ended', 'the end');
    }
  });

  it('a bar holds for what the line forwards, whatever PIN its owner has', async () => {
    const { b, own, tries } = wordsAt(place);
    await setAt(place, { bar: ['local', 'national'], pin: '2468', forward: { always: OUTSIDE } });
    await cutAt(place);
    // While the WAN is cut there is no way out, barred or not.
    const no = place.cut ? 480 : 403;
    expect(await tries(b, own)).toEqual([no]);
    expect(await tries(b, `*33*2468*${own}`)).toEqual([no]);
  });

  it('no code, list or line leads to help, which is dialled itself', async () => {
    const { a } = wordsAt(place);
    const { stage, home } = place;
    for (const features of [{ hotLine: '112' }, { short: [{ code: '1', to: '112' }] }, { forward: { always: '911' } }])
      await expect(setAt(place, features)).rejects.toThrow(/400.*help/s);
    await cutAt(place);
    for (const code of ['*52*112#', '*51*1*112#', '*21*112#']) {
      const call = await wordsAt(place).dial(a, code);
      expect(call.state).toBe('up');
      await wordsAt(place).until(() => call.state === 'ended', 'the tone to end');
    }
    place.world.heal();
    await place.world.run(5_000);
    expect(await stage.api('line.features.get', { home: home.id, line: home.lines[0]?.id ?? '' })).toEqual({});
  });

  it.skipIf(where === 'straight at the softswitch')(
    'a parked call is none of the two that *7 brings together',
    async () => {
      const { a, b, c, d, own, number, dial, over, until } = wordsAt(place);
      await cutAt(place);
      const parked = await dial(b, own);
      expect(await place.world.settle(a.refer(last(a), '*5'))).toBe(202);
      await until(() => last(a).state === 'ended', 'the phone to be out');
      const talk = await dial(a, number(2));
      expect([(await dial(a, '*7')).status, talk.state, parked.state]).toEqual([491, 'up', 'up']);
      const fetching = await dial(d, '*5');
      expect([fetching.state, last(c).state]).toEqual(['up', 'up']);
      talk.hangup();
      await over(fetching);
    },
  );

  it('a call that is picked up in the moment of its answer has one who talks, and one who hears that', async () => {
    const { a, b, c, own, number, until, over } = wordsAt(place);
    await setAt(place, { hunt: [number(3)], noAnswerAfter: 5 });
    await cutAt(place);
    a.manner = 'ring';
    const calling = await place.world.settle(b.dial(own));
    const d = place.phones[3] ?? a;
    await until(() => d.calls.at(-1)?.state === 'ringing', 'the hunt', 30_000);
    // The last phone answers after 100 ms: the code comes with its answer.
    const taking = c.dial('*8');
    last(d).answer();
    const taker = await place.world.settle(taking);
    await until(() => taker.state !== 'calling' && taker.state !== 'ringing', 'an outcome');
    await place.world.run(1_000);
    const talks = [taker, last(d)].filter(({ state }) => state === 'up');
    expect([calling.state, talks.length]).toEqual(['up', 1]);
    await over(calling);
  });
});
