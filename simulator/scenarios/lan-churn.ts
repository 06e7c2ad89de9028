import { every } from '#shared/kernel/time.ts';
import type { StageHome } from '../home.ts';
import { LanDevice, MAX_AGE } from '../lan-device.ts';
import type { Run, Scenario } from '../scenario.ts';
import { allOf, pairHomes } from './steps.ts';

/** Appliances of each home, and how many times they come and go. */
const DEVICES = 12;
const ROUNDS = 5;
/** Milliseconds between two looks at what the cloud shows. */
const LOOK_EVERY = 500;
/** Milliseconds between two of them: no house has all its plugs in one switch. */
const APART = 30;
/** The gateway looks at its LAN this often, and tells what changed, ms; with some room. */
const TOLD_WITHIN = 12_000;

/** What the cloud says is there, by name. */
async function shown(run: Run, home: StageHome): Promise<string[]> {
  const devices = await allOf((cursor) => run.api('device.list', { home: home.id, ...cursor }));
  return devices.filter(({ present }) => present).map(({ name }) => name);
}

export const lanChurn: Scenario = {
  name: 'lan-churn',
  about:
    'Appliances come, move, say goodbye or just vanish on the LANs of all homes; the cloud shows exactly those that are there',
  worlds: ['virtual'],
  homes: { usual: 2, least: 1 },
  steps: (run) => {
    const { virtual, stage } = run;
    const houses = new Map<StageHome, Map<string, LanDevice>>();
    const start = async (home: StageHome, name: string, place: string) => {
      if (virtual === undefined) return;
      const hostName = `${home.name}-${place}`;
      const device = await LanDevice.start(virtual, hostName, stage.ground.host(hostName, home.name), name);
      houses.get(home)?.set(name, device);
      await run.pass(APART);
    };
    let looked = 0;
    const matches = async () => {
      // A look at every house is much work for the cloud, and nothing here changes faster.
      if (run.now - looked < LOOK_EVERY) return false;
      looked = run.now;
      for (const [home, devices] of houses) {
        const names = (await shown(run, home)).sort().join();
        if (names !== [...devices.keys()].sort().join()) return false;
      }
      return true;
    };
    return [
      pairHomes(run),
      {
        name: `${DEVICES} appliances of each home are switched on and show in the cloud`,
        run: async () => {
          const stop = every(stage.ground.clock, (MAX_AGE * 1000) / 3, () => {
            for (const devices of houses.values()) for (const device of devices.values()) device.announce();
          });
          run.onEnd(stop);
          for (const home of run.homes) {
            houses.set(home, new Map());
            for (let i = 0; i < DEVICES; i++) await start(home, `${home.name}-radio-${i}`, `device${i}`);
          }
          await run.until(matches, TOLD_WITHIN, 'the cloud to show every appliance');
        },
      },
      {
        name: `${ROUNDS} times a third says goodbye, a third moves to another address, and newcomers arrive`,
        run: async () => {
          for (let round = 0; round < ROUNDS; round++) {
            for (const [home, devices] of houses) {
              for (const [i, [name, device]] of [...devices].entries()) {
                if (i % 3 === 0) {
                  await device.stop(true);
                  devices.delete(name);
                  await start(home, `${home.name}-round${round}-${i}`, `new-${i}-${round}`);
                } else if (i % 3 === 1) {
                  await device.stop(false);
                  await start(home, name, `place${i}-${round}`);
                }
              }
            }
            const since = run.now;
            await run.until(matches, TOLD_WITHIN, `the cloud to show what is there after round ${round + 1}`);
            run.measure('delivery', run.now - since);
          }
        },
      },
      {
        name: 'appliances that vanish without a word are gone after their announcement',
        run: async () => {
          for (const devices of houses.values()) {
            for (const [name, device] of [...devices].slice(0, DEVICES / 2)) {
              await device.stop(false);
              devices.delete(name);
            }
          }
          await run.until(matches, MAX_AGE * 1000 + TOLD_WITHIN, 'the cloud to miss what has vanished');
        },
      },
    ];
  },
};
