/** The GNU C library and its companions for arm64, which the executable needs and OpenWrt (musl) has not: Debian's, as the image pins them. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { root } from '../executable/bundle.ts';
import { cacheFolder } from '../executable/node-binary.ts';
import { fetchPackages } from '../raspberry-pi/debian.ts';
import { type LockedPackage, readLock } from '../raspberry-pi/packages.ts';
import { unpack } from '../raspberry-pi/unpack.ts';

/** Debian's folder of libraries, where its loader looks without being told; musl's never does. */
const LIBRARIES = 'usr/lib/aarch64-linux-gnu';
/** The path that the executable names as its loader; musl's has another name, so both can be there. */
const LOADER = 'lib/ld-linux-aarch64.so.1';

const FILES: Readonly<Record<string, readonly string[]>> = {
  libc6: ['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'ld-linux-aarch64.so.1'],
  'libstdc++6': ['libstdc++.so.6'],
  'libgcc-s1': ['libgcc_s.so.1'],
  libatomic1: ['libatomic.so.1'],
};

/** Pinned packages by name. Throws where the image's lock names one not. */
export function pinned(names: readonly string[]): { lock: LockedPackage[]; paths: Map<string, string> } {
  const read = readLock(readFileSync(join(root, 'images/raspberry-pi/packages.lock'), 'utf8'));
  if (!read.ok) throw new Error(`packages.lock: ${read.fault}`);
  const lock = names.map((name) => {
    const found = read.value.find((one) => one.name === name);
    if (found === undefined) throw new Error(`packages.lock pins no ${name}`);
    return found;
  });
  return { lock, paths: fetchPackages(lock, cacheFolder('.')) };
}

/** Puts the libraries into a tree; answers with their licences, and where their source is. */
export function putLibraries(tree: string): string {
  // The packages of one compiler share the licence file of its base.
  const { lock, paths } = pinned([...Object.keys(FILES), 'gcc-14-base']);
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-libraries-'));
  try {
    unpack([...paths.values()], folder);
    const put = (from: string, to: string) => {
      mkdirSync(join(tree, dirname(to)), { recursive: true });
      copyFileSync(join(folder, from), join(tree, to));
    };
    for (const file of Object.values(FILES).flat()) {
      const from = `${LIBRARIES}/${file}`;
      put(from, file === 'ld-linux-aarch64.so.1' ? LOADER : from);
    }
    const parts = lock.map(({ name, version }) => {
      const text = readFileSync(join(folder, 'usr/share/doc', name, 'copyright'), 'utf8');
      return `${name} ${version} of Debian; source: https://snapshot.debian.org/binary/${name}/${version}/\n\n${text}`;
    });
    return parts.join(`${'-'.repeat(78)}\n`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
