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

/** Short forms of flags. */
const SHORT: Readonly<Record<string, string>> = { '-f': '--follow', '-o': '--out', '-q': '--quick' };
export const longFlags = (argv: readonly string[]): string[] =>
  argv.map((word) => (Object.hasOwn(SHORT, word) ? (SHORT[word] ?? word) : word));
