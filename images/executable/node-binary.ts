/** The Node.js that the executable is made of: npm's package for a platform, of the version that runs here, checked against our lock file. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root } from './bundle.ts';

export type Architecture = 'arm64' | 'x64';

/** Folder of what is fetched once. */
export function cacheFolder(name: string): string {
  const folder = join(process.env.HEARTHLINE_CACHE ?? join(homedir(), '.cache/hearthline'), name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version: string; readonly integrity: string }>>;
}

/** Path of the `node` of a platform. Throws where npm gives something else than the lock file names. */
export function nodeBinary(arch: Architecture): string {
  return join(nodeFolder(arch), 'bin/node');
}

/** The licence text of Node.js, which names all that it holds. */
export function nodeLicense(arch: Architecture): string {
  return readFileSync(join(nodeFolder(arch), 'LICENSE'), 'utf8');
}

function nodeFolder(arch: Architecture): string {
  const name = `node-linux-${arch}`;
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;
  const entry = lock.packages[`node_modules/${name}`];
  if (entry === undefined) throw new Error(`package-lock.json names no ${name}`);
  if (entry.version !== process.versions.node)
    throw new Error(
      `${name} is ${entry.version}, but this build runs on Node.js ${process.versions.node}; they must be the same`,
    );
  const cache = cacheFolder('node');
  const archive = join(cache, `${name}-${entry.version}.tgz`);
  const fetch = () =>
    execFileSync('npm', ['pack', '--silent', '--prefer-offline', `${name}@${entry.version}`], {
      cwd: cache,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  if (!existsSync(archive)) fetch();
  if (integrity(archive) !== entry.integrity) {
    // What a cut left behind is fetched again, once.
    rmSync(archive);
    fetch();
    if (integrity(archive) !== entry.integrity) throw new Error(`${archive} is not what package-lock.json names`);
  }
  const folder = join(cache, `${name}-${entry.version}`);
  if (!existsSync(join(folder, 'LICENSE'))) {
    const fresh = `${folder}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    execFileSync('tar', ['-xzf', archive, '-C', fresh, '--strip-components=1', 'package/bin/node', 'package/LICENSE']);
    rmSync(folder, { recursive: true, force: true });
    renameSync(fresh, folder);
  }
  return folder;
}

function integrity(file: string): string {
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
}
