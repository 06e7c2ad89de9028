import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { type Name, Settled, SHARED } from './settled.ts';
import type { Flow } from './types.ts';

const name = (n: number): Name => [`call-${n}@host`, `z9hG4bK${n}`, '10.0.0.1', 'BYE', n % 3];
const peer = { host: '10.0.0.1', port: 5060 };
const flow: Flow = { id: 'udp0', protocol: 'udp', local: peer, remote: peer, peer: { kind: 'none' } };

const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('keep' as const), n: fc.nat(3_000), answered: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(40) }) },
);

it('it finds what a table of names would find, for as long as it is kept', () => {
  fc.assert(
    fc.property(fc.nat(), fc.array(act, { minLength: 20, maxLength: 400 }), (random, acts) => {
      const settled = new Settled(() => random);
      const known = new Map<number, { endAt: number; text: string | undefined }>();
      let now = 0;
      for (const one of acts) {
        if (one.do === 'wait') {
          now += one.ms;
          settled.run(now);
          for (const [n, { endAt }] of known) if (endAt <= now) known.delete(n);
        } else if (!known.has(one.n)) {
          const text = one.answered ? `answer ${one.n}` : undefined;
          expect(settled.keep(name(one.n), one.n, text === undefined ? undefined : { flow, text }, now + 100)).toBe(
            true,
          );
          known.set(one.n, { endAt: now + 100, text });
        }
        expect(settled.size).toBe(known.size);
        expect(settled.next()).toBe(known.values().next().value?.endAt);
      }
      for (let n = 0; n <= 3_000; n += 7) {
        const found = settled.find(name(n));
        expect(found !== undefined).toBe(known.has(n));
        if (found === undefined) continue;
        expect([settled.octetsOf(found), settled.answerOf(found)?.text]).toEqual([n, known.get(n)?.text]);
      }
    }),
    { seed, numRuns: 60 },
  );
});

it('it grows with what is kept, keeps it meanwhile, and is small again afterwards', () => {
  const settled = new Settled(() => 7);
  for (let n = 0; n < 5_000; n++) settled.keep(name(n), n, { flow, text: `${n}` }, n);
  for (let n = 0; n < 5_000; n++) expect(settled.answerOf(settled.find(name(n)) ?? -1)?.text).toBe(`${n}`);
  settled.run(2_499);
  expect([settled.size, settled.next(), settled.find(name(2_499))]).toEqual([2_500, 2_500, undefined]);
  expect(settled.find(name(2_500))).toBeDefined();
  settled.run(5_000);
  expect([settled.size, settled.next(), settled.find(name(4_999))]).toEqual([0, undefined, undefined]);
  settled.keep(name(1), 1, undefined, 6_000);
  expect(settled.answerOf(settled.find(name(1)) ?? -1)).toBeUndefined();
});

it('one part of a name is no part of its neighbour', () => {
  const settled = new Settled(() => 1);
  settled.keep(['ab', 'c', 'd', 'e', 1], 0, undefined, 1);
  for (const other of [
    ['a', 'bc', 'd', 'e', 1],
    ['ab', 'cd', '', 'e', 1],
    ['ab', 'c', 'd', 'e', 2],
    ['ab', 'c', 'e', 'd', 1],
  ] as const)
    expect(settled.find(other)).toBeUndefined();
  expect(settled.find(['ab', 'c', 'd', 'e', 1])).toBeDefined();
});

it('no place of the table holds more than a look-up can go through', () => {
  const settled = new Settled(() => 3);
  for (let i = 0; i < SHARED; i++) expect(settled.keep(name(5), i, undefined, 10)).toBe(true);
  expect(settled.keep(name(5), 0, undefined, 10)).toBe(false);
  expect(settled.keep(name(6), 0, undefined, 10)).toBe(true);
  settled.run(10);
  expect(settled.keep(name(5), 0, undefined, 20)).toBe(true);
});
