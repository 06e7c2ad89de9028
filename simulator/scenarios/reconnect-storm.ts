import type { Scenario } from '../scenario.ts';
import { callAll, flowsUp, hangUp, isReady, pairHomes, reconnected, registerPhones, type Talk } from './steps.ts';

/** Within this time every gateway has to be back, ms: the longest back-off, and some room. */
const BACK_WITHIN = 75_000;

export const reconnectStorm: Scenario = {
  name: 'reconnect-storm',
  about:
    'The cloud falls with every gateway connected: they come back spread out and within a minute, and everything works',
  worlds: ['virtual', 'real'],
  homes: { usual: 20, least: 2 },
  steps: (run) => {
    const talks: Talk[] = [];
    const tries: number[] = [];
    return [
      pairHomes(run),
      registerPhones(run),
      {
        name: 'the cloud falls under all of them and is back after 20 s',
        run: async () => {
          for (const home of run.homes)
            home.gateway.agent()?.onState(({ at }) => {
              if (at === 'connecting') tries.push(run.now);
            });
          await run.stage.killCloud();
          await run.until(() => !run.homes.some(isReady), 60_000, 'every gateway to miss the cloud');
          await run.pass(20_000);
          await run.stage.startCloud();
        },
      },
      {
        name: 'every gateway is back within 75 s',
        run: async () => {
          const since = run.now;
          await reconnected(run, since, BACK_WITHIN);
          await flowsUp(run);
        },
      },
      {
        name: 'they did not come all at once',
        run: async () => {
          const perHome = tries.length / run.homes.length;
          run.expect(
            perHome < 14,
            `no more than 13 tries of each gateway while the cloud was away, not ${perHome.toFixed(1)}`,
          );
          const busiest = Math.max(
            0,
            ...tries.map((at) => tries.filter((other) => other >= at && other < at + 100).length),
          );
          const share = busiest / run.homes.length;
          run.note(`${perHome.toFixed(1)} tries each; at most ${busiest} within 100 ms`);
          run.expect(
            run.homes.length < 10 || share <= 0.6,
            `tries to be spread out, not ${busiest} of ${run.homes.length} within 100 ms`,
          );
        },
      },
      callAll(run, talks),
      hangUp(run, talks),
    ];
  },
};
