/** What this program was built from. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { getAsset, isSea } from 'node:sea';

export interface BuildInfo {
  readonly version: string;
  /** The commit, with `+changed` where the tree differed from it; `clone` where nothing was built. */
  readonly build: string;
}

/** The version of `package.json`, which is the executable's too. */
export function buildInfo(): BuildInfo {
  if (isSea()) return JSON.parse(getAsset('build.json', 'utf8')) as BuildInfo;
  const file = resolve(import.meta.dirname, '../../package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return { version, build: 'clone' };
}

/** The line of `hearthline --version`. */
export function versionLine(): string {
  const { version, build } = buildInfo();
  return `hearthline ${version} (build ${build}, ${process.platform}-${process.arch}, Node.js ${process.versions.node})`;
}
