/** Bundles on mounted sticks. Nothing of them is installed by itself: a technician names one. */
import type { Disk } from '#shared/kernel/world.ts';

/** Where systems mount what is plugged in: the stick's folder, or one of its user first. */
const MOUNTS = ['/media', '/mnt', '/run/media'];
const FOUND = 16;

export async function sticks(disk: Pick<Disk, 'list'>): Promise<string[]> {
  const found: string[] = [];
  const look = async (folder: string, depth: number): Promise<void> => {
    for (const name of await disk.list(folder).catch(() => [])) {
      if (found.length >= FOUND) return;
      if (/^\P{Cc}{1,100}\.raucb$/u.test(name)) found.push(`${folder}/${name}`);
      else if (depth > 0 && !name.includes('.')) await look(`${folder}/${name}`, depth - 1);
    }
  };
  for (const folder of MOUNTS) await look(folder, 2);
  return found;
}
