/** The children themselves: started, known by their pid over a restart of ours, ended. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child } from './places.ts';

/** What a softswitch process is started with, see `cloud/farm/softswitch/process.ts`. */
export interface ChildOptions {
  readonly socket: string;
  readonly index: number;
  readonly level: string;
}

const pidFile = ({ socket, index }: Pick<ChildOptions, 'socket' | 'index'>): string => `${socket}.${index}.pid`;

/** Its log goes where ours goes. */
export function startChild(options: ChildOptions): Child {
  const entry = join(import.meta.dirname, '../farm/softswitch/process.ts');
  // It has as much room as we were given.
  const flags = process.execArgv.filter((flag) => flag.startsWith('--max-'));
  const words = [...flags, entry, JSON.stringify(options)];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (child.pid !== undefined) writeFileSync(pidFile(options), String(child.pid), { mode: 0o600 });
  return {
    kill: (signal) => void child.kill(signal),
    onEnd: (ended) => {
      child.on('error', (error) => {
        if (child.pid === undefined) ended({ error: error.message });
      });
      child.on('exit', (code, signal) =>
        ended({ ...(code === null ? {} : { code }), ...(signal === null ? {} : { signal }) }),
      );
    },
  };
}

/** True while the process that was started last at this place, by whomever, lives. */
export function childLives(at: Pick<ChildOptions, 'socket' | 'index'>): boolean {
  try {
    const pid = Number(readFileSync(pidFile(at), 'utf8'));
    return Number.isInteger(pid) && pid > 1 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Ends a process at once. */
export function killChild(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
