/** The initial RAM disk: busybox, device mapper, tools for the data partition, the modules that reach the disk; a zstd-packed cpio. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { neededLibraries } from './elf.ts';

/** Where the pieces stand. */
export interface InitrdSources {
  /** Folder with unpacked arm64 packages: busybox-static, dmsetup, e2fsprogs and the libraries they need. */
  readonly parts: string;
  /** `lib/modules/RELEASE` with `modules.dep`. */
  readonly modules: string;
  /** Shell lines run in front of the root's own init (tests: a shell on a second serial line, a broken agent). */
  readonly test?: string;
}

/** Modules by name; what they need comes along. One that is built into the kernel is left out. */
const MODULES = [
  'virtio_mmio',
  'virtio_pci',
  'virtio_blk',
  'bcm2835',
  'sdhci-iproc',
  'fixed',
  'gpio-regulator',
  'reset-raspberrypi',
  'xhci-pci',
  'xhci-plat-hcd',
  'dwc2',
  'usb-storage',
  'sd_mod',
  'sha256-arm64',
  'sha2-ce',
  'crc32c_generic',
  'dm-mod',
  'dm-verity',
  'squashfs',
  'ext4',
  'bcm2835_wdt',
];
const PROGRAMS = ['dmsetup', 'e2fsck', 'mke2fs', 'tune2fs', 'resize2fs', 'dumpe2fs'];
const PLACES = ['usr/sbin', 'sbin', 'usr/bin', 'bin', 'usr/lib/aarch64-linux-gnu', 'lib/aarch64-linux-gnu', 'usr/lib'];

/** A file by name in the usual folders of an unpacked package set. */
function place(parts: string, name: string): string {
  for (const folder of PLACES) {
    const path = join(parts, folder, name);
    if (existsSync(path)) return realpathSync(path);
  }
  throw new Error(`${name} is in none of the packages for the initial RAM disk`);
}

const plain = (path: string) =>
  basename(path)
    .replace(/\.ko(\.xz|\.zst)?$/, '')
    .replaceAll('_', '-');

/** Paths of the modules in the order in which they load, by `modules.dep` and `modules.builtin`; throws where one is in neither. */
export function moduleOrder(dep: string, builtin: string, names: readonly string[]): string[] {
  const needs = new Map<string, string[]>();
  const byName = new Map<string, string>();
  for (const line of dep.split('\n')) {
    const at = line.indexOf(':');
    if (at < 0) continue;
    const path = line.slice(0, at);
    needs.set(
      path,
      line
        .slice(at + 1)
        .split(' ')
        .filter((one) => one !== ''),
    );
    byName.set(plain(path), path);
  }
  const inside = new Set(builtin.split('\n').map(plain));
  const order: string[] = [];
  const visit = (path: string) => {
    if (order.includes(path)) return;
    for (const below of [...(needs.get(path) ?? [])].reverse()) visit(below);
    if (!order.includes(path)) order.push(path);
  };
  for (const name of names) {
    const path = byName.get(name.replaceAll('_', '-'));
    if (path !== undefined) visit(path);
    else if (!inside.has(name.replaceAll('_', '-'))) throw new Error(`the kernel has no module ${name}`);
  }
  return order;
}

/** One entry of the archive. */
interface Entry {
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

/** A cpio archive ("newc"): all files root's, all times zero, in the order given. */
export function cpio(entries: readonly Entry[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  const text = new TextEncoder();
  const pad = (length: number) => new Uint8Array((4 - (length % 4)) % 4);
  let node = 1;
  for (const { path, mode, data } of [...entries, { path: 'TRAILER!!!', mode: 0, data: new Uint8Array() }]) {
    const name = text.encode(`${path}\0`);
    const fields = [node, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const head = text.encode(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`);
    pieces.push(head, name, pad(head.length + name.length), data, pad(data.length));
    node += 1;
  }
  return Buffer.concat(pieces);
}

const unpacked = (path: string) =>
  path.endsWith('.xz') ? execFileSync('xz', ['-dc', path], { maxBuffer: 64 * 1024 * 1024 }) : readFileSync(path);

/** The packed archive that the kernel unpacks. */
export function makeInitrd({ parts, modules, test }: InitrdSources): Uint8Array {
  const own = join(import.meta.dirname, 'boot');
  const entries = new Map<string, Entry>();
  const file = (path: string, mode: number, data: Uint8Array) =>
    entries.set(path, { path, mode: 0o100000 | mode, data });
  const folder = (path: string) => entries.set(path, { path, mode: 0o40755, data: new Uint8Array() });
  for (const path of ['bin', 'sbin', 'tools', 'lib', 'modules']) folder(path);
  file('init', 0o755, readFileSync(join(own, 'init')));
  file('data.sh', 0o644, readFileSync(join(own, 'data.sh')));
  if (test !== undefined) file('test.sh', 0o644, new TextEncoder().encode(test));
  file('bin/busybox', 0o755, readFileSync(place(parts, 'busybox')));
  const libraries = new Set<string>();
  const follow = (path: string) => {
    for (const name of neededLibraries(readFileSync(path)) ?? []) {
      if (libraries.has(name)) continue;
      libraries.add(name);
      follow(place(parts, name));
    }
  };
  for (const program of PROGRAMS) {
    const path = place(parts, program);
    file(`tools/${program}`, 0o755, readFileSync(path));
    follow(path);
  }
  for (const name of [...libraries].sort()) file(`lib/${name}`, 0o755, readFileSync(place(parts, name)));
  const order = moduleOrder(
    readFileSync(join(modules, 'modules.dep'), 'utf8'),
    readFileSync(join(modules, 'modules.builtin'), 'utf8'),
    MODULES,
  );
  for (const path of order)
    file(`modules/${basename(path).replace(/\.xz$/, '')}`, 0o644, unpacked(join(modules, path)));
  file(
    'modules/order',
    0o644,
    new TextEncoder().encode(order.map((path) => `${basename(path).replace(/\.xz$/, '')}\n`).join('')),
  );
  const archive = cpio([...entries.values()]);
  return zstdCompressSync(archive, { params: { [constants.ZSTD_c_compressionLevel]: 12 } });
}
