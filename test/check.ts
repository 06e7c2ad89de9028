/** Types (three programs), format, lint and unused code; ends with the first that fails. */
import { spawnSync } from 'node:child_process';

const steps: readonly (readonly [string, readonly string[]])[] = [
  ['types', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json']],
  ['types of the pure folders', ['node_modules/typescript/bin/tsc', '-p', 'shared/tsconfig.json']],
  [
    'types of the portal',
    ['node_modules/typescript/bin/tsc', '-p', 'cloud/application-server/portal/web/tsconfig.json'],
  ],
  ['format and lint', ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings']],
  ['unused code', ['node_modules/knip/bin/knip.js']],
];

for (const [name, command] of steps) {
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name}`);
  if (status !== 0) process.exit(1);
}
