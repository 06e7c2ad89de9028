import { lastCall, type Run, type Scenario } from '../scenario.ts';
import { flowsUp, isReady, pairHomes, reconnected, recordsOf, registerPhones, sessionsOf } from './steps.ts';

/** How long the way is cut, ms: longer than any keepalive. */
const CUT = 180_000;
/** The same in real time: just longer. */
const REAL_CUT = 75_000;
/** House calls of each home while it is cut. */
const CALLS = 2;

/** A phone of the house calls the other, and hangs up after a while. */
async function houseCall(run: Run, home: Run['homes'][number]): Promise<void> {
  const call = await run.stage.ground.settle(run.phone(home, 1).dial(run.number(home)));
  await run.until(
    () => call.state === 'up',
    10_000,
    `the phones of ${home.name} to reach each other without the cloud`,
  );
  await run.pass(2_000);
  call.hangup();
  await run.until(() => lastCall(run.phone(home)).state === 'ended', 5_000, 'the house call to end');
}

export const wanCut: Scenario = {
  name: 'wan-cut',
  about:
    'The way to the cloud is cut: calls inside the house go on, their facts wait, also through a power cut, and arrive once each when the way is back',
  worlds: ['virtual', 'real'],
  homes: { usual: 2, least: 1 },
  steps: (run) => {
    const cut = run.virtual === undefined ? REAL_CUT : CUT;
    let healed = 0;
    return [
      pairHomes(run),
      registerPhones(run, 2),
      {
        name: 'the way is cut; phones of a house still call each other',
        run: async () => {
          await flowsUp(run);
          for (const { trouble } of run.homes) trouble.set({ cut: true });
          for (let i = 0; i < CALLS; i++) await run.each(run.homes, 8, (home) => houseCall(run, home));
        },
      },
      {
        name: 'meanwhile the power of one house fails too',
        run: async () => {
          const home = run.home(0);
          home.powerOff();
          await run.pass(1_000);
          await home.powerOn();
          for (const phone of run.phones.get(home) ?? []) {
            const status = await run.stage.ground.settle(phone.register());
            run.expect(status === 200, `a phone of ${home.name} to register without the cloud, not status ${status}`);
          }
        },
      },
      {
        name: `after ${cut / 1000} s the way is back, and so is every gateway`,
        run: async () => {
          await run.pass(cut);
          run.expect(!run.homes.some(isReady), 'every gateway to have missed the cloud');
          for (const { trouble } of run.homes) trouble.set({ cut: false });
          healed = run.now;
          await reconnected(run, healed, 90_000);
        },
      },
      {
        name: 'the facts of every house call arrive, once each',
        run: async () => {
          const wanted = run.homes.length * CALLS;
          const told = async () => (await sessionsOf(run)).filter(({ kind }) => kind === 'house-call');
          await run.until(async () => (await told()).length >= wanted, 60_000, `${wanted} house calls to be told`);
          run.measure('delivery', run.now - healed);
          await run.pass(30_000);
          const sessions = await told();
          run.expect(sessions.length === wanted, `${wanted} house calls to be told, not ${sessions.length}`);
          const records = await recordsOf(run);
          run.expect(records.length === 2 * wanted, `${2 * wanted} records, not ${records.length}`);
        },
      },
      {
        name: 'a call out of the house works again',
        run: async () => {
          await flowsUp(run, 90_000);
          const last = run.home(run.homes.length - 1);
          const call = await run.stage.ground.settle(run.phone(run.home(0), 1).dial(run.number(last)));
          await run.until(() => call.state === 'up', 20_000, 'a call to be answered');
          call.hangup();
        },
      },
    ];
  },
};
