/**
 * `npm run pkg [-- arm64|x64 …]`: the agent and the technician's commands as one file for each platform, in dist/pkg. Bundled,
 * put into a stripped Node.js by Node's own `--build-sea`. Two builds of one commit are identical.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bundle, bundle, root } from './bundle.ts';
import { type Architecture, nodeBinary } from './node-binary.ts';
import { notices } from './notices.ts';
import { buildName, packageVersion } from './source.ts';

const require = createRequire(import.meta.url);
const bindings = join(root, 'node_modules/@serialport/bindings-cpp/prebuilds');

/** Per platform: how to strip on a machine of another, and serialport's native part for the GNU C library. */
const platforms: Readonly<Record<Architecture, { readonly strip: string; readonly addon: string }>> = {
  arm64: { strip: 'aarch64-linux-gnu-strip', addon: 'linux-arm64/@serialport+bindings-cpp.armv8.glibc.node' },
  x64: { strip: 'x86_64-linux-gnu-strip', addon: 'linux-x64/@serialport+bindings-cpp.glibc.node' },
};

/** Makes the executable of a platform; answers with its path. */
export function makeExecutable(arch: Architecture, { main, parts, workers }: Bundle, target: string): string {
  const { strip, addon } = platforms[arch];
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-pkg-'));
  const file = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return name;
  };
  try {
    const base = join(folder, 'node');
    copyFileSync(nodeBinary(arch), base);
    chmodSync(base, 0o755);
    // Before the script goes in: afterwards strip would take it for waste.
    execFileSync(process.arch === arch ? 'strip' : strip, [base]);
    const assets: Record<string, string> = {
      'build.json': file('build.json', JSON.stringify({ version: packageVersion(), build: buildName() })),
      'quickjs.wasm': require.resolve('@jitl/quickjs-wasmfile-release-sync/wasm'),
      'serialport.node': join(bindings, addon),
    };
    for (const { name, code } of parts) assets[name] = file(name, code);
    for (const { name, code } of workers) assets[name] = file(`${name}.cjs`, code);
    // Names without a folder, since the path of the script is written into the file.
    const config = file(
      'sea.json',
      JSON.stringify({
        main: file('main.cjs', main.code),
        executable: 'node',
        output: 'hearthline',
        disableExperimentalSEAWarning: true,
        // Both are bound to the platform that made them.
        useSnapshot: false,
        useCodeCache: false,
        execArgv: ['--no-warnings'],
        execArgvExtension: 'env',
        assets,
      }),
    );
    execFileSync(process.execPath, ['--build-sea', config], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    const output = join(folder, 'hearthline');
    chmodSync(output, 0o755);
    copyFileSync(output, `${target}.new`);
    renameSync(`${target}.new`, target);
  } finally {
    rmSync(folder, { recursive: true });
  }
  return target;
}

export function executablePath(arch: Architecture): string {
  return join(root, 'dist/pkg', `hearthline-linux-${arch}`);
}

/** How long an executable takes to say its version, as words; none where this machine cannot run it. */
function startUp(arch: Architecture, path: string): string {
  const own = arch === process.arch;
  const [program = '', ...words] = [...(own ? [] : ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu']), path];
  const times: number[] = [];
  for (let count = 0; count < 3; count += 1) {
    const since = performance.now();
    if (spawnSync(program, [...words, '--version'], { stdio: 'ignore', timeout: 60_000 }).status !== 0) return '';
    times.push(performance.now() - since);
  }
  return `, says its version in ${Math.min(...times).toFixed(0)} ms${own ? '' : ' under an emulator'}`;
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const wrong = asked.find((word) => !Object.hasOwn(platforms, word));
  if (wrong !== undefined) throw new Error(`${wrong} is none of ${Object.keys(platforms).join(', ')}`);
  mkdirSync(join(root, 'dist/pkg'), { recursive: true });
  const scripts = await bundle();
  for (const arch of (asked.length === 0 ? Object.keys(platforms) : asked) as Architecture[]) {
    const since = performance.now();
    const path = makeExecutable(arch, scripts, executablePath(arch));
    writeFileSync(`${path}.licences.txt`, notices(scripts, arch));
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex');
    const size = (statSync(path).size / 1e6).toFixed(1);
    const script = (scripts.parts.reduce((sum, { code }) => sum + code.length, 0) / 1e3).toFixed(0);
    const built = ((performance.now() - since) / 1000).toFixed(1);
    console.log(
      `${path.replace(`${root}/`, '')}: ${size} MB (${scripts.parts.length} scripts, ${script} kB), built in ${built} s${startUp(arch, path)}, sha256 ${hash}`,
    );
  }
}
