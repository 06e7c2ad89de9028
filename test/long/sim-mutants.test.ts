/**
 * Are the scenarios that ship good for anything? Each of these faults is planted into a copy of the tree, one at a time, and a
 * scenario has to turn red. On the tree as it is, all of them are green.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-mutants-'));

interface Mutant {
  /** What is wrong with the agent that has it. */
  readonly bug: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The scenario that has to notice. */
  readonly scenario: string;
}

const mutants: readonly Mutant[] = [
  {
    bug: 'the outbox is forgotten at every start',
    file: 'device/agent/reporter.ts',
    from: 'if (kept !== undefined) {',
    to: 'if (kept !== undefined && kept.entries.length < 0) {',
    scenario: 'wan-cut',
  },
  {
    bug: 'a report that is not answered in time is given up',
    file: 'device/agent/outbox.ts',
    from: "if (faults[code].retry === 'never' ||",
    to: "if (code === 'timeout' || faults[code].retry === 'never' ||",
    scenario: 'wan-cut',
  },
  {
    bug: 'a house call is told twice, under two names',
    file: 'device/gateway.ts',
    from: "const told = await agent?.report('voice.report', call, { priority: 'voice' });",
    to: "const again = { ...call, callId: call.callId + '2' };\n    void agent?.report('voice.report', again, {});\n    const told = await agent?.report('voice.report', call, { priority: 'voice' });",
    scenario: 'wan-cut',
  },
  {
    bug: 'a dead connection is never missed',
    file: 'device/agent/agent.ts',
    from: 'const KEEPALIVE = 30;',
    to: 'const KEEPALIVE = 240;',
    scenario: 'wan-cut',
  },
  {
    bug: 'house calls are not told',
    file: 'device/gateway.ts',
    from: "await agent?.report('voice.report', call, { priority: 'voice' });",
    to: 'agent && ok(undefined);',
    scenario: 'wan-cut',
  },
  {
    bug: 'no back-off',
    file: 'shared/host/mqtt-backoff.ts',
    from: 'return BACKOFF_LEAST + fraction',
    to: 'return BACKOFF_LEAST + 0 * fraction',
    scenario: 'reconnect-storm',
  },
  {
    bug: 'a back-off without jitter',
    file: 'shared/host/mqtt-backoff.ts',
    from: 'return BACKOFF_LEAST + fraction',
    to: 'return BACKOFF_LEAST + fraction ** 0',
    scenario: 'reconnect-storm',
  },
  {
    bug: 'the pairing is not kept on the disk',
    file: 'device/pairing/pairing.ts',
    from: 'utf8(JSON.stringify(saved))',
    to: "utf8(JSON.stringify({ at: 'unpaired', saved }))",
    scenario: 'first-boot',
  },
  {
    bug: 'no sound goes through the gateway',
    file: 'device/media-relay/anchor.ts',
    from: 'return this.#engine.connect(from, to, true);',
    to: 'return this.#engine.connect(from, to, false);',
    scenario: 'call',
  },
  {
    bug: 'an appliance’s goodbye is not heard',
    file: 'device/home-network/discovery.ts',
    from: 'leave(this.#inventory, notice.udn);',
    to: "leave(this.#inventory, '');",
    scenario: 'lan-churn',
  },
  {
    bug: 'a lost flow to the softswitch is not opened again',
    file: 'device/sip-edge/upstream-flow.ts',
    from: "this.#feed({ on: 'closed', jitter: this.#o.world.random.fraction() });",
    to: '',
    scenario: 'cloud-restart',
  },
];

const read = (file: string) => readFileSync(join(folder, file), 'utf8');
/** Runs a scenario in the copy; gives its exit code and what it said. */
function sim(scenario: string) {
  const done = spawnSync(process.execPath, ['cli/main.ts', 'sim', 'run', scenario, '--virtual', '--seed', '1'], {
    cwd: folder,
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: done.status, said: `${done.stderr}${done.stdout}` };
}

beforeAll(() => {
  for (const name of ['shared', 'cloud', 'device', 'cli', 'simulator', 'apps', 'sdk', 'bin', 'package.json'])
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the shipped scenarios', { timeout: 180_000 }, () => {
  it.each([...new Set(mutants.map(({ scenario }) => scenario))])('%s is green on the tree as it is', (scenario) => {
    const { code, said } = sim(scenario);
    expect(code, said).toBe(0);
  });

  it.each(mutants)('$scenario notices: $bug', ({ file, from, to, scenario }) => {
    const whole = read(file);
    expect(whole.split(from).length, `${file} holds the planted place once`).toBe(2);
    writeFileSync(
      join(folder, file),
      whole.replace(from, () => to),
    );
    try {
      const { code, said } = sim(scenario);
      expect(code, said).toBe(2);
      expect(said).toMatch(/FAILED: .*expected/);
    } finally {
      writeFileSync(join(folder, file), whole);
    }
  });
});
