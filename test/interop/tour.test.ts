import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { eventually } from './netns.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-tour-'));
const started: ChildProcess[] = [];
// A test that failed half-way leaves nothing running either.
afterEach(() => {
  for (const child of started.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** `npm start` as its user has it, on loopback. */
function start() {
  const child = spawn(join(root, 'bin/hearthline'), ['tour', '--data', folder, '--address', '127.0.0.1'], {
    // A process group of its own, as a shell makes one.
    ...{ stdio: ['ignore', 'pipe', 'pipe'], detached: true },
  });
  started.push(child);
  const told = { text: '', code: undefined as number | null | undefined };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      told.text += data;
    });
  }
  child.on('exit', (code) => {
    told.code = code;
  });
  return { child, told };
}

/** The programs on this folder that run, as the words with which they were started. */
const programs = (name: string): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      } catch {
        // It ended meanwhile.
        return '';
      }
    })
    .filter((words) => words.includes(name) && words.includes(folder));
const engines = () => programs('media-engine');

describe('the first command', () => {
  it('brings up a cloud and two homes with registered phones, twice on the same data, and ends cleanly', {
    timeout: 120_000,
  }, async () => {
    let token = '';
    for (const round of [1, 2]) {
      const { child, told } = start();
      await eventually(
        () => told.text.includes('Ctrl-C ends everything') || told.code !== undefined,
        60_000,
        `round ${round}`,
      );
      expect(told.text).toContain('their phones registered');
      const cloud = JSON.parse(readFileSync(join(folder, 'cloud.ready.json'), 'utf8')) as {
        http: string;
        operatorToken: string;
      };
      if (round === 2) expect(cloud.operatorToken).toBe(token);
      token = cloud.operatorToken;
      const ask = async (path: string, body?: unknown) => {
        const reply = await fetch(`${cloud.http}${path}`, {
          headers: {
            authorization: `Bearer ${token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
          ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
        });
        return (await reply.json()) as {
          id: string;
          state: string;
          items: { id: string; number: string; registered: boolean }[];
          legs: { state: string }[];
        };
      };
      const homes = (await ask('/v1/homes')).items;
      expect(homes.length).toBe(2);
      const lines = await Promise.all(homes.map(async (home) => (await ask(`/v1/homes/${home.id}/lines`)).items));
      expect(lines.map((list) => list.filter((line) => line.registered).length)).toEqual([1, 1]);
      const [from, to] = lines.map((list) => list.find((line) => line.registered)?.number);
      const call = await ask('/v1/calls', { from, to });
      await eventually(
        async () => (await ask(`/v1/sessions/${call.id}`)).legs.every((leg) => leg.state === 'up'),
        30_000,
        'both phones to answer',
      );
      expect(engines()).toHaveLength(3);
      // To the first command alone, and as a terminal's Ctrl-C comes: to the whole group.
      process.kill(round === 1 ? Number(child.pid) : -Number(child.pid), 'SIGINT');
      await eventually(() => told.code !== undefined, 15_000, 'a clean end');
      expect(told.code).toBe(0);
      expect(told.text).not.toContain('did not end cleanly');
      await eventually(() => engines().length === 0, 2_000, 'the media engines to end with their calls');
    }
  });

  it('takes its cloud and homes along when it is killed', { timeout: 60_000 }, async () => {
    const { child, told } = start();
    await eventually(() => told.text.includes('Ctrl-C ends everything'), 60_000, 'the start');
    const pids = ['cloud', 'home-1', 'home-2'].map(
      (name) => (JSON.parse(readFileSync(join(folder, `${name}.ready.json`), 'utf8')) as { pid: number }).pid,
    );
    child.kill('SIGKILL');
    await eventually(() => pids.every((pid) => !isAlive(pid)), 15_000, 'all to end');
  });

  it('takes along what still starts', { timeout: 60_000 }, async () => {
    const { child } = start();
    await eventually(() => programs('\0cloud\0').length === 1, 20_000, 'the cloud to start');
    child.kill('SIGKILL');
    await eventually(() => programs('\0cloud\0').length === 0, 30_000, 'the cloud to end');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
