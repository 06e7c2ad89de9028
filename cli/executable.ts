/**
 * The `hearthline` command as one executable file: the agent and the technician's commands. Its own children start from the same
 * file, by the name of their entry.
 */
import { type ProcessName, takeEntry } from '#shared/host/spawn.ts';
import type { Command } from './command.ts';
import { cloneOnly, commands } from './commands.ts';
import { type OwnCommands, runCommand } from './run.ts';

const entries: Readonly<Record<ProcessName, () => Promise<unknown>>> = {
  'media-engine': () => import('#shared/media-engine/process.ts'),
  'applet-sandbox': () => import('#shared/applet/process.ts'),
};

/** A command that says where it is to be found. */
function elsewhere(words: string): Command {
  return {
    about: 'Not in this executable; a clone of the project has it.',
    usage: `hearthline ${words}`,
    options: {},
    flags: () => [],
    async run(_input, io) {
      io.error(`hearthline: "${words}" is not in this executable, which is a gateway's. Use a clone of the project.`);
      return 3;
    },
  };
}

const missing: OwnCommands = Object.fromEntries(cloneOnly.map((words) => [words, async () => elsewhere(words)]));

async function start(): Promise<void> {
  const entry = takeEntry(process.argv);
  if (entry !== undefined) await entries[entry]();
  else process.exitCode = await runCommand({ ...missing, ...commands }, process.argv.slice(2));
}
void start();
