/**
 * A router of OpenWrt's shape in a folder: BusyBox for arm64 with stand-ins for procd and uci, and no C library but what a package brings.
 * Its programs run by an emulator that a namespace of their own knows, so that nothing of the machine is changed.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pinned } from '#images/openwrt/libraries.ts';
import { unpack } from '#images/raspberry-pi/unpack.ts';
import { endNamespaces } from './namespace.ts';

const stubs = join(import.meta.dirname, 'openwrt');
const APPLETS =
  'sh ash cat chmod chown cut echo env grep head id ln ls mkdir mv printf rm sed tail touch true uname'.split(' ');
/** ELF of 64-bit Arm, as binfmt_misc wants it (Documentation/admin-guide/binfmt-misc.rst): name, magic, mask, interpreter, flags. */
const FORMAT =
  ':arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:' +
  '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:/usr/bin/qemu-aarch64-static:PF';
/** Waits for the map of user numbers, then tells its namespace of the emulator, then becomes the program. */
const ENTER = `read -r go; mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf '%s' '${FORMAT}' >/proc/sys/fs/binfmt_misc/register &&
mount -t proc none "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"`;

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

export class OpenWrtRoot {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-openwrt-'));
  readonly #children: ChildProcess[] = [];

  constructor() {
    const { paths } = pinned(['busybox-static']);
    const parts = join(this.folder, 'parts');
    unpack([...paths.values()], parts);
    for (const folder of [
      'bin',
      'dev',
      'proc',
      'tmp',
      'etc/rc.d',
      'etc/config',
      'etc/init.d',
      'lib/functions',
      'sbin',
      'usr/bin',
      'var/run',
    ])
      mkdirSync(this.path(folder), { recursive: true });
    chmodSync(this.folder, 0o755);
    copyFileSync(join(parts, 'usr/bin/busybox'), this.path('bin/busybox'));
    rmSync(parts, { recursive: true });
    for (const name of APPLETS) symlinkSync('busybox', this.path(`bin/${name}`));
    for (const [name, path] of [
      ['rc.common', 'etc/rc.common'],
      ['functions.sh', 'lib/functions.sh'],
      ['network.sh', 'lib/functions/network.sh'],
      ['uci', 'sbin/uci'],
    ] as const) {
      copyFileSync(join(stubs, name), this.path(path));
      chmodSync(this.path(path), 0o755);
    }
    writeFileSync(this.path('etc/init.d/firewall'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
    writeFileSync(this.path('etc/passwd'), 'root:x:0:0:root:/root:/bin/ash\n');
    writeFileSync(this.path('etc/group'), 'root:x:0:\n');
    writeFileSync(this.path('etc/shadow'), 'root:::0:99999:7:::\n');
  }

  path(inside: string): string {
    return join(this.folder, inside);
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), 'utf8');
  }

  /** Starts a program as a user of the router. */
  async start(user: string, environment: readonly string[], ...words: string[]): Promise<ChildProcess> {
    const enter = [
      'chroot',
      `--userspec=${user}`,
      this.folder,
      '/bin/env',
      '-i',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      ...environment,
    ];
    const child = spawn(
      'unshare',
      ['-U', '-m', '-p', '-f', '--kill-child', 'sh', '-c', ENTER, this.folder, ...enter, ...words],
      { stdio: 'pipe' },
    );
    this.#children.push(child);
    // The whole range of numbers, which only the outside may grant; `unshare -r` grants one.
    const own = readlinkSync('/proc/self/ns/user');
    while (readlinkSync(`/proc/${child.pid}/ns/user`) === own) await new Promise((resume) => setTimeout(resume, 5));
    for (const map of ['uid_map', 'gid_map']) writeFileSync(`/proc/${child.pid}/${map}`, '0 0 65536');
    child.stdin?.write('go\n');
    child.stdin?.end();
    return child;
  }

  /** Runs a program as root and waits for its end. */
  async run(environment: readonly string[], ...words: string[]): Promise<Ran> {
    const child = await this.start('0:0', environment, ...words);
    let [out, error] = ['', ''];
    child.stdout?.on('data', (data) => (out += data));
    child.stderr?.on('data', (data) => (error += data));
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, out, error };
  }

  /** Installs a package as opkg does: scripts before and after, and a file of `conffiles` that the person changed stays. */
  async install(ipk: string, upgrade = false): Promise<Ran> {
    const environment = upgrade ? ['PKG_UPGRADE=1'] : [];
    const unpacked = this.path('tmp/opkg');
    mkdirSync(join(unpacked, 'control'), { recursive: true });
    execFileSync('tar', ['-xzf', ipk, '-C', unpacked]);
    execFileSync('tar', ['-xzf', join(unpacked, 'control.tar.gz'), '-C', join(unpacked, 'control')]);
    const before = await this.run(environment, '/bin/sh', '/tmp/opkg/control/preinst', 'install');
    if (before.code !== 0) return before;
    const kept = readFileSync(join(unpacked, 'control/conffiles'), 'utf8')
      .trim()
      .split('\n')
      .filter((path) => existsSync(this.path(path)));
    const words = kept.map((path) => `--exclude=.${path}`);
    execFileSync('tar', ['-xzf', join(unpacked, 'data.tar.gz'), '-C', this.folder, '--no-overwrite-dir', ...words]);
    return await this.run(environment, '/bin/sh', '/tmp/opkg/control/postinst', 'configure');
  }

  async close(): Promise<void> {
    await endNamespaces(this.#children);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10 });
  }
}
