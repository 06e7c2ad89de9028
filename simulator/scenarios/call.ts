import type { Scenario } from '../scenario.ts';
import { callAll, hangUp, hearEachOther, pairHomes, recordsAre, registerPhones, type Talk } from './steps.ts';

export const call: Scenario = {
  name: 'call',
  about: 'A phone of each home calls the neighbour; both hear each other; each call has its two records',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 2 },
  steps: (run) => {
    const talks: Talk[] = [];
    return [
      pairHomes(run),
      registerPhones(run),
      callAll(run, talks),
      hearEachOther(run, talks),
      hangUp(run, talks),
      recordsAre(run, () => talks.length, 2),
    ];
  },
};
