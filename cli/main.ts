/** The `hearthline` command. What belongs to cloud or simulator is loaded only when asked for: the device carries neither. */
import { helpText, readConfig } from '#shared/host/config.ts';
import type { Command, ExitCode, Io } from './command.ts';
import { technicianWords } from './technician/words.ts';

/** Commands of their own, by their words; each loads its file when it runs. */
const own: Readonly<Record<string, () => Promise<Command>>> = {
  cloud: async () => (await import('./cloud.ts')).cloudCommand,
  device: async () => (await import('./device.ts')).deviceCommand,
  pair: async () => (await import('./pair.ts')).pairCommand,
  tour: async () => (await import('./tour.ts')).tourCommand,
  'sim run': async () => (await import('./sim.ts')).simRunCommand,
  'sim list': async () => (await import('./sim.ts')).simListCommand,
  'app new': async () => (await import('./app.ts')).appNew,
  'app test': async () => (await import('./app.ts')).appTest,
  'app pack': async () => (await import('./app.ts')).appPack,
  'app publish': async () => (await import('./app.ts')).appPublish,
  'app dev': async () => (await import('./app.ts')).appDev,
  'serial monitor': async () => (await import('./technician/monitor.ts')).monitorCommand,
  docs: async () => (await import('./docs.ts')).docsCommand,
  ...Object.fromEntries(
    technicianWords.map((words) => [
      words,
      async () => (await import('./technician/commands.ts')).technicianCommand(words),
    ]),
  ),
};

const io: Io = {
  out: (text) => process.stdout.write(`${text}\n`),
  error: (text) => process.stderr.write(`${text}\n`),
  environment: process.env,
};

async function main(argv: readonly string[]): Promise<ExitCode> {
  // The longest name wins; what is our own starts without the verb table, which costs more than all the rest.
  const [two, one] = [wordsOf(argv, 2), wordsOf(argv, 1)];
  if (two !== undefined && Object.hasOwn(own, two)) return runOwn(two, argv.slice(2));
  if (two === undefined && one !== undefined && Object.hasOwn(own, one)) return runOwn(one, argv.slice(1));
  const derived = (await import('./verb-command.ts')).verbCommands();
  const longer = two === undefined ? undefined : derived.get(two);
  if (longer !== undefined) return run(longer, argv.slice(2));
  if (one !== undefined && Object.hasOwn(own, one)) return runOwn(one, argv.slice(1));
  const command = one === undefined ? undefined : derived.get(one);
  if (command !== undefined) return run(command, argv.slice(1));
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

/** The first words of the line; undefined where they are fewer, or flags. */
function wordsOf(argv: readonly string[], count: number): string | undefined {
  const words = argv.slice(0, count);
  return words.length < count || words.some((word) => word.startsWith('-')) ? undefined : words.join(' ');
}

function firstSentence(text: string): string {
  return /^.*?(?=[.:;](?:\s|$))/.exec(text)?.[0] ?? text;
}

async function runOwn(name: string, argv: readonly string[]): Promise<ExitCode> {
  const command = await own[name]?.();
  return command === undefined ? 3 : run(command, argv);
}

async function run(command: Command, argv: readonly string[]): Promise<ExitCode> {
  if (argv.includes('--help')) {
    io.out(helpText(command.usage, command.about, command.options));
    return 0;
  }
  const input = readConfig(command.flags?.(argv) ?? argv, command.options, io.environment);
  if (!input.ok) {
    io.error(`hearthline: ${input.fault}`);
    return 3;
  }
  return command.run(input.value, io);
}

process.exitCode = await main(process.argv.slice(2));
