import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { err, ok } from '#shared/kernel/result.ts';
import { type FaultCode, fault } from '#shared/protocol/fault.ts';
import {
  type Entry,
  FAILURES_LIMIT,
  IN_FLIGHT_LIMIT,
  OUTBOX_LIMIT,
  Outbox,
  type Priority,
  priorities,
} from './outbox.ts';

let serial = 0;
function entry(priority: Priority = 'usage', more: Partial<Entry> = {}): Entry {
  const n = ++serial;
  return { n, id: `e${n}`, verb: 'device.report', body: n, priority, keeps: 1e9, expires: 1e9, ...more };
}
const fails = (code: FaultCode, retryAfter?: number) =>
  err(fault(code, undefined, retryAfter === undefined ? {} : { retryAfter }));

describe('what goes next', () => {
  test('the most important, then the oldest', () => {
    const outbox = new Outbox();
    const [tele, usage, alarm, voice, voice2] = (['tele', 'usage', 'alarm', 'voice', 'voice'] as const).map((p) =>
      entry(p),
    );
    for (const each of [tele, usage, alarm, voice, voice2]) outbox.add(each as Entry, 10, 0);
    expect(Array.from({ length: 6 }, () => outbox.take(0))).toEqual([voice, voice2, alarm, usage, tele, undefined]);
  });

  test(`at most ${IN_FLIGHT_LIMIT} are on their way`, () => {
    const outbox = new Outbox();
    for (let i = 0; i <= IN_FLIGHT_LIMIT; i++) outbox.add(entry(), 10, 0);
    const taken = Array.from({ length: IN_FLIGHT_LIMIT }, () => outbox.take(0));
    expect(taken).not.toContain(undefined);
    expect(outbox.take(0)).toBeUndefined();
    expect(outbox.settle(taken[4]?.id ?? '', ok({}), 0)).toBe('told');
    expect(outbox.take(0)).toBeDefined();
  });

  test('of one order one at a time, first come first, also across a failure', () => {
    const outbox = new Outbox();
    const [first, second] = [entry('usage', { order: 'o' }), entry('voice', { order: 'o' })];
    outbox.add(first, 10, 0);
    outbox.add(second, 10, 0);
    expect(outbox.take(0)).toBe(first);
    expect(outbox.take(0)).toBeUndefined();
    outbox.settle(first.id, fails('timeout'), 0);
    expect(outbox.take(0)).toBeUndefined();
    expect(outbox.take(10_000)).toBe(first);
    outbox.settle(first.id, ok({}), 10_000);
    expect(outbox.take(10_000)).toBe(second);
  });

  test('a newer one of an order can take the place of those not yet sent', () => {
    const outbox = new Outbox();
    const [flying, stale, other] = [entry('usage', { order: 'o' }), entry('usage', { order: 'o' }), entry()];
    for (const each of [flying, stale, other]) outbox.add(each, 10, 0);
    outbox.take(0);
    expect(outbox.supersede('o')).toEqual([stale]);
    expect(outbox.entries()).toEqual([flying, other]);
    expect(outbox.range.lost).toBe(0);
  });
});

describe('an answer', () => {
  const table: [FaultCode, 'again' | 'refused'][] = [
    ['server_unavailable', 'again'],
    ['timeout', 'again'],
    ['rate_limited', 'again'],
    ['internal', 'again'],
    ['bad_request', 'refused'],
    ['forbidden', 'refused'],
    ['idempotency_mismatch', 'refused'],
  ];
  test.each(table)('%s means %s', (code, verdict) => {
    const outbox = new Outbox();
    const one = entry();
    outbox.add(one, 10, 0);
    outbox.take(0);
    expect(outbox.settle(one.id, fails(code), 0)).toBe(verdict);
    expect(outbox.size).toBe(verdict === 'again' ? 1 : 0);
    expect(outbox.range.lost).toBe(verdict === 'again' ? 0 : 1);
    expect(outbox.settle('nobody', ok({}), 0)).toBe('unknown');
  });

  test('that asks for patience gets it; the wait grows otherwise and a new connection ends it', () => {
    const outbox = new Outbox();
    const one = entry();
    outbox.add(one, 10, 0);
    outbox.take(0);
    outbox.settle(one.id, fails('rate_limited', 7000), 1000);
    expect(outbox.due(1000)).toBe(8000);
    outbox.take(8000);
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      outbox.settle(one.id, fails('timeout'), 8000);
      waits.push((outbox.due(8000) ?? 0) - 8000);
      expect(outbox.take(9e9)).toBe(one);
    }
    expect(waits).toEqual([2000, 4000, 8000]);
    outbox.settle(one.id, fails('timeout'), 8000);
    expect(outbox.take(8000)).toBeUndefined();
    outbox.hurry();
    expect(outbox.take(8000)).toBe(one);
  });

  test(`an entry on which the cloud fails ${FAILURES_LIMIT} times is given up, so that it stops nobody for ever`, () => {
    const outbox = new Outbox();
    const one = entry();
    outbox.add(one, 10, 0);
    for (let i = 1; i < FAILURES_LIMIT; i++) {
      outbox.take(i * 1e6);
      expect(outbox.settle(one.id, fails('internal'), i * 1e6)).toBe('again');
    }
    outbox.take(9e9);
    expect(outbox.settle(one.id, fails('internal'), 9e9)).toBe('refused');
  });
});

describe('a full outbox', () => {
  test('gives up the oldest of the least important that is not on its way, and counts it', () => {
    const outbox = new Outbox(0, 0, 50);
    const [voice, flying, usage, usage2] = [entry('voice'), entry('tele'), entry('usage'), entry('usage')];
    outbox.add(flying, 10, 0);
    expect(outbox.take(0)).toBe(flying);
    for (const each of [voice, usage, usage2]) outbox.add(each, 13, 0);
    expect(outbox.add(entry('alarm'), 1, 0)).toEqual([]);
    expect(outbox.add(entry('alarm'), 1, 0)).toEqual([usage]);
    const unimportant = entry('tele');
    expect(outbox.add(unimportant, 30, 0)).toEqual([unimportant]);
    expect(outbox.range.lost).toBe(2);
  });

  test('the limit counts octets: exactly full is fine, one more is not', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 256; i++) expect(outbox.add(entry(), OUTBOX_LIMIT / 256, 0)).toEqual([]);
    expect(outbox.octets).toBe(OUTBOX_LIMIT);
    expect(outbox.add(entry(), 1, 0)).toHaveLength(1);
  });
});

test('what has expired is dropped and counted, but not while it is on its way', () => {
  const outbox = new Outbox();
  const [flying, old, fresh] = [
    entry('usage', { expires: 10 }),
    entry('usage', { expires: 10 }),
    entry('usage', { expires: 11 }),
  ];
  for (const each of [flying, old, fresh]) outbox.add(each, 10, 0);
  outbox.take(0);
  expect(outbox.expire(10, 0)).toEqual([old]);
  expect(outbox.range).toEqual({ first: flying.n, last: fresh.n, lost: 1 });
});

test('what was made before the cloud told its time is kept from its making, or from the start at which it was found', () => {
  const outbox = new Outbox();
  const [old, fresh] = [10, 11].map((keeps) => {
    const { expires: _, ...rest } = entry('usage', { keeps });
    return rest;
  }) as [Entry, Entry];
  outbox.add(old, 10, 5);
  outbox.add(fresh, 10, 5);
  expect(outbox.waited(14)).toBe(9);
  expect(outbox.expire(4e12, 14)).toEqual([]);
  expect(outbox.expire(0, 15)).toEqual([old]);
  expect(outbox.entries()).toEqual([fresh]);
});

test('whatever happens, the books agree: told + lost + superseded + held = added, octets and flights add up', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          what: fc.constantFrom('add', 'take', 'ok', 'again', 'never', 'expire', 'supersede'),
          priority: fc.constantFrom(...priorities),
          order: fc.option(fc.constantFrom('x', 'y'), { nil: undefined }),
          octets: fc.integer({ min: 1, max: 40 }),
        }),
        { maxLength: 80 },
      ),
      (moves) => {
        const outbox = new Outbox(0, 0, 200);
        const flying: string[] = [];
        let [added, told, superseded] = [0, 0, 0];
        let now = 0;
        for (const { what, priority, order, octets } of moves) {
          now += 1000;
          if (what === 'add') {
            added++;
            outbox.add(entry(priority, { expires: now + 9000, ...(order === undefined ? {} : { order }) }), octets, 0);
          } else if (what === 'take') {
            const taken = outbox.take(now);
            if (taken !== undefined) flying.push(taken.id);
          } else if (what === 'expire') outbox.expire(now, 0);
          else if (what === 'supersede') superseded += outbox.supersede('x').length;
          else {
            const id = flying.shift();
            const answer = { ok: ok({}), again: fails('timeout'), never: fails('forbidden') }[what];
            if (id !== undefined && outbox.settle(id, answer, now) === 'told') told++;
          }
          expect(outbox.octets).toBeLessThanOrEqual(200 + 16 * 40);
        }
        expect(told + outbox.range.lost + superseded + outbox.size).toBe(added);
      },
    ),
    { numRuns: 500, seed: 3 },
  );
});
