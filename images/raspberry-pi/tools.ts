/** What the build uses of the host: its commands, and its folders. */
import { type SpawnSyncOptionsWithStringEncoding, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Something is wrong that the person at the keyboard can put right. */
export class BuildError extends Error {}

/** Debian's packages of the commands that the build runs. */
const COMMANDS: readonly (readonly [command: string, debian: string])[] = [
  ['apt-get', 'apt'],
  ['dpkg-deb', 'dpkg'],
  ['flock', 'util-linux'],
  ['tar', 'tar'],
  ['xz', 'xz-utils'],
  ['depmod', 'kmod'],
  ['zstd', 'zstd'],
  ['mksquashfs', 'squashfs-tools'],
  ['mkfs.vfat', 'dosfstools'],
  ['mcopy', 'mtools'],
];
/** Folders of commands that an ordinary account's PATH leaves out. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The apt-get line that installs what the build lacks on this host; undefined where nothing is missing. */
export function missingPackages(has: (file: string) => boolean = existsSync): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  const missing = COMMANDS.filter(([command]) => !folders.some((folder) => has(join(folder, command)))).map(
    ([, debian]) => debian,
  );
  if (!has(KEYRING)) missing.push('debian-archive-keyring');
  return missing.length === 0
    ? undefined
    : `apt-get install --no-install-recommends ${[...new Set(missing)].sort().join(' ')}`;
}

/** Octets of the compressed image, at the most: what a house's line fetches in a few minutes. */
export const IMAGE_LIMIT = 130_000_000;

/** Throws where an image has become too large. */
export function checkSize(name: string, octets: number): void {
  if (octets > IMAGE_LIMIT) throw new BuildError(`${name} has ${octets} octets, more than ${IMAGE_LIMIT}`);
}

/** Where downloads and unpacked packages are kept between builds. */
export function cacheFolder(): string {
  return process.env.HEARTHLINE_CACHE ?? join(homedir(), '.cache', 'hearthline');
}

/** Runs a command and gives what it printed; where it fails, the error carries what it said. */
export function run(
  command: string,
  args: readonly string[],
  options: Partial<SpawnSyncOptionsWithStringEncoding> = {},
): string {
  const env = { ...process.env, PATH: [process.env.PATH, ...SYSTEM_FOLDERS].join(delimiter), LC_ALL: 'C', TZ: 'UTC' };
  const result = spawnSync(command, args, {
    maxBuffer: 64 * 1024 * 1024,
    ...options,
    env: { ...env, ...options.env },
    encoding: 'utf8',
  });
  if (result.error !== undefined) throw new BuildError(`${command}: ${result.error.message}`);
  if (result.status !== 0)
    throw new BuildError(`${command} ${args.slice(0, 4).join(' ')} failed (${result.status}): ${result.stderr.trim()}`);
  return result.stdout;
}
