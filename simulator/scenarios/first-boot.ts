import type { Scenario } from '../scenario.ts';
import { allOf, isReady, pairHomes } from './steps.ts';

export const firstBoot: Scenario = {
  name: 'first-boot',
  about:
    'Gateways boot for the first time, are paired by their codes, apply their documents, and are still paired after a power cut',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 1 },
  steps: (run) => [
    pairHomes(run),
    {
      name: 'the cloud shows each gateway as paired and online',
      run: () =>
        run.until(
          async () => {
            const shown = await run.each(run.homes, 8, ({ id }) =>
              allOf((cursor) => run.api('gateway.list', { home: id, ...cursor })),
            );
            return shown.every(
              (gateways) => gateways.length === 1 && gateways[0]?.state === 'paired' && gateways[0].online,
            );
          },
          20_000,
          'each home to show one gateway, paired and online',
        ),
    },
    {
      name: 'a code that nobody shows opens nothing',
      run: async () => {
        const { id } = run.home(0);
        const answer = await run.api('gateway.claim', { home: id, code: 'BCDFGHJK' }).then(() => 'taken', String);
        run.expect(/answered 4\d\d/.test(answer), `a made-up code to be refused, not ${answer}`);
      },
    },
    {
      name: 'after a power cut each gateway is itself again, without a code',
      run: async () => {
        const names = run.homes.map((home) => home.gateway.status().pairing.gateway);
        for (const home of run.homes) home.powerOff();
        await run.pass(1_000);
        const since = run.now;
        await run.each(run.homes, 8, (home) => home.powerOn());
        await run.until(() => run.homes.every(isReady), 90_000, 'every gateway to be connected again');
        run.measure('reconnect', run.now - since);
        run.homes.forEach((home, i) => {
          const { gateway, at, code } = home.gateway.status().pairing;
          run.expect(
            gateway === names[i] && at === 'paired' && code === undefined,
            `${home.name} to be paired as before`,
          );
        });
      },
    },
  ],
};
