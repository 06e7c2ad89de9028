/** Does to a cut data partition what init would do (`boot/data.sh`), and says whether what is found afterwards is usable. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync } from 'node:fs';

/** What is wrong with a data partition after its repair; undefined where all is well. `copy` is a file that may be written. */
export function dataFault(data: string, copy: string): string | undefined {
  execFileSync('cp', ['--sparse=always', data, copy]);
  // What never carried its name is made anew; a superblock torn between its sectors is repaired from a copy of it.
  const head = Buffer.alloc(2048);
  const file = openSync(copy, 'r');
  readSync(file, head, 0, 2048, 0);
  closeSync(file);
  if (head.readUInt16LE(1080) === 0 || head.toString('latin1', 1144, 1150) === 'HL-NEW') return undefined;
  const check = (...words: string[]) => spawnSync('e2fsck', [...words, copy], { encoding: 'utf8' });
  if ((check('-p').status ?? 8) >= 4 && (check('-y').status ?? 8) >= 4) check('-y', '-b', '32768');
  const left = check('-f', '-n');
  if (left.status !== 0) return `e2fsck: ${left.stdout}${left.stderr}`;
  for (const [name, whole] of FILES) {
    const text = spawnSync('debugfs', ['-R', `cat ${name}`, copy], { encoding: 'utf8' });
    if (!/not found/.test(text.stderr) && !whole(text.stdout)) return `${name}: ${text.stdout}`;
  }
  return undefined;
}

const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
/** Files that are there whole or not at all. */
const FILES: readonly (readonly [string, (text: string) => boolean])[] = [
  ['/lib/machine-id', (text) => /^[0-9a-f]{32}\n$/.test(text)],
  ['/hearthline/device.json', parses],
  ['/hearthline/pairing.json', parses],
  ['/hearthline/update.json', parses],
  ['/update-root/floor', (text) => /^\d+\.\d+\.\d+\n$/.test(text)],
];
