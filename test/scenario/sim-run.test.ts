/** The simulator as its users run it: the scenarios that ship, seeds and faults, gates, and what the command says. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simRunCommand } from '#cli/sim.ts';
import { readConfig } from '#shared/host/config.ts';
import { simRun } from '#simulator/command.ts';
import { type PlannedFault, readFault } from '#simulator/faults.ts';
import type { Gate } from '#simulator/percentiles.ts';
import { type Report, type RunOptions, runScenario } from '#simulator/run.ts';
import { scenarios } from '#simulator/scenarios/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-sim-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const faults = (...texts: string[]): PlannedFault[] =>
  texts.map((text) => {
    const read = readFault(text);
    if (!read.ok) throw new Error(read.fault);
    return read.value;
  });

/** Runs a scenario on the virtual world. */
function play(name: string, seed: number, more: Partial<RunOptions> = {}): Promise<Report> {
  const scenario = scenarios.find((one) => one.name === name);
  if (scenario === undefined) throw new Error(`no ${name}`);
  const usual = { homes: Math.min(4, scenario.homes.usual), light: scenario.light === undefined ? 0 : 20 };
  return runScenario({ scenario, world: 'virtual', seed, faults: [], gates: [], tell: () => {}, ...usual, ...more });
}

const problems = ({ steps, warnings }: Report) => [
  ...steps.flatMap(({ name, failure }) => (failure === undefined ? [] : [`${name}: ${failure}`])),
  ...warnings,
];

/** Faults of several kinds that a call has to survive. */
const ROUGH = faults(
  'latency=40:1@1s+3s',
  'loss=0.02:2@1s+4s',
  'duplicate=0.05@1200ms+2s',
  'reorder=0.05@1200ms+2s',
  'clock-jump=60000:1@2s+2s',
  'disk-full:2@3s+1s',
);

describe('every scenario that ships', () => {
  it.each(scenarios.map(({ name }) => name))('%s passes on the virtual world', async (name) => {
    const report = await play(name, 11);
    expect(problems(report)).toEqual([]);
    expect(report).toMatchObject({
      state: 'passed',
      replay: expect.stringContaining(`sim run ${name} --seed 11 --virtual`),
    });
  });

  it('there are ten of them at the least', () => {
    expect(scenarios.length).toBeGreaterThanOrEqual(10);
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });
});

describe('a seed', () => {
  it.each([
    ['call', ROUGH],
    ['first-boot', faults('power-cut:1@400ms+2s', 'cloud-restart@3s+2s')],
    ['cloud-restart', faults('loss=0.05:1@500ms+20s')],
  ] as const)('gives the same run of %s with faults, and another one another', async (name, rough) => {
    const first = await play(name, 7, { faults: rough, homes: 2 });
    for (let i = 0; i < 2; i++) expect((await play(name, 7, { faults: rough, homes: 2 })).hash).toBe(first.hash);
    expect((await play(name, 8, { faults: rough, homes: 2 })).hash).not.toBe(first.hash);
  });

  it('does not hide a fault: the run with one is another than the run without', async () => {
    const plain = await play('call', 7);
    const rough = await play('call', 7, { faults: ROUGH });
    expect(problems(rough)).toEqual([]);
    expect(rough.hash).not.toBe(plain.hash);
  });
});

describe('what a run finds', () => {
  it('is a failure with its replay, and the steps behind it are not reached', async () => {
    // A way to the cloud that is cut for the whole run, from before the calls on.
    const report = await play('call', 3, { homes: 2, faults: faults('link-drop:1@300ms+10m') });
    expect(report.state).toBe('failed');
    expect(report.steps.map(({ state }) => state)).toContain('skipped');
    expect(report.replay).toBe('hearthline sim run call --seed 3 --virtual --homes 2 --faults link-drop:1@300ms+10m');
  });

  it('is judged by gates', async () => {
    const gate = (limit: number): Gate => ({ rank: 'p99', measure: 'call-setup', limit });
    expect((await play('call', 3, { gates: [gate(1_000)] })).state).toBe('passed');
    const slow = await play('call', 3, { gates: [gate(1_000)], faults: faults('latency=1000@500ms+30s') });
    expect(problems(slow).join()).toMatch(/p99 of call-setup is \d+ ms, more than 1000 ms/);
  });

  it('a fault that struck nobody is a warning', async () => {
    const late = await play('first-boot', 3, { faults: faults('loss@10m', 'loss:99@1s') });
    expect(late.state).toBe('warned');
    expect(late.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/loss@10m struck nobody/)]));
    expect(late.warnings).toEqual(expect.arrayContaining([expect.stringMatching(/loss:99@1s struck nobody/)]));
  });
});

describe('the command', () => {
  /** What `hearthline sim run` does with these words, in this process. */
  async function sim(...words: string[]) {
    const said: Record<'out' | 'error', string[]> = { out: [], error: [] };
    const io = { out: (text: string) => said.out.push(text), error: (text: string) => said.error.push(text) };
    const input = readConfig(words, simRunCommand.options, {});
    const code = input.ok ? await simRun(input.value, io) : 3;
    return { code, out: said.out.join('\n'), error: said.error.join('\n') };
  }

  it('passes: 0, with JUnit, JSON lines and the trace', async () => {
    const [xml, lines] = [join(folder, 'sim.xml'), join(folder, 'sim.jsonl')];
    const { code, out } = await sim('first-boot', '--virtual', '--seed', '5', '--junit', xml, '--lines', lines);
    expect(code).toBe(0);
    expect(out).toMatch(/^ok first-boot: 4 of 4 steps[\s\S]*trace [0-9a-f]{64}/);
    expect(readFileSync(xml, 'utf8')).toMatch(/<testsuites[^>]* tests="4" failures="0"/);
    const events = readFileSync(lines, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string });
    expect(events.map(({ event }) => event)).toEqual(['run', 'step', 'step', 'step', 'step', 'report']);
  });

  it('fails: 2, with a line that replays it', async () => {
    const { code, out } = await sim('call', '--virtual', '--seed', '9', '--max-p99', 'call-setup=1');
    expect(code).toBe(2);
    expect(out).toContain('FAILED call');
    expect(out).toContain('replay: hearthline sim run call --seed 9 --virtual --homes 2');
  });

  it('warns: 1; and the reports are the output where JSON is asked for', async () => {
    const { code, out } = await sim('first-boot', '--virtual', '--max-p99', 'delivery=1', '--runs', '2', '--json');
    expect(code).toBe(1);
    expect((JSON.parse(out) as Report[]).map(({ seed, state }) => [seed, state])).toEqual([
      [1, 'warned'],
      [2, 'warned'],
    ]);
  });

  it.each([
    [['earthquake', '--virtual'], 'there is no scenario "earthquake"'],
    [[], 'which scenario?'],
    [['call', '--homes', '1'], 'needs at least 2 homes'],
    [['lan-churn'], 'runs with --virtual only'],
    [['call', '--virtual', '--faults', 'loss'], '"loss" is no fault'],
    [['call', '--virtual', '--max-p99', 'soon'], 'is no gate'],
  ])('cannot run %j: 3, and says why', async (words, why) => {
    const { code, error } = await sim(...words);
    expect(code).toBe(3);
    expect(error).toContain(why);
  });

  it('lists scenarios and faults, as a program of its own', () => {
    const done = spawnSync(process.execPath, ['cli/main.ts', 'sim', 'list', '--json'], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    const listed = JSON.parse(done.stdout) as { scenarios: { name: string }[]; faults: { name: string }[] };
    expect(listed.scenarios.map(({ name }) => name)).toEqual(scenarios.map(({ name }) => name));
    expect(listed.faults.length).toBeGreaterThanOrEqual(10);
  });
});
