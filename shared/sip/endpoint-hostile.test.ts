/** The short run of the hostile messages; `npm run test:long` sends ten million (`test/long/sip-fuzz.test.ts`). */
import { describe, expect, it } from 'vitest';
import { seeded } from '#test/support/mutate.ts';
import { damaged } from '#test/support/sip-fuzz.ts';
import { OWN_MESSAGES } from '#test/support/sip-fuzz-corpus.ts';
import { FuzzRig } from '#test/support/sip-fuzz-rig.ts';
import { parse } from './parse.ts';
import { validate } from './validate.ts';

const SEEDS = 8;
const MESSAGES = 2_500;

describe('hostile messages', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(`${MESSAGES} of them with seed %i`, (seed) => {
    const { messages, sound, answers, requests, calls } = new FuzzRig(seed, OWN_MESSAGES).run(MESSAGES);
    expect(messages).toBe(MESSAGES);
    // The run is worth something: much of it is taken for SIP, and there are calls to be troubled.
    expect(sound).toBeGreaterThan(MESSAGES / 5);
    expect(sound).toBeLessThan(messages);
    expect(Math.min(answers / 5, requests, calls)).toBeGreaterThan(MESSAGES / 50);
  });

  it('are the same for the same seed', () => {
    const texts = [1, 1, 2].map((seed) => {
      const draw = seeded(seed);
      return Array.from({ length: 50 }, () => damaged(OWN_MESSAGES[0] ?? '', draw)).join();
    });
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).not.toBe(texts[2]);
  });

  it('are made of sound ones', () => {
    for (const text of OWN_MESSAGES) {
      const read = parse(text);
      expect(read.ok && validate(read.message), text).toBe(undefined);
    }
  });
});
