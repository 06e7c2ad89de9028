/** Failures that nobody awaited. */
import type { Log } from '#shared/kernel/world.ts';

/** Has them logged: what fails in one call or job (a full disk) must not end the process of all the others, as Node.js otherwise does. */
export function logUnhandled(log: Pick<Log, 'error'>): void {
  process.on('unhandledRejection', (reason) => {
    const error = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    log.error('process.unhandled', { error });
  });
}
