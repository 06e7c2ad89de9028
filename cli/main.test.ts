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

  it.each([
    [
      'sesion show',
      'hearthline: there is no command "sesion". Did you mean "session"? `hearthline --help` lists them all.\n',
    ],
    ['-x', 'hearthline: there is no command "-x". `hearthline --help` lists them all.\n'],
    ['check list more', 'hearthline: "more" is one word too many.\nusage: hearthline check list [options]\n'],
    ['check list --json false', 'hearthline: "false" is one word too many.\nNext: write --json=false, in one word.\n'],
    [
      'conference mute --token t --muted false ses_1 leg_1',
      'hearthline: "false" is one word too many.\nNext: write --muted=false, in one word.\n',
    ],
    ['check list true', 'hearthline: "true" is one word too many.\nusage: hearthline check list [options]\n'],
    ['flash key /nowhere/key', "hearthline: ENOENT: no such file or directory, open '/nowhere/key'\n"],
    ['setup --root /nowhere', expect.stringMatching(/^hearthline setup: this machine runs no image.*\n$/)],
  ])('%s is answered in words, not with a stack', async (line, stderr) => {
    const run = promisify(execFile)(join(root, 'bin/node'), ['cli/main.ts', ...line.split(' ')], { cwd: root });
    expect(await run.catch((error: { code: number; stderr: string }) => error)).toMatchObject({ code: 3, stderr });
  });

  it.each(['help farm', 'farm --help', 'farm -h'])('%s: the commands of a family', async (line) => {
    const run = await promisify(execFile)(join(root, 'bin/node'), ['cli/main.ts', ...line.split(' ')], { cwd: root });
    expect(run.stdout).toMatch(/farm list .*farm start .*farm stop /s);
    expect(run.stderr).toBe('');
  });
});

describe('what a command writes', () => {
  const inShell = (line: string) =>
    promisify(execFile)('bash', ['-o', 'pipefail', '-c', `bin/hearthline ${line}`], { cwd: root });

  it('a reader who has enough is no fault', async () => {
    expect(await inShell('check list | true')).toEqual({ stdout: '', stderr: '' });
  });

  it('a full disk is one, in one line', async () => {
    expect(await inShell('check list > /dev/full').catch((error) => error)).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/^hearthline: the output cannot be written \(ENOSPC.*\)\.\n$/),
    });
  });
});
