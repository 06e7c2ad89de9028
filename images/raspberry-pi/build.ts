/** `images/raspberry-pi/build`: makes the release's files, from Debian's packages and the executable. No private key is read here. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { helpText, type Options, readConfig } from '#shared/host/config.ts';
import { writeManifest } from '#shared/protocol/image-manifest.ts';
import { partition, SECTOR } from './boot/layout.ts';
import { resolvePackages } from './debian.ts';
import { writeDisk } from './disk.ts';
import { makeInitrd } from './initrd.ts';
import { licencesOf, UNREADABLE } from './licences.ts';
import { type LockedPackage, readPackageList, writeLock } from './packages.ts';
import { makeRoot, type Root } from './root.ts';
import { readNotices, writeBill } from './sbom.ts';
import { makeSlot, packRoot } from './slot.ts';
import { BuildError, cacheFolder, checkSize, missingPackages, run } from './tools.ts';

const source = import.meta.dirname;
const tree = resolve(source, '../..');

const options = {
  keyring: {
    kind: 'text',
    value: 'FILE',
    about: 'certificates (PEM) of who may sign updates; none: no update is taken',
  },
  version: { kind: 'text', value: 'VERSION', about: 'major.minor.patch; package.json’s unless given' },
  out: { kind: 'text', value: 'DIR', about: 'where the files go', fallback: join(tree, 'dist/image') },
  executable: {
    kind: 'text',
    value: 'FILE',
    about: 'the agent, as `npm run pkg` makes it',
    fallback: join(tree, 'dist/pkg/hearthline-linux-arm64'),
  },
  url: {
    kind: 'text',
    value: 'URL',
    about: 'where the image will be fetched from, for Raspberry Pi Imager',
  },
  refresh: {
    kind: 'flag',
    about: 'resolves packages.txt against Debian as it is now, writes packages.lock, builds nothing',
  },
  help: { kind: 'flag', about: 'says this' },
} as const satisfies Options;

const sha256 = (octets: Uint8Array) => createHash('sha256').update(octets).digest('hex');
const say = (text: string) => process.stdout.write(`${text}\n`);

interface Asked {
  readonly version: string;
  readonly epoch: number;
  readonly commit?: string;
  readonly out: string;
  readonly executable: string;
  readonly url: string;
  readonly keyring?: string;
}

function refresh(): void {
  const list = readPackageList(readFileSync(join(source, 'packages.txt'), 'utf8'));
  if (!list.ok) throw new BuildError(`packages.txt, ${list.fault}`);
  const lock = resolvePackages(list.value, cacheFolder());
  writeFileSync(join(source, 'packages.lock'), writeLock(lock));
  say(`packages.lock: ${lock.length} packages`);
}

function git(...words: string[]): string | undefined {
  try {
    return execFileSync('git', ['-C', tree, ...words], { encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return undefined;
  }
}

function checkKeyring(path: string): void {
  if (!existsSync(path)) throw new BuildError(`--keyring ${path}: there is no such file`);
  const text = readFileSync(path, 'utf8');
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new BuildError(`--keyring ${path}: holds no certificate`);
  if (text.includes('PRIVATE KEY'))
    throw new BuildError(`--keyring ${path}: holds a private key, which no image may carry`);
}

function asked(values: Readonly<Record<string, string>>): Asked {
  const version = values.version ?? (JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8')) as Asked).version;
  if (!/^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$/.test(version))
    throw new BuildError(`--version ${version}: is not major.minor.patch`);
  const executable = resolve(values.executable ?? '');
  if (!existsSync(executable)) throw new BuildError(`${executable} is missing: npm run pkg`);
  if (values.keyring !== undefined) checkKeyring(values.keyring);
  const time = process.env.SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct');
  if (time === undefined || !/^[0-9]{1,11}$/.test(time))
    throw new BuildError('the time of the sources is not known: set SOURCE_DATE_EPOCH to seconds since 1970');
  const commit = git('rev-parse', 'HEAD');
  return {
    ...{ version, executable, epoch: Number(time), out: resolve(values.out ?? ''), url: values.url ?? '' },
    ...(values.keyring === undefined ? {} : { keyring: resolve(values.keyring) }),
    ...(commit === undefined ? {} : { commit }),
  };
}

/** Builds everything; the names of the files that stand in `out` afterwards. */
function build(wanted: Asked): void {
  const work = mkdtempSync(join(tmpdir(), 'hearthline-image-'));
  const steps = stopwatch();
  try {
    const root = makeRoot({ ...wanted, source, cache: cacheFolder(), folder: join(work, 'tree') });
    steps('root file system');
    const squashed = packRoot(root.folder, join(work, 'root.squashfs'), wanted.epoch);
    steps('squashfs', squashed.length);
    const slot = makeSlot(
      { root: squashed, kernel: readFileSync(root.kernel), initrd: makeInitrd(root), epoch: wanted.epoch },
      partition(2).sectors * SECTOR,
    ).image;
    steps('slot', slot.length);
    const disk = join(work, 'disk.img');
    writeDisk({ firmware: root.firmware, uboot: root.uboot.rpi, slot, epoch: wanted.epoch }, disk);
    steps('disk', statSync(disk).size);
    release(wanted, root, slot, disk, steps);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function release(wanted: Asked, root: Root, slot: Uint8Array, disk: string, steps: ReturnType<typeof stopwatch>): void {
  const { version, epoch, out } = wanted;
  const name = join(out, `hearthline-${version}-rpi-arm64`);
  mkdirSync(out, { recursive: true });
  const image = `${name}.img.zst`;
  run('zstd', ['-q', '-f', '-9', '-T2', '--no-progress', disk, '-o', image]);
  const packed = readFileSync(image);
  steps('compressed image', packed.length);
  checkSize(image, packed.length);
  const digest = sha256(packed);
  writeFileSync(`${image}.sha256`, `${digest}  ${basename(image)}\n`);
  writeFileSync(`${name}.slot`, slot);
  const plain = readFileSync(disk);
  writeFileSync(
    `${name}.manifest.json`,
    writeManifest({
      ...{ version, icon: '', url: wanted.url === '' ? basename(image) : wanted.url },
      date: new Date(epoch * 1000).toISOString().slice(0, 10),
      extract: { size: plain.length, sha256: sha256(plain) },
      download: { size: packed.length, sha256: digest },
    }),
  );
  writeFileSync(`${name}.cdx.json`, bill(wanted, root));
  steps('manifest and bill of materials');
  say(`\n${image}\nsha256 ${digest}`);
  if (wanted.keyring === undefined) say('Built without --keyring: gateways with this image take no updates.');
}

function bill({ version, epoch, executable }: Asked, root: Root): string {
  const licences = (locked: LockedPackage) => {
    const path = join(root.folder, 'usr/share/doc', locked.name, 'copyright');
    return { locked, licences: existsSync(path) ? licencesOf(readFileSync(path, 'utf8')) : [{ name: UNREADABLE }] };
  };
  return writeBill({
    ...{ version, epoch, debian: root.lock.map(licences), executable: { sha256: sha256(readFileSync(executable)) } },
    ...readNotices(
      readFileSync(`${executable}.licences.txt`, 'utf8'),
      readFileSync(join(tree, 'package-lock.json'), 'utf8'),
    ),
  });
}

/** Says how long each step took, and how large its fruit is. */
function stopwatch(): (step: string, octets?: number) => void {
  let last = performance.now();
  return (step, octets) => {
    const seconds = ((performance.now() - last) / 1000).toFixed(1);
    last = performance.now();
    say(`${seconds.padStart(6)} s  ${step}${octets === undefined ? '' : `, ${(octets / 1e6).toFixed(1)} MB`}`);
  };
}

function main(): number {
  const read = readConfig(process.argv.slice(2), options, process.env);
  if (!read.ok) throw new BuildError(read.fault);
  const { values } = read.value;
  if (values.help === 'true') {
    const about = 'Builds the gateway’s image for Raspberry Pi 3, 4, Zero 2 W and compute modules (arm64).';
    say(helpText('images/raspberry-pi/build [options]', about, options));
    return 0;
  }
  const missing = missingPackages();
  if (missing !== undefined)
    throw new BuildError(`This host lacks programs that the build runs. Install them:\n${missing}`);
  if (values.refresh === 'true') refresh();
  else build(asked(values));
  return 0;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof BuildError)) throw error;
  process.stderr.write(`images/raspberry-pi/build: ${error.message}\n`);
  process.exitCode = 3;
}
