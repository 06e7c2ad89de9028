/** What long-running commands share: clean ends on signals, and the ready file. */

import { utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import type { ExitCode } from './command.ts';

/** Milliseconds that a clean end may take. */
const STOP_LIMIT = 5_000;

/** Resolves at SIGTERM or SIGINT; a second signal, or 5 s of stopping, ends the process at once. */
export function untilSignal(stop: () => Promise<void>, error: (text: string) => void): Promise<ExitCode> {
  return new Promise((resolve) => {
    let stopping = false;
    const end = () => {
      if (stopping) process.exit(2);
      stopping = true;
      setTimeout(() => {
        error('hearthline: stopping took longer than 5 s; ended.');
        process.exit(2);
      }, STOP_LIMIT).unref();
      stop().then(
        () => {
          process.exitCode = 0;
          resolve(0);
          setTimeout(() => process.exit(0), 200).unref();
        },
        (failure: unknown) => {
          error(`hearthline: could not stop cleanly: ${String(failure)}`);
          process.exit(2);
        },
      );
    };
    // A parent that started us with a channel wants us to end with it, whatever ended it, and be it before we were up.
    process.on('disconnect', () => {
      if (!stopping) end();
    });
    if (process.connected === false) end();
    process.on('SIGTERM', end);
    process.on('SIGINT', end);
  });
}

/** Writes the ready file atomically. */
export function writeReady(world: World, path: string | undefined, content: unknown): Promise<void> {
  return path === undefined
    ? Promise.resolve()
    : world.disk.write(path, utf8(`${JSON.stringify(content, undefined, 2)}\n`));
}
