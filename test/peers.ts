/** Third-party programs that tests use: absent ones skip their tests by name, or fail them where peers are required. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const required = process.env.HEARTHLINE_PEERS === 'required';

/** True where a program is on the PATH; throws where peers are required and it is not. */
export function hasProgram(name: string): boolean {
  const found = (process.env.PATH ?? '').split(':').some((folder) => existsSync(`${folder}/${name}`));
  if (!found && required) throw new Error(`${name} is required (HEARTHLINE_PEERS=required) and is not installed`);
  return found;
}

/** True where a file of a third-party package is there. */
export function hasFile(path: string): boolean {
  const found = existsSync(path);
  if (!found && required) throw new Error(`${path} is required (HEARTHLINE_PEERS=required) and is not installed`);
  return found;
}

/** True where this process may make network namespaces (root, with ip). */
export function hasNamespaces(): boolean {
  const found = process.getuid?.() === 0 && hasProgram('ip') && spawnSync('ip', ['netns', 'list']).status === 0;
  if (!found && required)
    throw new Error('network namespaces are required (HEARTHLINE_PEERS=required) and cannot be made here');
  return found;
}

/** True in the long suite (`npm run test:long`). */
export const isLong = process.env.HEARTHLINE_LONG === '1';
