/** Ends what runs in process namespaces of tests. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/**
 * Ends each `unshare --fork --pid`, and by its first process all that runs in its namespace. `--kill-child` alone does not: a program
 * that has changed its user since is no longer told of its parent's death (prctl(2), PR_SET_PDEATHSIG).
 */
export async function endNamespaces(children: readonly ChildProcess[]): Promise<void> {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, 'exit');
    for (const first of childrenOf(child.pid ?? 0)) process.kill(first, 'SIGKILL');
    child.kill('SIGKILL');
    await ended;
  }
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
