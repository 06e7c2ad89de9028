/** Debian's archive: resolves the list of packages, fetches what the lock pins, and checks every file. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { debFile, debName, type LockedPackage, type PackageList, type Place, places, readStanzas } from './packages.ts';
import { BuildError, run } from './tools.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SOURCES: readonly (readonly [folder: string, suite: string])[] = [
  ['debian', 'trixie'],
  ['debian', 'trixie-updates'],
  ['debian-security', 'trixie-security'],
];
/** Names in one call of apt. */
const BATCH = 60;

/** An apt of our own for arm64: the host's sources, lists and state are not touched. */
function apt(cache: string): (command: string, args: readonly string[], cwd?: string) => string {
  const folder = join(cache, 'apt');
  for (const each of ['lists/partial', 'archives/partial', 'etc/preferences.d'])
    mkdirSync(join(folder, each), { recursive: true });
  writeFileSync(join(folder, 'status'), '');
  const mirror = process.env.HEARTHLINE_MIRROR ?? 'http://deb.debian.org';
  writeFileSync(
    join(folder, 'sources.list'),
    SOURCES.map(
      ([base, suite]) => `deb [arch=arm64 signed-by=${KEYRING}] ${mirror}/${base} ${suite} main non-free-firmware\n`,
    ).join(''),
  );
  const settings: Readonly<Record<string, string>> = {
    'APT::Architecture': 'arm64',
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': '',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
    Dir: folder,
    'Dir::State': folder,
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': folder,
    'Dir::Etc': join(folder, 'etc'),
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::parts': '/dev/null',
  };
  const config = join(folder, 'apt.conf');
  const rows = Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`);
  writeFileSync(config, `${rows.join('')}APT::Architectures { "arm64"; };\n`);
  return (command, args, cwd) =>
    run('flock', [join(folder, 'one-at-a-time'), command, ...args], {
      env: { APT_CONFIG: config },
      ...(cwd === undefined ? {} : { cwd }),
    });
}

/** Resolves the list against Debian as it is now: the packages of the next lock. */
export function resolvePackages(list: PackageList, cache: string): LockedPackage[] {
  const ask = apt(cache);
  ask('apt-get', ['update', '-qq']);
  const files = (names: readonly string[]) =>
    ask('apt-get', ['install', '--print-uris', '-qq', ...names])
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '')
      .filter((file) => file.endsWith('.deb'));
  const into = new Map<string, Place[]>();
  for (const place of places) {
    const wanted = list.wanted[place];
    for (const file of files(wanted)) {
      const name = debName(file);
      // A package of the boot partition comes alone, and the kernel's own package behind the name that follows it.
      const alone = wanted.includes(name) || name.startsWith('linux-image-');
      if (list.leftOut.has(name) || (place === 'boot' && !alone)) continue;
      into.set(file, [...(into.get(file) ?? []), place]);
    }
  }
  return [...into].map(([file, where]) => pinned(ask, file, where));
}

function pinned(ask: ReturnType<typeof apt>, file: string, where: readonly Place[]): LockedPackage {
  const name = debName(file);
  const stanza = readStanzas(ask('apt-cache', ['show', name])).find(
    (one) => debFile(lockedOf(one, where)) === file.replace(/%3A/g, '%3a'),
  );
  if (stanza === undefined) throw new BuildError(`apt knows ${file} by no stanza`);
  return lockedOf(stanza, where);
}

function lockedOf(stanza: ReadonlyMap<string, string>, where: readonly Place[]): LockedPackage {
  return {
    places: where,
    name: stanza.get('Package') ?? '',
    version: stanza.get('Version') ?? '',
    architecture: stanza.get('Architecture') === 'all' ? 'all' : 'arm64',
    sha256: stanza.get('SHA256') ?? '',
    size: Number(stanza.get('Size')),
  };
}

const digest = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** Fetches what the cache lacks and gives the path of each package's file; every file has the size and digest of the lock. */
export function fetchPackages(lock: readonly LockedPackage[], cache: string): Map<string, string> {
  const folder = join(cache, 'debs');
  mkdirSync(folder, { recursive: true });
  const missing = lock.filter((one) => !existsSync(join(folder, debFile(one))));
  if (missing.length > 0) download(missing, folder, cache);
  const paths = new Map<string, string>();
  for (const one of lock) {
    const path = join(folder, debFile(one));
    if (digest(path) !== one.sha256) {
      rmSync(path);
      throw new BuildError(`${debFile(one)}: is not the file that packages.lock pins; it was thrown away, build again`);
    }
    paths.set(one.name, path);
  }
  return paths;
}

function download(missing: readonly LockedPackage[], folder: string, cache: string): void {
  const ask = apt(cache);
  const partial = mkdtempSync(join(cache, 'partial.'));
  ask('apt-get', ['update', '-qq']);
  for (let at = 0; at < missing.length; at += BATCH) {
    const batch = missing.slice(at, at + BATCH);
    try {
      ask('apt-get', ['download', '-qq', ...batch.map(({ name, version }) => `${name}=${version}`)], partial);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new BuildError(
        `Debian's mirror does not give a version that packages.lock pins. If it has a newer one, run ` +
          `images/raspberry-pi/build --refresh and look at what changed.\n${why}`,
      );
    }
  }
  for (const one of missing) renameSync(join(partial, debFile(one)), join(folder, debFile(one)));
  rmSync(partial, { recursive: true });
}
