/** Reads from the kernel (sysfs, /proc) what a block device is and who uses it. */
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { DiskFacts } from './target.ts';

/** What stands at a path: a block device's kernel numbers, or a file. */
export type Place =
  | { readonly is: 'block'; readonly major: number; readonly minor: number }
  | { readonly is: 'file' | 'nothing' };

/** Where the kernel's own file systems are; another folder in tests. */
export interface Roots {
  readonly sys: string;
  readonly proc: string;
}

export const KERNEL: Roots = { sys: '/sys', proc: '/proc' };

/** What is at a path. Folders, terminals and the like get words. */
export function placeAt(path: string): Result<Place, string> {
  if (!existsSync(path))
    return path.startsWith('/dev/') ? err(`${path} does not exist. Is the card in the reader?`) : ok({ is: 'nothing' });
  const facts = statSync(path);
  if (facts.isFile()) return ok({ is: 'file' });
  if (!facts.isBlockDevice()) return err(`${path} is no disk and no file.`);
  // Linux, makedev(3): the numbers as the C library packs them.
  const rdev = BigInt(facts.rdev);
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n));
  return ok({ is: 'block', major, minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)) });
}

/** The facts of a block device by its numbers. */
export function diskFacts(major: number, minor: number, { sys, proc }: Roots = KERNEL): Result<DiskFacts, string> {
  const link = join(sys, 'dev/block', `${major}:${minor}`);
  if (!existsSync(link)) return err('the kernel does not know this disk (any more)');
  const folder = realpathSync(link);
  const name = basename(folder);
  const read = (path: string) => text(join(folder, path));
  const parts = partitions(folder);
  const numbers = new Set([read('dev'), ...parts.map((part) => text(join(folder, part, 'dev')))]);
  const names = new Set([name, ...parts]);
  return ok({
    name,
    size: Number(read('size')) * 512,
    model: [read('device/vendor'), read('device/model') || read('device/name')].join(' ').trim() || 'no name',
    removable: read('removable') === '1',
    readOnly: read('ro') === '1',
    bus: busOf(folder, read('device/type')),
    ...(existsSync(join(folder, 'partition')) ? { partitionOf: basename(dirname(folder)) } : {}),
    used: [...mounts(proc, numbers, names, sys), ...swaps(proc, names)],
    holders: [folder, ...parts.map((part) => join(folder, part))].flatMap((at) => entries(join(at, 'holders'))),
  });
}

function busOf(folder: string, type: string): DiskFacts['bus'] {
  if (/^loop\d/.test(basename(folder))) return 'loop';
  if (/\/usb\d/.test(folder)) return 'usb';
  return type === 'SD' ? 'sd' : 'other';
}

function partitions(folder: string): string[] {
  return entries(folder).filter((name) => existsSync(join(folder, name, 'partition')));
}

/** Mount points whose device is one of the numbers, or (btrfs, overlay and the like show numbers of their own) is named as their source. */
function mounts(proc: string, numbers: ReadonlySet<string>, names: ReadonlySet<string>, sys: string): string[] {
  const found: string[] = [];
  for (const line of text(join(proc, 'self/mountinfo')).split('\n')) {
    const [, , device = '', , point = ''] = line.split(' ');
    const source = line.split(' - ')[1]?.split(' ')[1] ?? '';
    if (
      numbers.has(device) ||
      (source.startsWith('/dev/') && names.has(nodeName(source))) ||
      builtOn(sys, device, names)
    )
      found.push(unescaped(point));
  }
  return found;
}

/** Whether a mapped device stands, at any depth, on one of the names. */
function builtOn(sys: string, device: string, names: ReadonlySet<string>): boolean {
  const link = join(sys, 'dev/block', device);
  const slaves = device.startsWith('0:') || !existsSync(link) ? [] : entries(join(realpathSync(link), 'slaves'));
  return slaves.some((slave) => names.has(slave) || builtOn(sys, text(join(sys, 'class/block', slave, 'dev')), names));
}

function nodeName(source: string): string {
  try {
    return basename(realpathSync(source));
  } catch {
    return basename(source);
  }
}

/** Blanks and the like stand as octal numbers in mountinfo (proc(5)). */
function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

function swaps(proc: string, names: ReadonlySet<string>): string[] {
  const lines = text(join(proc, 'swaps')).split('\n').slice(1);
  return lines.some((line) => names.has(nodeName(line.split(/\s/)[0] ?? ''))) ? ['/[swap]'] : [];
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return '';
  }
}
