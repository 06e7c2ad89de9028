import { lastCall, type Run, type Scenario } from '../scenario.ts';
import { pairHomes, recordsAre, registerPhones } from './steps.ts';

/** Throws unless the last second of what was heard is sound. */
function expectSound(run: Run, who: string, samples: Int16Array): void {
  const loud = samples.subarray(-8000).filter((sample) => Math.abs(sample) > 300).length;
  run.expect(loud > 800, `${who} to hear the item; ${loud} of 8000 samples are sound`);
}

export const mediaOnDemand: Scenario = {
  name: 'media-on-demand',
  about:
    'Each home hears an item of the library: asked for by the API, and by dialling a short code from inside the home',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 1 },
  steps: (run) => [
    pairHomes(run),
    registerPhones(run),
    {
      name: 'the API plays an item to each home',
      run: async () => {
        const made = await run.each(run.homes, 8, (home) =>
          run.timed('call-setup', async () => {
            const { id } = await run.api('media.play', { to: run.number(home), item: 'morning-birds' });
            await run.until(
              () => run.phone(home).calls.at(-1)?.state === 'up',
              15_000,
              `${home.name} to be rung by the item`,
            );
            return id;
          }),
        );
        await run.pass(2_500);
        for (const home of run.homes) expectSound(run, home.name, lastCall(run.phone(home)).heard());
        await run.each(made, 8, (session) => run.api('session.end', { session }));
      },
    },
    {
      name: 'a phone of each home dials 700',
      run: async () => {
        await run.each(run.homes, 8, async (home) => {
          const call = await run.timed('call-setup', async () => {
            const dialled = await run.stage.ground.settle(run.phone(home).dial('700'));
            await run.until(() => dialled.state === 'up', 15_000, `${home.name} to reach the item`);
            return dialled;
          });
          await run.pass(2_500);
          expectSound(run, home.name, call.heard());
          call.hangup();
        });
      },
    },
    recordsAre(run, () => 2 * run.homes.length, 1),
  ],
};
