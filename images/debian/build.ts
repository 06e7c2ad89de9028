/**
 * `npm run pkg:debian [-- arm64|x64 …]`: the Debian package of the agent around the executable of dist/pkg, for Debian 12 and later
 * and its children. Deterministic: times of the commit, owners root, one thread of compression.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { executablePath } from '../executable/build.ts';
import { root } from '../executable/bundle.ts';
import type { Architecture } from '../executable/node-binary.ts';
import { packageVersion, sourceDate } from '../executable/source.ts';

const files = join(import.meta.dirname, 'files');
const architectures: Readonly<Record<Architecture, string>> = { arm64: 'arm64', x64: 'amd64' };

/** Where each of `files/` goes, with its mode. */
const places: Readonly<Record<string, readonly [string, number]>> = {
  'hearthline.service': ['usr/lib/systemd/system/hearthline.service', 0o644],
  'hearthline.sysusers': ['usr/lib/sysusers.d/hearthline.conf', 0o644],
  'watchdog.conf': ['usr/share/hearthline/watchdog.conf', 0o644],
  configured: ['usr/lib/hearthline/configured', 0o755],
  'device.json': ['etc/hearthline/device.json', 0o644],
  copyright: ['usr/share/doc/hearthline-agent/copyright', 0o644],
};

export interface DebianPackage {
  readonly arch: Architecture;
  /** Path of the executable, and of its licences. */
  readonly executable: string;
  readonly licences: string;
  /** Version with Debian's revision; default: that of `package.json` and `-1`. */
  readonly version?: string;
  /** Effort of zstd, 1 to 19; default 9. */
  readonly effort?: number;
}

/** Makes the package in a folder; answers with its path. */
export function makeDebian(spec: DebianPackage, folder: string): string {
  const { arch, executable, licences, version = `${packageVersion()}-1`, effort = 9 } = spec;
  const epoch = sourceDate();
  const tree = mkdtempSync(join(tmpdir(), 'hearthline-deb-'));
  chmodSync(tree, 0o755);
  const put = (path: string, content: string | Uint8Array, mode: number) => {
    mkdirSync(join(tree, dirname(path)), { recursive: true });
    writeFileSync(join(tree, path), content, { mode });
    chmodSync(join(tree, path), mode);
  };
  try {
    mkdirSync(join(tree, 'usr/bin'), { recursive: true });
    copyFileSync(executable, join(tree, 'usr/bin/hearthline'));
    chmodSync(join(tree, 'usr/bin/hearthline'), 0o755);
    for (const [name, [path, mode]] of Object.entries(places)) put(path, readFileSync(join(files, name)), mode);
    const doc = 'usr/share/doc/hearthline-agent';
    put(`${doc}/LICENSE.node.gz`, gzipSync(readFileSync(licences), { level: 9 }), 0o644);
    put(`${doc}/changelog.Debian.gz`, gzipSync(changelog(version, epoch), { level: 9 }), 0o644);
    put('usr/share/man/man1/hearthline.1.gz', gzipSync(readFileSync(join(files, 'hearthline.1')), { level: 9 }), 0o644);
    const content = listed(tree);
    for (const script of ['postinst', 'prerm', 'postrm'])
      put(`DEBIAN/${script}`, readFileSync(join(files, script)), 0o755);
    put('DEBIAN/conffiles', '/etc/hearthline/device.json\n', 0o644);
    put('DEBIAN/md5sums', sums(tree, content), 0o644);
    put(
      'DEBIAN/control',
      control(
        arch,
        version,
        content.reduce((sum, path) => sum + readFileSync(join(tree, path)).length, 0),
      ),
      0o644,
    );
    const target = join(folder, `hearthline-agent_${version}_${architectures[arch]}.deb`);
    execFileSync(
      'dpkg-deb',
      ['--root-owner-group', '--threads-max=1', '-Zzstd', `-z${effort}`, '--build', tree, target],
      {
        env: { ...process.env, SOURCE_DATE_EPOCH: String(epoch) },
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    return target;
  } finally {
    rmSync(tree, { recursive: true });
  }
}

/** Paths of the files of a tree, sorted. */
function listed(tree: string): string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1))
    .sort();
}

/** deb-md5sums(5): what `dpkg --verify` compares. */
function sums(tree: string, paths: readonly string[]): string {
  const lines = paths
    .filter((path) => !path.startsWith('etc/'))
    .map(
      (path) =>
        `${createHash('md5')
          .update(readFileSync(join(tree, path)))
          .digest('hex')}  ${path}\n`,
    );
  return lines.join('');
}

/** deb-control(5). The versions are the oldest whose symbols Node.js and serialport's native part ask for. */
function control(arch: Architecture, version: string, octets: number): string {
  return `Package: hearthline-agent
Version: ${version}
Architecture: ${architectures[arch]}
Maintainer: Hearthline <hearthline@localhost>
Installed-Size: ${Math.ceil(octets / 1024)}
Depends: libc6 (>= 2.28), libstdc++6 (>= 5), libgcc-s1, libatomic1, systemd | systemd-standalone-sysusers
Section: comm
Priority: optional
Description: user agent of a Hearthline home
 Connects a house with its Hearthline cloud: pairs by a code, serves the
 phones of the house by SIP, carries their sound, and watches the home
 network. The same file is the technician's command line.
`;
}

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `hearthline-agent (${version}) stable; urgency=medium

  * Built from the project's tree; its CHANGELOG.md says what is new.

 -- Hearthline <hearthline@localhost>  ${date}
`;
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const wrong = asked.find((word) => !Object.hasOwn(architectures, word));
  if (wrong !== undefined) throw new Error(`${wrong} is none of ${Object.keys(architectures).join(', ')}`);
  for (const arch of (asked.length === 0 ? Object.keys(architectures) : asked) as Architecture[]) {
    const executable = executablePath(arch);
    if (!existsSync(executable)) throw new Error(`${executable} is not there: run \`npm run pkg -- ${arch}\` first`);
    const path = makeDebian({ arch, executable, licences: `${executable}.licences.txt` }, dirname(executable));
    console.log(`${path.replace(`${root}/`, '')}: ${(readFileSync(path).length / 1e6).toFixed(1)} MB`);
  }
}
