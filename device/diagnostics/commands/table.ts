/** All commands of a technician. */
import { bundlingCommands } from './bundling.ts';
import { checkingCommands } from './checking.ts';
import type { TechCommand } from './command.ts';
import { followingCommands } from './following.ts';
import { overviewCommands } from './overview.ts';
import { updatingCommands } from './updating.ts';

export const techCommands: readonly TechCommand[] = [
  ...overviewCommands,
  ...checkingCommands,
  ...followingCommands,
  ...bundlingCommands,
  ...updatingCommands,
];

/** How many words behind its own a command takes at most: those of the longest form in `takes`. */
export const wordsTaken = ({ takes = '' }: TechCommand): number =>
  Math.max(...takes.split('|').map((form) => form.match(/\w+/g)?.length ?? 0));

/** Short forms of flags. */
const SHORT: Readonly<Record<string, string>> = { '-f': '--follow', '-o': '--out', '-q': '--quick' };
export const longFlags = (argv: readonly string[]): string[] =>
  argv.map((word) => (Object.hasOwn(SHORT, word) ? (SHORT[word] ?? word) : word));
