/** The `hearthline` command. What belongs to cloud or simulator is loaded only when asked for: the device carries neither. */
import { helpText, readConfig } from '#shared/host/config.ts';
import type { Command, ExitCode, Io } from './command.ts';
import { verbCommands } from './verb-command.ts';

/** Commands of their own, by their words; each loads its file when it runs. */
const own: Readonly<Record<string, () => Promise<Command>>> = {
  cloud: async () => (await import('./cloud.ts')).cloudCommand,
  device: async () => (await import('./device.ts')).deviceCommand,
  pair: async () => (await import('./pair.ts')).pairCommand,
  tour: async () => (await import('./tour.ts')).tourCommand,
  docs: async () => (await import('./docs.ts')).docsCommand,
};

const io: Io = {
  out: (text) => process.stdout.write(`${text}\n`),
  error: (text) => process.stderr.write(`${text}\n`),
  environment: process.env,
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  const derived = verbCommands();
  for (const count of [2, 1]) {
    const words = argv.slice(0, count);
    if (words.length < count || words.some((word) => word.startsWith('-'))) continue;
    const name = words.join(' ');
    const load = Object.hasOwn(own, name) ? own[name] : undefined;
    const command = derived.get(name) ?? (load === undefined ? undefined : await load());
    if (command !== undefined) return run(command, argv.slice(count));
  }
  const asked = argv.length === 0 || argv[0] === '--help' || argv[0] === 'help';
  const names = [...Object.keys(own), ...derived.keys()].sort();
  const family = names.filter((name) => name.split(' ')[0] === argv[0]);
  if (!asked) {
    const words = argv.slice(0, family.length > 0 ? 2 : 1).join(' ');
    io.error(`hearthline: there is no command "${words}". The commands are:`);
  }
  const rows: string[] = [];
  for (const name of family.length > 0 ? family : names) {
    const about = derived.get(name)?.about ?? (await own[name]?.())?.about ?? '';
    rows.push(`  ${name.padEnd(18)} ${firstSentence(about)}`);
  }
  (asked ? io.out : io.error)(
    `usage: hearthline COMMAND [options]   (COMMAND --help tells more)\n\n${rows.join('\n')}`,
  );
  return asked ? 0 : 3;
}

function firstSentence(text: string): string {
  return /^.*?(?=[.:;](?:\s|$))/.exec(text)?.[0] ?? text;
}

async function run(command: Command, argv: readonly string[]): Promise<ExitCode> {
  if (argv.includes('--help')) {
    io.out(helpText(command.usage, command.about, command.options));
    return 0;
  }
  const input = readConfig(argv, command.options, io.environment);
  if (!input.ok) {
    io.error(`hearthline: ${input.fault}`);
    return 3;
  }
  return command.run(input.value, io);
}

process.exitCode = await main(process.argv.slice(2));
