/** A small Debian of its own in a folder, made once for each release and unpacked for each use; programs run in it as in a container. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '#images/executable/node-binary.ts';
import { endNamespaces } from './namespace.ts';

const MIRROR = 'http://deb.debian.org/debian';
const PACKAGES = ['systemd', 'libstdc++6', 'libatomic1', 'libgcc-s1'];
const PATH = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin';

export interface Ran {
  readonly code: number | null;
  readonly text: string;
}

export class DebianRoot {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-root-'));
  readonly #children: ChildProcess[] = [];

  constructor(suite: 'bookworm' | 'trixie') {
    const archive = join(cacheFolder('roots'), `${suite}.tar`);
    if (!existsSync(archive)) {
      const fresh = `${archive}.${process.pid}.tar`;
      const words = [
        '--mode=root',
        '--variant=minbase',
        `--include=${PACKAGES.join(',')}`,
        '--quiet',
        suite,
        fresh,
        MIRROR,
      ];
      execFileSync('mmdebstrap', words, { stdio: ['ignore', 'ignore', 'inherit'] });
      renameSync(fresh, archive);
    }
    execFileSync('tar', ['-xf', archive, '-C', this.folder, '--exclude=./dev/*']);
    mkdirSync(join(this.folder, 'proc'), { recursive: true });
  }

  path(inside: string): string {
    return join(this.folder, inside);
  }

  /** Runs a program as root and waits for its end. */
  run(...words: string[]): Ran {
    const { status, stdout, stderr } = spawnSync('unshare', this.#words([], words), {
      encoding: 'utf8',
      timeout: 60_000,
    });
    return { code: status, text: `${stdout}${stderr}` };
  }

  /** Starts a program as a user, with nothing in its environment but these. */
  start(user: string, environment: readonly string[], ...words: string[]): ChildProcess {
    const child = spawn('unshare', this.#words([`--userspec=${user}:${user}`], words, environment), { stdio: 'pipe' });
    this.#children.push(child);
    return child;
  }

  /** Mounts and processes are its own, and go with its first process. */
  #words(how: readonly string[], words: readonly string[], environment: readonly string[] = []): string[] {
    const mount = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"';
    const enter = ['chroot', ...how, this.folder, 'env', '-i', PATH, 'DEBIAN_FRONTEND=noninteractive', ...environment];
    return ['-m', '-p', '-f', '--kill-child', 'sh', '-c', mount, this.folder, ...enter, ...words];
  }

  async close(): Promise<void> {
    await endNamespaces(this.#children);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
