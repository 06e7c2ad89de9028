import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nearest } from './run.ts';
import { verbCommands } from './verb-command.ts';

const root = join(import.meta.dirname, '..');
const help = async (...words: string[]) =>
  (await promisify(execFile)(join(root, 'bin/node'), ['cli/main.ts', ...words, '--help'], { cwd: root })).stdout;

describe('the words of a command', () => {
  it.each(['device list', 'line create', 'call create', 'cdr list', 'app list', 'serial monitor', 'sim run'])(
    '%s: the longest name wins, also where its first word is a command',
    async (words) => {
      expect(await help(...words.split(' '))).toContain(`hearthline ${words}`);
    },
  );

  it.each(['device', 'check', 'why', 'status'])('%s alone is a command of its own', async (word) => {
    expect(await help(word)).toContain(`hearthline ${word}`);
  });

  it('no derived command is hidden by another of the same name', () => {
    expect([...verbCommands().keys()].filter((name) => name === 'device' || name === 'check')).toEqual([]);
  });

  it.each([
    ['gatway', 'gateway'],
    ['Line', 'line'],
    ['sesion', 'session'],
    ['nonsense', undefined],
    ['qs', 'qos'],
    ['x', undefined],
  ])('%s: perhaps %s was meant', (word, meant) => {
    expect(nearest(word, ['gateway', 'line', 'session', 'qos', 'why', 'home'])).toBe(meant);
  });

  it('one that is none is answered in one line', async () => {
    const run = promisify(execFile)(join(root, 'bin/node'), ['cli/main.ts', 'sesion', 'show'], { cwd: root });
    const failed = await run.catch((error: { code: number; stderr: string }) => error);
    expect(failed).toMatchObject({
      code: 3,
      stderr: 'hearthline: there is no command "sesion". Did you mean "session"? `hearthline --help` lists them all.\n',
    });
  });
});
