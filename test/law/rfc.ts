/** The rows of docs/rfc.md: a clause, the files that do it, and the tests that show it; and what is wrong with one. */
import { type Import, importsOf, type SourceFile } from './source.ts';

export interface ClauseRow {
  readonly clause: string;
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

const paths = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, path = '']) => path);

/** The table's rows, without its head. */
export function readRows(page: string): ClauseRow[] {
  return page.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    if (!line.startsWith('|') || line.startsWith('|---') || cells[1] === 'clause') return [];
    return [{ clause: cells[1] ?? '', files: paths(cells[3] ?? ''), tests: paths(cells[4] ?? '') }];
  });
}

/** Tests that the suite never runs: marked so, or without any test. */
const neverRuns = (text: string): boolean =>
  !/\b(?:it|test)(?:\.each|\.skipIf)?\s*[(.<]/.test(text) || /\b(?:describe|it|test)\.(?:skip|todo|only)\b/.test(text);

/** Everything that a file reaches by its imports, itself included. */
function reach(from: string, next: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const seen = new Set([from]);
  for (const path of seen) for (const to of next.get(path) ?? []) seen.add(to);
  return seen;
}

export interface Tree {
  readonly texts: ReadonlyMap<string, string>;
  /** What each file imports; whoever starts our program imports that. */
  readonly next: ReadonlyMap<string, readonly string[]>;
}

const STARTS = /\bbin\/hearthline\b|'cli\/main\.ts'/;

export function treeOf(all: readonly SourceFile[]): Tree {
  const next = new Map<string, string[]>();
  for (const file of all) {
    const own = importsOf(file).flatMap(({ to, own }: Import) => (own ? [to] : []));
    next.set(file.path, file.path.startsWith('test/') && STARTS.test(file.text) ? [...own, 'cli/main.ts'] : own);
  }
  return { texts: new Map(all.map(({ path, text }) => [path, text])), next };
}

/** Says what is wrong with the rows: a file or test that is not there, a test that does not run, or that never touches the row's file. */
export function clauseFaults(rows: readonly ClauseRow[], { texts, next }: Tree): string[] {
  const faults: string[] = [];
  for (const { clause, files, tests } of rows) {
    if (files.length === 0 || tests.length === 0) faults.push(`${clause}: no file or no test`);
    for (const path of [...files, ...tests]) if (!texts.has(path)) faults.push(`${clause}: no ${path}`);
    for (const test of tests) {
      if (!test.endsWith('.test.ts')) faults.push(`${clause}: ${test} is no test`);
      else if (neverRuns(texts.get(test) ?? '')) faults.push(`${clause}: ${test} does not run`);
    }
    const touched = new Set(tests.flatMap((test) => [...reach(test, next)]));
    for (const file of files)
      if (texts.has(file) && !touched.has(file)) faults.push(`${clause}: no test reaches ${file}`);
  }
  return faults;
}
