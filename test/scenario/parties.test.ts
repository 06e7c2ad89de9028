/** Random calls of several parties over bad networks: every leg ends, every INVITE gets one final answer, nothing is left, one record per leg. */
import { expect, test } from 'vitest';
import { isLong } from '../peers.ts';
import { seed } from '../support/seed.ts';
import { Parties } from './parties.ts';

const SEEDS = isLong ? 200 : 3;
/** Milliseconds: a talk that goes on while the WAN is cut for hours is played packet by packet. */
const STORY_WITHIN = 300_000;

test.each(Array.from({ length: SEEDS }, (_, n) => (seed % 1_000_000) + n))(
  'seed %i',
  async (one) => {
    const parties = await Parties.open(one);
    try {
      const faults = await parties.play();
      expect(faults, parties.story.join('\n')).toEqual([]);
    } finally {
      await parties.stage[Symbol.asyncDispose]();
    }
  },
  STORY_WITHIN,
);
