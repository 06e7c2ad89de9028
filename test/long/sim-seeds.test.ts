/** Every shipped scenario under faults: twenty runs of one seed are one run, and many seeds pass. A red one names its replay. */
import { describe, expect, it } from 'vitest';
import { readFault } from '#simulator/faults.ts';
import { type Report, runScenario } from '#simulator/run.ts';
import { scenarios } from '#simulator/scenarios/index.ts';
import { seed } from '../support/seed.ts';

const SEEDS = 20;
/** Faults that every scenario has to survive. */
const ROUGH = [
  'latency=30@500ms+20s',
  'loss=0.01:1@1s+60s',
  'duplicate=0.02@1s+60s',
  'reorder=0.02@1s+60s',
  'clock-jump=5000:1@2s+20s',
].flatMap((text) => {
  const read = readFault(text);
  return read.ok ? [read.value] : [];
});

const play = (scenario: (typeof scenarios)[number], one: number): Promise<Report> =>
  runScenario({
    scenario,
    world: 'virtual',
    homes: Math.min(4, scenario.homes.usual),
    light: scenario.light === undefined ? 0 : 20,
    seed: one,
    faults: scenario.homes.usual === 0 ? [] : ROUGH,
    gates: [],
    tell: () => {},
  });

describe(`scenarios and seeds (HEARTHLINE_SEED=${seed})`, { timeout: 600_000 }, () => {
  it.each(scenarios)('$name: twenty runs of one seed are one run', async (scenario) => {
    const { hash } = await play(scenario, seed);
    for (let i = 1; i < 20; i++) expect((await play(scenario, seed)).hash).toBe(hash);
  });

  it.each(scenarios)(`$name: ${SEEDS} seeds pass`, async (scenario) => {
    const failed = [];
    for (let i = 1; i <= SEEDS; i++) {
      const { state, replay, steps } = await play(scenario, seed + i);
      if (state === 'failed') failed.push([replay, steps.find(({ failure }) => failure !== undefined)?.failure]);
    }
    expect(failed).toEqual([]);
  });
});
