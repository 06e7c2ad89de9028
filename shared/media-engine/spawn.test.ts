import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { askedRealtime, spawnEngine } from './spawn.ts';

test.each([
  [undefined, {}],
  ['', {}],
  ['10', { realtime: 10 }],
  ['99', { realtime: 99 }],
  ['0', {}],
  ['100', {}],
  ['-1', {}],
  ['10 x', {}],
])('a priority of %j', (asked, options) => {
  expect(askedRealtime(asked)).toEqual(options);
});

/** Field 41 of a thread's `stat` (proc(5)): 0 is the common class, 1 first-in-first-out, 2 the one that takes turns. */
const classOf = (stat: string) => Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);

const mayAsk = spawnSync('chrt', ['--rr', '10', 'true']).status === 0;
const folder = mkdtempSync(join(tmpdir(), 'hearthline-realtime-'));
afterEach(() => {
  delete process.env.HEARTHLINE_MEDIA_REALTIME;
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(!mayAsk)('every thread of an engine gets the class that was asked for', async () => {
  process.env.HEARTHLINE_MEDIA_REALTIME = '10';
  const socketPath = join(folder, 'engine.sock');
  const pid = spawnEngine({ socketPath, low: 21_900, high: 21_919, workers: 1, aloneFor: 20_000 }) ?? 0;
  try {
    for (let i = 0; i < 500 && !existsSync(socketPath); i++) await pause(20);
    const threads = readdirSync(`/proc/${pid}/task`);
    expect(threads.length).toBeGreaterThan(2);
    for (const thread of threads) expect(classOf(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'))).toBe(2);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
});
