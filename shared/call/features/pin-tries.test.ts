import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meaning } from './dialling.ts';
import type { LineFeatures } from './document.ts';
import { FIRST_LOCK, FORGET_AFTER, LAST_LOCK, LINES_REMEMBERED, PIN_TRIES, PIN_WINDOW, PinTries } from './pin-tries.ts';

const own: LineFeatures = { pin: '2468', bar: ['premium'] };
const line = () => {
  const tries = new PinTries();
  return (dialled: string, now = 0, name = 'line_1') =>
    tries.taken(name, own.pin, dialled, meaning(own, dialled, false, '+15550101001'), now).meant;
};
const to = '+19005551234';
const call = (pin: string) => `*33*${pin}*${to}`;
const past = { do: 'call', to, hidden: false, pin: '2468' };

describe('codes with a PIN', () => {
  it.each([
    ['past the bar', call('0000'), call('2468'), past, { do: 'call', to, hidden: false }],
    ['a bar lifted', '#34*0000#', '#34*2468#', { do: 'change', changes: { bar: [] } }, { do: 'refuse' }],
    [
      'the PIN changed',
      '*35*0000*1111*1111#',
      '*35*2468*1357*1357#',
      { do: 'change', changes: { pin: '1357' } },
      { do: 'refuse' },
    ],
  ])(
    '%s: after five wrong ones the right one is taken no more, until its time is over',
    (_what, wrong, right, taken, refused) => {
      const dial = line();
      for (let n = 1; n < PIN_TRIES; n++) dial(wrong);
      expect(dial(right)).toEqual(taken);
      for (let n = 0; n < PIN_TRIES; n++) dial(wrong);
      expect(dial(right, FIRST_LOCK - 1)).toEqual(refused);
      expect(dial(right, FIRST_LOCK - 1, 'line_2')).toEqual(taken);
      expect(dial(right, FIRST_LOCK)).toEqual(taken);
    },
  );

  it('are taken where the wrong ones came slowly', () => {
    const dial = line();
    for (let n = 0; n < 20; n++) dial(call('0000'), n * (PIN_WINDOW / (PIN_TRIES - 2)));
    expect(dial(call('2468'), 20 * PIN_WINDOW)).toEqual(past);
  });

  it('of other kinds, and plain numbers, are never held up', () => {
    const dial = line();
    for (let n = 0; n < 20; n++) dial(call('0000'));
    expect(dial(to)).toEqual({ do: 'call', to, hidden: false });
    expect(dial('*26#')).toEqual({ do: 'change', changes: { doNotDisturb: true } });
  });
});

it('each further lock is twice as long, up to a day, so that all PINs of four digits take years', () => {
  const dial = line();
  const locks: number[] = [];
  for (let now = 0, lock = FIRST_LOCK; locks.length < 12; now += lock, lock = Math.min(lock * 2, LAST_LOCK)) {
    for (let n = 0; n < PIN_TRIES; n++) dial(call('0000'), now);
    expect(dial(call('2468'), now + lock - 1)).not.toHaveProperty('pin');
    locks.push(lock);
  }
  expect(locks.slice(0, 3)).toEqual([FIRST_LOCK, 2 * FIRST_LOCK, 4 * FIRST_LOCK]);
  expect((10_000 / PIN_TRIES) * (locks.at(-1) ?? 0)).toBeGreaterThan(5 * 365 * 86_400_000);
});

it.each([
  ['so long after a lock, all begins anew', 1, FIRST_LOCK],
  ['and not before', 0, 2 * FIRST_LOCK],
])('%s, in a process that has run all the while', (_what, later, lock) => {
  const dial = line();
  for (let n = 0; n < PIN_TRIES; n++) dial(call('0000'));
  const now = FIRST_LOCK + FORGET_AFTER + later;
  for (let n = 0; n < PIN_TRIES; n++) dial(call('0000'), now);
  expect(dial(call('2468'), now + lock - 1)).not.toHaveProperty('pin');
  expect(dial(call('2468'), now + lock)).toEqual(past);
});

describe('what is kept over a restart', () => {
  const dial = (tries: PinTries, dialled: string, now: number) =>
    tries.taken('line_1', own.pin, dialled, meaning(own, dialled, false, '+15550101001'), now);

  it('changes with each wrong one, says which was one too many, and goes with a right one', () => {
    const tries = new PinTries();
    const said = Array.from({ length: PIN_TRIES }, (_, n) => dial(tries, call('0000'), n).changed);
    expect(said.map((one) => one?.locked)).toEqual([false, false, false, false, true]);
    expect(said[1]?.kept).toEqual({ line: 'line_1', since: 0, wrong: 2, until: 0, lock: FIRST_LOCK });
    expect(said[4]?.kept).toMatchObject({ wrong: 0, until: 4 + FIRST_LOCK, lock: 2 * FIRST_LOCK });
    expect(tries.kept()).toEqual([said[4]?.kept]);
    expect(dial(tries, call('0000'), 5).changed).toBeUndefined();
    expect(dial(tries, call('2468'), 5 + FIRST_LOCK).changed).toEqual({ kept: undefined, locked: false });
    expect(tries.kept()).toEqual([]);
    expect(dial(tries, call('2468'), 6 + FIRST_LOCK).changed).toBeUndefined();
  });

  it('goes on as it was: the tries, the lock, and how long the next one is', () => {
    const before = new PinTries();
    for (let n = 0; n < PIN_TRIES - 1; n++) dial(before, call('0000'), n);
    const after = new PinTries();
    after.restore(before.kept(), 100);
    expect(dial(after, call('0000'), 100).changed?.locked).toBe(true);
    const last = new PinTries();
    last.restore(after.kept(), 200);
    expect(dial(last, call('2468'), 99 + FIRST_LOCK).meant).not.toHaveProperty('pin');
    expect(dial(last, call('2468'), 100 + FIRST_LOCK).meant).toEqual(past);
  });

  it('is no longer than it may be where the clock went back', () => {
    const tries = new PinTries();
    tries.restore([{ line: 'line_1', since: 9e12, wrong: 0, until: 9e12, lock: FIRST_LOCK }], 0);
    expect(dial(tries, call('2468'), FIRST_LOCK - 1).meant).not.toHaveProperty('pin');
    expect(dial(tries, call('2468'), FIRST_LOCK).meant).toEqual(past);
  });
});

it('remembers a bounded number of lines', () => {
  const dial = line();
  for (let n = 0; n < PIN_TRIES; n++) dial(call('0000'), 0, 'first');
  for (let n = 0; n < LINES_REMEMBERED - 1; n++) dial(call('0000'), 0, `line_${n}`);
  expect(dial(call('2468'), 1, 'first')).not.toHaveProperty('pin');
  dial(call('0000'), 0, 'one more');
  expect(dial(call('2468'), 1, 'first')).toEqual(past);
});

it('whatever is dialled, nobody gets more than they dialled', () => {
  const code = fc.oneof(fc.constantFrom(call('0000'), call('2468'), '#34*2468#', '*26#', to), fc.string());
  fc.assert(
    fc.property(fc.array(code, { maxLength: 30 }), (codes) => {
      const dial = line();
      for (const one of codes) {
        const [plain, taken] = [meaning(own, one, false, '+15550101001'), dial(one)];
        if (taken.do !== 'refuse' && taken.do !== 'call') expect(taken).toEqual(plain);
        if (taken.do === 'call') expect({ ...plain, ...taken }).toEqual(plain);
      }
    }),
  );
});
