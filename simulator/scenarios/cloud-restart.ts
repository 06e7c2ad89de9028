import type { Scenario } from '../scenario.ts';
import {
  callAll,
  callHome,
  flowsUp,
  hangUp,
  pairHomes,
  pairsOf,
  reconnected,
  recordsAre,
  registerPhones,
  type Talk,
} from './steps.ts';

export const cloudRestart: Scenario = {
  name: 'cloud-restart',
  about:
    'The cloud is killed while calls are up and others begin: calls that were up go on or end with their records, nothing is lost or double',
  worlds: ['virtual', 'real'],
  homes: { usual: 4, least: 2 },
  steps: (run) => {
    const talks: Talk[] = [];
    let begun = 0;
    return [
      pairHomes(run),
      registerPhones(run),
      callAll(run, talks),
      {
        name: 'the cloud is killed while homes are being made, and starts again',
        run: async () => {
          const making = Array.from({ length: 10 }, (_, i) =>
            run.api('home.create', { name: `made-${i}` }).then(
              () => 1,
              () => 0,
            ),
          );
          await run.pass(5);
          await run.stage.killCloud();
          await run.pass(3_000);
          await run.stage.startCloud();
          const since = run.now;
          // A request that the death of the cloud swallowed is never answered; its outcome is in the list.
          const made = (
            await Promise.all(making.map((one) => Promise.race([one, run.pass(1_000).then(() => 0)])))
          ).reduce<number>((sum, one) => sum + one, 0);
          run.note(`${made} of 10 requests were answered before the cloud died`);
          await reconnected(run, since, 75_000);
          await flowsUp(run);
        },
      },
      {
        name: 'new calls work',
        run: async () => {
          for (const { call } of talks) call.hangup();
          await run.pass(3_000);
          const again = await run.each(pairsOf(run.homes), 8, ([from, to]) => callHome(run, to, from));
          begun = talks.length + again.length;
          talks.splice(0, talks.length, ...again);
        },
      },
      hangUp(run, talks),
      recordsAre(run, () => begun, 2),
    ];
  },
};
