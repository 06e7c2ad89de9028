/**
 * The test command: runs vitest and prints the closing line `N passed, N failed, N skipped`. Tests whose third-party program is
 * absent are skipped and named; with HEARTHLINE_PEERS=required an absent one fails instead. `--long` runs the long suite;
 * `--image` runs the gateway image's tests (and only those).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Assertion {
  readonly status: string;
  readonly fullName: string;
}
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly Assertion[];
  }[];
}

const args = process.argv.slice(2);
const long = args.includes('--long');
const image = args.includes('--image');
const filters = args.filter((arg) => arg !== '--long' && arg !== '--image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-test-'));
const file = join(folder, 'report.json');
const child = spawn(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', image ? '--project=image' : '--project=!image', ...filters],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, HEARTHLINE_REPORT: file, ...(long ? { HEARTHLINE_LONG: '1' } : {}) },
  },
);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

child.on('close', (code) => {
  let report: Report | undefined;
  try {
    report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    console.error('The test runner wrote no report.');
  }
  rmSync(folder, { recursive: true, force: true });
  if (report === undefined) process.exit(code === 0 ? 1 : (code ?? 1));
  const skipped = report.testResults.flatMap((suite) =>
    suite.assertionResults.filter((test) => test.status !== 'passed' && test.status !== 'failed'),
  );
  const broken = report.testResults.filter(
    (suite) => suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'),
  );
  for (const test of skipped) console.log(`skipped: ${test.fullName}`);
  for (const suite of broken) console.log(`failed to load: ${suite.name}: ${suite.message}`);
  const failed = report.numFailedTests + broken.length;
  console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
  process.exit(failed > 0 || code !== 0 ? 1 : 0);
});
