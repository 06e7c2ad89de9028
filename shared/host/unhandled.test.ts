import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const RUN = `
import { logUnhandled } from '#shared/host/unhandled.ts';
logUnhandled({ error: (event, fields) => console.log(event, fields.error.split('\\n')[0]) });
void Promise.reject(new Error('the disk is full'));
setTimeout(() => console.log('goes on'), 20);
`;

test('a failure that nobody awaited is logged, and the process goes on', () => {
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', RUN], { encoding: 'utf8' });
  expect([done.status, done.stdout]).toEqual([0, 'process.unhandled Error: the disk is full\ngoes on\n']);
});
