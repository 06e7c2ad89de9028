import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clauseFaults, readRows, treeOf } from './rfc.ts';
import { root, sources } from './source.ts';

const page = readFileSync(join(root, 'docs/rfc.md'), 'utf8');
const all = sources();

describe('docs/rfc.md', () => {
  it('names for every clause files that are there and tests that run and reach them', () => {
    const rows = readRows(page);
    expect(rows.length).toBeGreaterThan(60);
    expect(clauseFaults(rows, treeOf(all))).toEqual([]);
  });

  it('goes red for a planted row without a file, without a test, with one that is skipped, or that shows something else', () => {
    const planted = treeOf([
      ...all,
      { path: 'shared/sip/planted.ts', text: 'export const a = 1;' },
      { path: 'shared/sip/other.test.ts', text: "import './uri.ts';\nit('x', () => {});" },
      { path: 'shared/sip/planted.test.ts', text: "import './planted.ts';\nit.skip('x', () => {});" },
      { path: 'shared/sip/empty.test.ts', text: "import './planted.ts';" },
    ]);
    const fault = (file: string, test: string) =>
      clauseFaults([{ clause: 'x', files: [file], tests: [test] }], planted);
    expect(fault('shared/sip/nothing.ts', 'shared/sip/uri.test.ts')).toHaveLength(1);
    expect(fault('shared/sip/uri.ts', 'shared/sip/nothing.test.ts').length).toBeGreaterThan(0);
    expect(fault('shared/sip/planted.ts', 'shared/sip/other.test.ts')).toEqual([
      'x: no test reaches shared/sip/planted.ts',
    ]);
    expect(fault('shared/sip/planted.ts', 'shared/sip/planted.test.ts')).toHaveLength(1);
    expect(fault('shared/sip/planted.ts', 'shared/sip/empty.test.ts')).toHaveLength(1);
    expect(fault('shared/sip/uri.ts', 'shared/sip/uri.test.ts')).toEqual([]);
    expect(clauseFaults([{ clause: 'x', files: [], tests: [] }], planted)).toHaveLength(1);
  });
});
