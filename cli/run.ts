/** Finds the command that the words of a command line name, and runs it. */
import { versionLine } from '#shared/host/build.ts';
import { helpText, readConfig } from '#shared/host/config.ts';
import { distance } from '#shared/kernel/spelling.ts';
import { CannotRun, type Command, type ExitCode, type Io, isTruth } from './command.ts';

/** Commands of their own, by their words; each loads its file when it runs. */
export type OwnCommands = Readonly<Record<string, () => Promise<Command>>>;

const unread = new AbortController();
const io: Io = {
  out: (text) => void (unread.signal.aborted || process.stdout.write(`${text}\n`)),
  error: (text) => process.stderr.write(`${text}\n`),
  environment: process.env,
  unread: unread.signal,
};

/** A pipe whose reader has gone is no fault; a full disk behind `>` is one, told once and in the exit code. */
function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (unread.signal.aborted) return;
    unread.abort();
    if (error.code === 'EPIPE') return;
    io.error(`hearthline: the output cannot be written (${error.message}).`);
    process.once('exit', () => {
      process.exitCode ||= 3;
    });
  });
  process.stderr.on('error', () => {});
}

/** Runs what the words of the command line name; `own` are the commands that are no verbs of the API. */
export async function runCommand(own: OwnCommands, words: readonly string[]): Promise<ExitCode> {
  watchOutput();
  if (words[0] === '--version') {
    io.out(versionLine());
    return 0;
  }
  // `help line`, `line help` and `line -h` are `line --help`.
  const argv = words[0] === 'help' && words.length > 1 ? [...words.slice(1), '--help'] : words;
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
  const asked = argv.length === 0 || argv[0] === 'help' || wantsHelp(argv);
  const names = [...Object.keys(own), ...derived.keys()].sort();
  const family = names.filter((name) => name.split(' ')[0] === argv[0]);
  if (family.length === 0 && (one ?? '-') !== 'help' && !(asked && one === undefined)) {
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

/** The first words of the line; undefined where they are fewer, or flags. */
function wordsOf(argv: readonly string[], count: number): string | undefined {
  const words = argv.slice(0, count);
  return words.length < count || words.some((word) => word.startsWith('-')) ? undefined : words.join(' ');
}

function wantsHelp(argv: readonly string[]): boolean {
  return argv.includes('--help') || argv.includes('-h');
}

function firstSentence(text: string): string {
  return /^.*?(?=[.:;](?:\s|$))/.exec(text)?.[0] ?? text;
}

async function runOwn(own: OwnCommands, name: string, argv: readonly string[]): Promise<ExitCode> {
  const command = await own[name]?.();
  return command === undefined ? 3 : run(command, argv);
}

async function run(command: Command, argv: readonly string[]): Promise<ExitCode> {
  if (wantsHelp(argv)) {
    io.out(helpText(command.usage, command.about, command.options));
    return 0;
  }
  const words = command.flags?.(argv) ?? argv;
  const input = readConfig(words, command.options, io.environment);
  if (!input.ok) {
    io.error(`hearthline: ${input.fault}`);
    return 3;
  }
  const extra = input.value.words[command.words ?? 0];
  if (extra !== undefined) {
    const next = switchedBy(words, command) ?? `usage: ${command.usage}`;
    io.error(`hearthline: "${extra}" is one word too many.\n${next}`);
    return 3;
  }
  try {
    return await command.run(input.value, io);
  } catch (error) {
    io.error(troubleOf(error));
    return 3;
  }
}

/** What to write where a word is meant for the flag before it, which takes none: it could as well be a word of the command. */
function switchedBy(words: readonly string[], { options }: Command): string | undefined {
  const at = words.findIndex((word, i) => isTruth(word) && options[words[i - 1]?.slice(2) ?? '']?.kind === 'flag');
  return at < 0 ? undefined : `Next: write ${words[at - 1]}=${words[at]}, in one word.`;
}

/** What the system refuses (a file, a folder, a disk) is said in its words; all else is a fault of ours, said with its place. */
function troubleOf(error: unknown): string {
  if (!(error instanceof Error)) return `hearthline: ${String(error)}`;
  if (error instanceof CannotRun || 'syscall' in error) return `hearthline: ${error.message}`;
  const place = /\n\s+at (.*)/.exec(error.stack ?? '')?.[1] ?? '';
  return `hearthline: a fault of the program itself: ${error.message} (${place}).\nNext: report it with the command that you gave and \`hearthline --version\`.`;
}
