/**
 * `npm run pkg:openwrt [-- --arch NAME]`: the OpenWrt package of the agent around the arm64 executable of dist/pkg, with the C library
 * that the executable needs. An .ipk for OpenWrt 24.10 (opkg), and the same files as a tree for the feed of the SDK (apk of 25.12).
 */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { executablePath } from '../executable/build.ts';
import { root } from '../executable/bundle.ts';
import { packageVersion, sourceDate } from '../executable/source.ts';
import { putLibraries } from './libraries.ts';

const files = join(import.meta.dirname, 'root');
const scripts = join(import.meta.dirname, 'scripts');
/** Programs among `root/`; the rest is data. */
const PROGRAMS = [
  'etc/init.d/hearthline',
  'etc/uci-defaults/90-hearthline',
  'lib/ld-linux-aarch64.so.1',
  'usr/bin/hearthline',
];
const SCRIPTS = ['preinst', 'postinst', 'prerm'] as const;
/** Kept as the person left them when the package is upgraded; nobody but root reads what may hold a claim. */
const CONFFILES = ['etc/config/hearthline'];

export interface OpenWrtPackage {
  /** Path of the executable for arm64, and of its licences. */
  readonly executable: string;
  readonly licences: string;
  /** OpenWrt's name of the processor, such as `aarch64_cortex-a53`; the files are the same for each. Default `aarch64_generic`. */
  readonly arch?: string;
  /** Version with OpenWrt's release; default: that of `package.json` and `-r1`. */
  readonly version?: string;
  /** Effort of gzip, 1 to 9; default 6, as more takes minutes for little. */
  readonly effort?: number;
}

/** Puts all files of the package into an empty folder. */
export function putFiles({ executable, licences }: OpenWrtPackage, tree: string): void {
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), content);
  };
  cpSync(files, tree, { recursive: true });
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  copyFileSync(executable, join(tree, 'usr/bin/hearthline'));
  const terms = `${putLibraries(tree)}${'-'.repeat(78)}\n${readFileSync(licences, 'utf8')}`;
  put('usr/share/licenses/hearthline-agent/licences.txt.gz', gzipSync(terms, { level: 9 }));
  execFileSync('chmod', ['-R', 'u=rwX,go=rX', tree]);
  for (const path of PROGRAMS) chmodSync(join(tree, path), 0o755);
  for (const path of CONFFILES) chmodSync(join(tree, path), 0o600);
}

/** Makes the .ipk in a folder; answers with its path. */
export function makeIpk(spec: OpenWrtPackage, folder: string): string {
  const { arch = 'aarch64_generic', version = `${packageVersion()}-r1`, effort = 6 } = spec;
  if (!/^aarch64_[a-z0-9-]{1,30}$/.test(arch))
    throw new Error(`${arch} is no 64-bit Arm of OpenWrt, such as aarch64_cortex-a53`);
  const work = mkdtempSync(join(tmpdir(), 'hearthline-ipk-'));
  try {
    const [data, control] = [join(work, 'data'), join(work, 'control')];
    mkdirSync(data);
    mkdirSync(control);
    putFiles(spec, data);
    const octets = readdirSync(data, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    writeFileSync(join(control, 'control'), controlText(arch, version, octets));
    writeFileSync(join(control, 'conffiles'), CONFFILES.map((path) => `/${path}\n`).join(''));
    for (const name of SCRIPTS) copyFileSync(join(scripts, name), join(control, name));
    for (const name of ['control', 'conffiles']) chmodSync(join(control, name), 0o644);
    for (const name of SCRIPTS) chmodSync(join(control, name), 0o755);
    const outer = join(work, 'ipk');
    mkdirSync(outer);
    writeFileSync(join(outer, 'debian-binary'), '2.0\n', { mode: 0o644 });
    pack(control, join(outer, 'control.tar.gz'), effort);
    pack(data, join(outer, 'data.tar.gz'), effort);
    const target = join(folder, `hearthline-agent_${version}_${arch}.ipk`);
    // Its parts are packed already.
    pack(outer, target, 1);
    return target;
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** A gzip'ed tar that is the same for the same files: sorted, owned by root, times of the commit, no name in the gzip header. */
function pack(folder: string, target: string, effort: number): void {
  const words = [
    '--format=ustar',
    '--sort=name',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    `--mtime=@${sourceDate()}`,
  ];
  const tar = execFileSync('tar', [...words, '-C', folder, '-cf', '-', '.'], { maxBuffer: 512 * 1024 * 1024 });
  writeFileSync(target, execFileSync('gzip', ['-n', `-${effort}`], { input: tar, maxBuffer: 512 * 1024 * 1024 }));
}

function controlText(arch: string, version: string, octets: number): string {
  return `Package: hearthline-agent
Version: ${version}
Depends: libc
Section: net
Architecture: ${arch}
Installed-Size: ${octets}
License: MIT
Require-User: hearthline=852:hearthline=852
Description:  User agent of a Hearthline home: pairs with the cloud, serves the
 phones of the house by SIP, carries their sound, watches the LAN.
 Needs 256 MB of memory and 150 MB of storage.
`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { arch: { type: 'string', default: 'aarch64_generic' } } });
  const executable = executablePath('arm64');
  if (!existsSync(executable)) throw new Error(`${executable} is not there: run \`npm run pkg -- arm64\` first`);
  const spec = { executable, licences: `${executable}.licences.txt`, arch: values.arch };
  const path = makeIpk(spec, dirname(executable));
  const tree = join(dirname(executable), 'openwrt-root');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  putFiles(spec, tree);
  console.log(
    `${path.replace(`${root}/`, '')}: ${(readFileSync(path).length / 1e6).toFixed(1)} MB; tree for the SDK: dist/pkg/openwrt-root`,
  );
}
