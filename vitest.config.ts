import { basename } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { Attempts } from './test/support/attempts.ts';

/**
 * Unit tests stand beside their file; whole-system tests stand in test/. Tests that run in real time with other programs (phones, a
 * browser, real processes) come after all others, one file at a time, since they hear when the machine is busy.
 */
const common = {
  testTimeout: 60_000,
  hookTimeout: 30_000,
  pool: 'forks' as const,
  setupFiles: ['test/support/setup.ts'],
};
/** Unit tests that measure sound in real time. */
const timed = ['cloud/farm/media/engines.test.ts', 'shared/media-engine/{process,ticker}.test.ts'];
/** Deaths of real processes that wait more than they work, and bear a busy machine: two files at a time. Each has ports of its own. */
const deaths = ['test/interop/crash-{farm,install,mail,messages,webhook}.test.ts'];
/** Tests that applications bring along: `test/scenario/apps.test.ts` runs them, as `hearthline app test` does. */
const applications = ['apps/*/app.test.ts'];
const long = process.env.HEARTHLINE_LONG === '1' ? ['test/long/**/*.test.ts'] : [];

/** The longest life of a machine first; beside it what needs none, then the other machines. */
const machines = [
  'house',
  'build',
  'executable',
  'openwrt',
  'debian',
  'root',
  'refused',
  'uboot',
  'first-boot',
  'pi3',
  'machine',
];
class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ project, moduleId }: TestSpecification) =>
      project.name === 'image' ? machines.indexOf(basename(moduleId, '.test.ts')) : -1;
    return (await super.sort(files)).sort((a, b) => (a.project.name === b.project.name ? place(a) - place(b) : 0));
  }
}

/** Where `test/run.ts` reads what came of every test. */
const report = process.env.HEARTHLINE_REPORT;

export default defineConfig({
  test: {
    reporters: [
      'default' as const,
      new Attempts(),
      ...(report === undefined ? [] : [['json', { outputFile: report }] as ['json', { outputFile: string }]]),
    ],
    sequence: { sequencer: Order },
    projects: [
      {
        test: {
          ...common,
          name: 'rooms',
          include: [
            '{shared,cloud,device,cli,simulator,apps,images}/**/*.test.ts',
            'test/{law,scenario,api}/**/*.test.ts',
          ],
          exclude: [...timed, ...applications],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...common,
          name: 'deaths',
          include: deaths,
          maxWorkers: 2,
          retry: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...common,
          name: 'machine',
          include: ['test/{interop,e2e}/**/*.test.ts', ...timed, ...long],
          exclude: deaths,
          fileParallelism: false,
          maxWorkers: 1,
          // Phones and servers that are not ours have races of their own; `test/support/attempts.ts` names what needed this.
          retry: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...common,
          name: 'image',
          include: ['test/image/**/*.test.ts'],
          globalSetup: ['test/image/image.ts'],
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
