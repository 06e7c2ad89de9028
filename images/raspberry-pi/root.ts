/**
 * The file system of a slot as a plain folder: locked Debian packages unpacked without their scripts, what a gateway does not need
 * taken away, our own files and units put in. Everything in it is meant to be owned by root; nothing of it is secret.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fetchPackages } from './debian.ts';
import { neededLibraries } from './elf.ts';
import { listLines, pathMatcher } from './glob.ts';
import { chooseModules } from './modules.ts';
import { type LockedPackage, type Place, readLock } from './packages.ts';
import { BuildError, run } from './tools.ts';
import { dropSetuid, prune, unpack, walk } from './unpack.ts';

/** What the build starts from. */
export interface RootSettings {
  /** This folder, with the lists. */
  readonly source: string;
  readonly cache: string;
  /** Made anew: `root`, `parts` and `boot` stand in it afterwards. */
  readonly folder: string;
  readonly version: string;
  /** Seconds since 1970: the time of everything in the image. */
  readonly epoch: number;
  /** The commit it was built from, where that is known. */
  readonly commit?: string;
  /** The arm64 executable. */
  readonly executable: string;
  /** Certificates (PEM) of who may sign updates; without them every update is refused. */
  readonly keyring?: string;
}

/** What stands ready for slot, initial RAM disk and boot partition. */
export interface Root {
  readonly folder: string;
  /** The kernel as Debian ships it, not compressed. */
  readonly kernel: string;
  /** Such as `6.12.117+deb13-arm64`. */
  readonly release: string;
  /** `lib/modules/RELEASE` inside the root, with its `modules.dep`. */
  readonly modules: string;
  /** arm64 programs for the initial RAM disk, with their libraries. */
  readonly parts: string;
  /** Files of the boot partition: the Raspberry Pi's firmware and device trees. */
  readonly firmware: string;
  readonly uboot: { readonly rpi: string; readonly qemu: string };
  readonly lock: readonly LockedPackage[];
}

const NO_KEYRING = '# Built without a keyring: no update is taken.\n';

const text = (settings: RootSettings, name: string) => readFileSync(join(settings.source, name), 'utf8');

/** Unpacked packages change only with these lists, and are kept between builds under their digest. */
const BASE_LISTS = [
  'packages.lock',
  'prune.txt',
  'modules.txt',
  'firmware.txt',
  'root.ts',
  'unpack.ts',
  'glob.ts',
] as const;

/** Makes the root; a package that is not in the cache is fetched. */
export function makeRoot(settings: RootSettings): Root {
  const lock = readLock(text(settings, 'packages.lock'));
  if (!lock.ok) throw new BuildError(`packages.lock, ${lock.fault}`);
  const hash = createHash('sha256');
  for (const name of BASE_LISTS) hash.update(text(settings, name));
  const base = join(settings.cache, 'base', hash.digest('hex').slice(0, 16));
  const packages = fetchPackages(lock.value, settings.cache);
  if (!existsSync(base)) makeBase(settings, lock.value, packages, base);
  rmSync(settings.folder, { recursive: true, force: true });
  mkdirSync(settings.folder, { recursive: true });
  run('cp', ['-a', '--reflink=auto', `${base}/.`, settings.folder]);
  const root = join(settings.folder, 'root');
  overlay(settings, root);
  checkLibraries(root);
  const release = readdirSync(join(root, 'usr/lib/modules'))[0] ?? '';
  return {
    folder: root,
    release,
    kernel: join(settings.folder, 'boot/Image'),
    modules: join(root, 'usr/lib/modules', release),
    parts: join(settings.folder, 'parts'),
    firmware: join(settings.folder, 'boot/firmware'),
    uboot: { rpi: join(settings.folder, 'boot/u-boot.bin'), qemu: join(settings.folder, 'boot/u-boot-qemu.bin') },
    lock: lock.value,
  };
}

function makeBase(
  settings: RootSettings,
  lock: readonly LockedPackage[],
  packages: ReadonlyMap<string, string>,
  base: string,
): void {
  mkdirSync(dirname(base), { recursive: true });
  // Two builds may be at it at once: each makes its own, and the first one stays.
  const making = mkdtempSync(`${base}.`);
  const of = (place: Place) =>
    lock
      .filter((one) => one.places.includes(place))
      // The one with the links of the merged /usr comes first.
      .sort((a, b) => Number(b.name === 'base-files') - Number(a.name === 'base-files'))
      .map(({ name }) => packages.get(name) ?? '');
  const [root, parts, donor] = [join(making, 'root'), join(making, 'parts'), join(making, 'donor')];
  unpack(of('root'), root);
  unpack(of('initrd'), parts);
  unpack(of('boot'), donor);
  const pruned = pathMatcher(listLines(text(settings, 'prune.txt')));
  prune(root, pruned);
  for (const other of [parts, donor]) addCopyrights(other, root);
  keepCopyrights(root);
  dropSetuid(root);
  takeModules(settings, donor, root);
  takeFirmware(settings, donor, root, join(making, 'boot'));
  for (const name of ['bin', 'sbin', 'lib'])
    if (!lstatSync(join(root, name)).isSymbolicLink()) throw new BuildError(`/${name} is no link to /usr/${name}`);
  rmSync(donor, { recursive: true, force: true });
  try {
    renameSync(making, base);
  } catch (error) {
    if (!existsSync(base)) throw error;
    rmSync(making, { recursive: true });
  }
}

/** The documents of a package of which the root has nothing else. */
function addCopyrights(from: string, root: string): void {
  const doc = 'usr/share/doc';
  for (const name of readdirSync(join(from, doc)))
    if (!existsSync(join(root, doc, name)))
      cpSync(join(from, doc, name), join(root, doc, name), { recursive: true, verbatimSymlinks: true });
}

/** Of a package's documents only its copyright is carried, as its licence asks for; that of kernel, firmware and U-Boot too. */
function keepCopyrights(root: string): void {
  const folder = join(root, 'usr/share/doc');
  for (const name of readdirSync(folder))
    for (const file of readdirSync(join(folder, name)))
      if (file !== 'copyright') rmSync(join(folder, name, file), { recursive: true });
}

function takeModules(settings: RootSettings, donor: string, root: string): void {
  const all = join(donor, 'usr/lib/modules');
  const release = readdirSync(all)[0] ?? '';
  symlinkSync('usr/lib', join(donor, 'lib'));
  run('depmod', ['-b', donor, release]);
  const kept = chooseModules(
    listLines(text(settings, 'modules.txt')),
    readFileSync(join(all, release, 'modules.dep'), 'utf8'),
  );
  if (!kept.ok) throw new BuildError(`modules.txt: ${kept.fault}`);
  const into = join(root, 'usr/lib/modules', release);
  for (const file of [...kept.value, 'modules.builtin', 'modules.builtin.modinfo', 'modules.order']) {
    mkdirSync(dirname(join(into, file)), { recursive: true });
    cpSync(join(all, release, file), join(into, file));
  }
  run('depmod', ['-b', root, release]);
}

/** Firmware for the radio goes into the root, that of the board to the boot partition. */
function takeFirmware(settings: RootSettings, donor: string, root: string, boot: string): void {
  const named = pathMatcher(listLines(text(settings, 'firmware.txt')));
  mkdirSync(join(boot, 'firmware'), { recursive: true });
  for (const path of walk(donor)) {
    if (!named(path) || lstatSync(join(donor, path)).isDirectory()) continue;
    const radio = path.startsWith('usr/lib/firmware/');
    const into = radio ? join(root, path) : join(boot, 'firmware', path.slice(path.lastIndexOf('/') + 1));
    mkdirSync(dirname(into), { recursive: true });
    cpSync(join(donor, path), into, { verbatimSymlinks: true });
  }
  const kernel = readdirSync(join(donor, 'boot')).find((name) => name.startsWith('vmlinuz-')) ?? '';
  cpSync(join(donor, 'boot', kernel), join(boot, 'Image'));
  cpSync(join(donor, 'usr/lib/u-boot/rpi_arm64/u-boot.bin'), join(boot, 'u-boot.bin'));
  cpSync(join(donor, 'usr/lib/u-boot/qemu_arm64/u-boot.bin'), join(boot, 'u-boot-qemu.bin'));
}

/** Folders that something is mounted on, or that a program expects. */
const FOLDERS = [
  'boot',
  'data',
  'dev',
  'proc',
  'run',
  'sys',
  'tmp',
  'var/tmp',
  'etc/hearthline',
  'etc/rauc',
  'root',
  'mnt',
] as const;

function overlay(settings: RootSettings, root: string): void {
  const { source, version, epoch, commit } = settings;
  cpSync(join(source, 'root'), root, { recursive: true });
  cpSync(join(source, 'units'), join(root, 'usr/lib/systemd/system'), { recursive: true });
  for (const name of FOLDERS) mkdirSync(join(root, name), { recursive: true });
  links(settings, root);
  const put = (path: string, content: string, mode = 0o644) => {
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  cpSync(join(source, 'boot/system.conf'), join(root, 'etc/rauc/system.conf'));
  cpSync(join(source, 'boot/slot-state'), join(root, 'usr/lib/hearthline/slot-state'));
  cpSync(settings.executable, join(root, 'usr/bin/hearthline'));
  chmodSync(join(root, 'usr/bin/hearthline'), 0o755);
  mkdirSync(join(root, 'usr/share/doc/hearthline'), { recursive: true });
  put('usr/share/doc/hearthline/copyright', readFileSync(`${settings.executable}.licences.txt`, 'utf8'));
  put('etc/rauc/keyring.pem', settings.keyring === undefined ? NO_KEYRING : readFileSync(settings.keyring, 'utf8'));
  put('etc/machine-id', '');
  chmodSync(join(root, 'etc/shadow'), 0o600);
  // Without a clock of its own the board starts at this file's time, so that no certificate made before the image is "not yet valid".
  put('usr/lib/clock-epoch', '');
  const built = new Date(epoch * 1000).toISOString();
  put(
    'etc/hearthline/image.json',
    `${JSON.stringify({ version, board: 'rpi-arm64', built, ...(commit === undefined ? {} : { commit }) })}\n`,
  );
  put(
    'usr/lib/os-release',
    `ID=hearthline\nID_LIKE=debian\nNAME=Hearthline\nPRETTY_NAME="Hearthline gateway ${version}"\n` +
      `VERSION_ID=${version}\nIMAGE_ID=hearthline-rpi-arm64\nIMAGE_VERSION=${version}\nBUILD_ID=${built}\n`,
  );
}

function links(settings: RootSettings, root: string): void {
  const applets = listLines(text(settings, 'applets.txt')).map((name) => `usr/bin/${name} busybox`);
  for (const line of [...applets, ...listLines(text(settings, 'links.txt'))]) {
    const [path = '', target = ''] = line.split(/\s+/);
    const at = join(root, path);
    mkdirSync(dirname(at), { recursive: true });
    rmSync(at, { force: true });
    symlinkSync(target, at);
  }
}

/** Every library that a program of the root asks for is in the root: no package was left out that something needs. */
function checkLibraries(root: string): void {
  const present = new Set(
    ['usr/lib', 'usr/lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu/systemd'].flatMap((name) =>
      readdirSync(join(root, name)),
    ),
  );
  const missing: string[] = [];
  for (const path of walk(root)) {
    if (!path.startsWith('usr/') || path.startsWith('usr/lib/modules/') || !lstatSync(join(root, path)).isFile())
      continue;
    for (const library of neededLibraries(readFileSync(join(root, path))) ?? [])
      if (!present.has(library)) missing.push(`${path} needs ${library}`);
  }
  if (missing.length > 0) throw new BuildError(`libraries are missing in the root:\n${missing.join('\n')}`);
}
