/** The licences of what an executable carries: Node.js, and the packages that are in its scripts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bundle, root } from './bundle.ts';
import { type Architecture, nodeLicense } from './node-binary.ts';

/** Packages of which no module is in the scripts, but a file is among the assets. */
const ASSETS = ['@serialport/bindings-cpp', '@jitl/quickjs-wasmfile-release-sync'];

/** Folders of the packages in the scripts, from the top of the tree, in order. */
function packagesOf(modules: readonly string[]): string[] {
  const found = new Set(ASSETS.map((name) => `node_modules/${name}`));
  for (const id of modules) {
    const folder = /^\0?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1];
    if (folder !== undefined) found.add(folder.slice(folder.indexOf('node_modules/')));
  }
  return [...found].sort();
}

/** One text with the licence of each. Throws where a package says none. */
export function notices({ modules }: Pick<Bundle, 'modules'>, arch: Architecture): string {
  const parts = packagesOf(modules).map((folder) => {
    const path = join(root, folder);
    const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<
      string,
      string
    >;
    const file = existsSync(path) ? readdirSync(path).find((one) => /^licen[cs]e/i.test(one)) : undefined;
    if (license === undefined && file === undefined) throw new Error(`${name} names no licence`);
    const text = file === undefined ? `License: ${license}` : readFileSync(join(path, file), 'utf8').trim();
    return `${name} ${version} (${license ?? 'see below'})\n\n${text}\n`;
  });
  const line = `${'-'.repeat(78)}\n`;
  return [...parts, `Node.js ${process.versions.node}, with all that it holds\n\n${nodeLicense(arch)}`].join(line);
}
