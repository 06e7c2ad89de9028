/** Unpacks Debian packages into a plain folder: no maintainer script runs, and nothing needs root. */
import { spawnSync } from 'node:child_process';
import { chmodSync, lstatSync, mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BuildError } from './tools.ts';

/** Unpacks packages into a folder, in the order given. */
export function unpack(debs: readonly string[], folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const deb of debs) {
    const tar = 'tar -x --keep-directory-symlink --no-same-owner --no-same-permissions -C "$1"';
    const result = spawnSync(
      'bash',
      ['-c', `set -o pipefail; umask 022; dpkg-deb --fsys-tarfile "$0" | ${tar}`, deb, folder],
      {
        encoding: 'utf8',
      },
    );
    if (result.status !== 0) throw new BuildError(`${deb}: cannot be unpacked: ${result.stderr.trim()}`);
  }
}

/** Every path below a folder, relative to it, a folder before what it holds; in the order of the names. */
export function* walk(folder: string, inside = ''): Generator<string> {
  for (const entry of readdirSync(join(folder, inside), { withFileTypes: true }).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const path = inside === '' ? entry.name : `${inside}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* walk(folder, path);
  }
}

/** Removes what a pattern names, then folders that became empty by it. */
export function prune(folder: string, named: (path: string) => boolean): void {
  const gone: string[] = [];
  for (const path of walk(folder)) if (named(path)) gone.push(path);
  for (const path of gone) rmSync(join(folder, path), { recursive: true, force: true });
  for (const path of new Set(gone.map((each) => each.slice(0, Math.max(0, each.lastIndexOf('/')))))) {
    for (let up = path; up !== ''; up = up.slice(0, Math.max(0, up.lastIndexOf('/')))) {
      try {
        rmdirSync(join(folder, up));
      } catch {
        break;
      }
    }
  }
}

/** Takes every bit that gives a program more than its caller has: there is nobody to use one. */
export function dropSetuid(folder: string): void {
  for (const path of walk(folder)) {
    const { mode } = lstatSync(join(folder, path));
    const file = (mode & 0o170000) === 0o100000;
    if (file && (mode & 0o6000) !== 0) chmodSync(join(folder, path), mode & 0o1777);
  }
}
