/** The image's packages: the list people write (`packages.txt`), and the lock made from it (`packages.lock`). */
import { err, ok, type Result } from '#shared/kernel/result.ts';

/** Where the files of a package go: into the slots' file system, beside it for the initial RAM disk, or for the boot partition. */
export const places = ['root', 'initrd', 'boot'] as const;
export type Place = (typeof places)[number];

/** What `packages.txt` says. */
export interface PackageList {
  readonly wanted: Readonly<Record<Place, readonly string[]>>;
  /** Dependencies that are not unpacked. */
  readonly leftOut: ReadonlySet<string>;
}

/** One Debian package file, as the lock pins it. */
export interface LockedPackage {
  readonly places: readonly Place[];
  readonly name: string;
  readonly version: string;
  readonly architecture: 'arm64' | 'all';
  /** Lower-case hexadecimal digest of the file. */
  readonly sha256: string;
  /** Octets of the file. */
  readonly size: number;
}

const NAME = /^[a-z0-9][a-z0-9+.-]{1,80}$/;

/** Reads `packages.txt`; an error names its line. */
export function readPackageList(text: string): Result<PackageList, string> {
  const sections = new Map<string, string[]>([...places, 'left-out'].map((name) => [name, []]));
  let names: string[] | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const section = /^\[(.+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      names = sections.get(section);
      if (names === undefined) return err(`line ${index + 1}: there is no section [${section}]`);
    } else if (names === undefined) return err(`line ${index + 1}: ${line} stands before the first section`);
    else if (!NAME.test(line)) return err(`line ${index + 1}: ${line} is no name of a package`);
    else names.push(line);
  }
  const of = (name: string) => sections.get(name) ?? [];
  return ok({
    wanted: { root: of('root'), initrd: of('initrd'), boot: of('boot') },
    leftOut: new Set(of('left-out')),
  });
}

/** Reads `packages.lock`: one package per line, `places name version architecture sha256 size`. */
export function readLock(text: string): Result<readonly LockedPackage[], string> {
  const packages: LockedPackage[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [where = '', name = '', version = '', architecture, sha256 = '', size = ''] = line.split(' ');
    const into = where.split(',').filter((one): one is Place => places.some((place) => place === one));
    const wrong =
      into.length === 0 ||
      into.length !== where.split(',').length ||
      !NAME.test(name) ||
      !/^[0-9A-Za-z.+:~-]{1,100}$/.test(version) ||
      !/^[0-9a-f]{64}$/.test(sha256) ||
      !/^[1-9][0-9]{0,9}$/.test(size);
    if (wrong || (architecture !== 'arm64' && architecture !== 'all'))
      return err(`line ${index + 1}: is not "places name version architecture sha256 size"`);
    packages.push({ places: into, name, version, architecture, sha256, size: Number(size) });
  }
  return ok(packages);
}

/** The text of `packages.lock`: sorted, so that a refresh shows what changed and nothing else. */
export function writeLock(packages: readonly LockedPackage[]): string {
  const rows = [...packages]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((one) =>
      [one.places.join(','), one.name, one.version, one.architecture, one.sha256, String(one.size)].join(' '),
    );
  return `# Made by: images/raspberry-pi/build --refresh\n${rows.join('\n')}\n`;
}

/** The name apt gives a downloaded file: the colon of an epoch is escaped. */
export function debFile({ name, version, architecture }: LockedPackage): string {
  return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
}

/** The package that a file name of apt names. */
export function debName(file: string): string {
  return file.slice(0, Math.max(0, file.indexOf('_')));
}

/** Reads stanzas such as `apt-cache show` prints; a field that goes over several lines is not read. */
export function readStanzas(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\n\n+/)
    .filter((stanza) => stanza.trim() !== '')
    .map(
      (stanza) =>
        new Map(
          stanza
            .split('\n')
            .map((line) => /^([A-Za-z0-9-]+): (.*)$/.exec(line))
            .filter((match) => match !== null)
            .map((match) => [match[1] ?? '', match[2] ?? '']),
        ),
    );
}
