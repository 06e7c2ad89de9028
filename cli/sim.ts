import type { Options } from '#shared/host/config.ts';
import type { Command } from './command.ts';

const options = {
  homes: { kind: 'number', value: 'N', about: 'homes with the real gateway code (default: the scenario’s own)' },
  light: { kind: 'number', value: 'N', about: 'light gateways beside them: MQTT over mutual TLS, nothing else' },
  seed: { kind: 'number', value: 'S', about: 'seed of everything random', fallback: '1' },
  runs: { kind: 'number', value: 'N', about: 'runs, each with the next seed', fallback: '1' },
  virtual: { kind: 'flag', about: 'in virtual time, in one process; the same seed gives the same run' },
  faults: { kind: 'text', value: 'LIST', about: 'KIND[=VALUE][:HOME]@TIME[+DURATION], separated by commas' },
  'max-p50': { kind: 'text', value: 'MS', about: 'fail where half of a measure is slower: MS or MEASURE=MS,…' },
  'max-p99': { kind: 'text', value: 'MS', about: 'the same for the slowest hundredth' },
  max: { kind: 'text', value: 'MS', about: 'the same for the slowest of all' },
  junit: { kind: 'text', value: 'FILE', about: 'writes JUnit XML' },
  lines: { kind: 'text', value: 'FILE', about: 'writes JSON lines as things happen' },
  json: { kind: 'flag', about: 'prints the reports as JSON' },
} as const satisfies Options;

/** Milliseconds that what a failed run left in the middle of something may take to end. */
const LINGER = 1_000;

export const simRunCommand: Command = {
  about: 'Runs scenarios of the simulator: a cloud, homes and phones, real code, on the virtual or on the real world.',
  words: Number.POSITIVE_INFINITY,
  usage: 'hearthline sim run SCENARIO… [options]   (all: every one; `hearthline sim list` names them)',
  options,
  async run(input, io) {
    const { simRun } = await import('#simulator/command.ts');
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(3));
    const code = await simRun(input, io);
    setTimeout(() => process.exit(), LINGER).unref();
    return code;
  },
};

export const simListCommand: Command = {
  about: 'Lists the scenarios and the faults of the simulator.',
  usage: 'hearthline sim list [--json]',
  options: { json: options.json },
  run: async (input, io) => (await import('#simulator/command.ts')).simList(input, io),
};
