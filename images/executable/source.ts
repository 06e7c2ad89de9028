/** What of the tree is built, and when: names and times that a build puts into its files. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './bundle.ts';

const git = (...words: string[]) =>
  execFileSync('git', ['-C', root, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** The commit, with `+changed` where files of the program differ from it; `unknown` without git. */
export function buildName(): string {
  try {
    const changed = git('status', '--porcelain', '--', 'cli', 'device', 'shared', 'package-lock.json') !== '';
    return `${git('rev-parse', '--short=12', 'HEAD')}${changed ? '+changed' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** Seconds since 1970 that files of a build carry: `SOURCE_DATE_EPOCH`, or the time of the commit (reproducible-builds.org). */
export function sourceDate(): number {
  const told = process.env.SOURCE_DATE_EPOCH;
  if (told !== undefined && !/^[0-9]{1,12}$/.test(told))
    throw new Error(`SOURCE_DATE_EPOCH is ${told}, not a number of seconds`);
  return Number(told ?? git('log', '-1', '--format=%ct'));
}

/** Of `package.json`. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
