/** Folders on the real disk. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Makes a folder, and those above it that are missing; one that is there stays as it is. Throws what the system says. Node's own
 * `recursive` tries for ever where nothing can be made in a folder that is there: below /proc, or in a root that was removed.
 */
export async function makeFolder(path: string, mode = 0o700): Promise<void> {
  const why = await refusal(path, mode);
  if (why === undefined || (why.code === 'EEXIST' && (await stat(path)).isDirectory())) return;
  const above = dirname(path);
  if (why.code !== 'ENOENT' || above === path) throw why;
  await makeFolder(above, mode);
  const still = await refusal(path, mode);
  // Another may have made it meanwhile.
  if (still !== undefined && still.code !== 'EEXIST') throw still;
}

/** Why one folder could not be made. */
async function refusal(path: string, mode: number): Promise<NodeJS.ErrnoException | undefined> {
  try {
    await mkdir(path, { mode });
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
