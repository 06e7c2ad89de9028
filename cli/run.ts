/** Finds the command that the words of a command line name, and runs it. */
import { versionLine } from '#shared/host/build.ts';
import { helpText, readConfig } from '#shared/host/config.ts';
import type { Command, ExitCode, Io } from './command.ts';

/** Commands of their own, by their words; each loads its file when it runs. */
export type OwnCommands = Readonly<Record<string, () => Promise<Command>>>;

const io: Io = {
  out: (text) => process.stdout.write(`${text}\n`),
  error: (text) => process.stderr.write(`${text}\n`),
  environment: process.env,
};

/** Runs what the words of the command line name; `own` are the commands that are no verbs of the API. */
export async function runCommand(own: OwnCommands, argv: readonly string[]): Promise<ExitCode> {
  if (argv[0] === '--version') {
    io.out(versionLine());
    return 0;
  }
  // The longest name wins; what is our own starts without the verb table, which costs more than all the rest.
  const [two, one] = [wordsOf(argv, 2), wordsOf(argv, 1)];
  if (two !== undefined && Object.hasOwn(own, two)) return runOwn(own, two, argv.slice(2));
  if (two === undefined && one !== undefined && Object.hasOwn(own, one)) return runOwn(own, one, argv.slice(1));
  const derived = (await import('./verb-command.ts')).verbCommands();
  const longer = two === undefined ? undefined : derived.get(two);
  if (longer !== undefined) return run(longer, argv.slice(2));
  if (one !== undefined && Object.hasOwn(own, one)) return runOwn(own, one, argv.slice(1));
  const command = one === undefined ? undefined : derived.get(one);
  if (command !== undefined) return run(command, argv.slice(1));
  const asked = argv.length === 0 || argv[0] === '--help' || argv[0] === 'help';
  const names = [...Object.keys(own), ...derived.keys()].sort();
  const family = names.filter((name) => name.split(' ')[0] === argv[0]);
  if (!asked && family.length === 0) {
    // All of them at once would push the message off the screen.
    const near = nearest(argv[0] ?? '', [...new Set(names.map((name) => name.split(' ')[0] ?? ''))]);
    const meant = near === undefined ? '' : ` Did you mean "${near}"?`;
    io.error(`hearthline: there is no command "${argv[0]}".${meant} \`hearthline --help\` lists them all.`);
    return 3;
  }
  if (!asked) io.error(`hearthline: there is no command "${argv.slice(0, 2).join(' ')}". The commands are:`);
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

/** The word that was meant; undefined where none is near. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const [best] = words
    .map((one) => ({ one, far: distance(word, one) }))
    .filter(({ one, far }) => far <= Math.min(2, one.length - 2))
    .sort((a, b) => a.far - b.far);
  return best?.one;
}

/** Letters to add, take away or change (Levenshtein); words of any length, as far as their first 24 letters go. */
function distance(a: string, b: string): number {
  const [from, to] = [a.slice(0, 24), b.slice(0, 24)];
  let row = Array.from({ length: to.length + 1 }, (_none, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The first words of the line; undefined where they are fewer, or flags. */
function wordsOf(argv: readonly string[], count: number): string | undefined {
  const words = argv.slice(0, count);
  return words.length < count || words.some((word) => word.startsWith('-')) ? undefined : words.join(' ');
}

function firstSentence(text: string): string {
  return /^.*?(?=[.:;](?:\s|$))/.exec(text)?.[0] ?? text;
}

async function runOwn(own: OwnCommands, name: string, argv: readonly string[]): Promise<ExitCode> {
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
