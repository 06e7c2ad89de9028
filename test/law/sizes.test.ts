import { describe, expect, it } from 'vitest';
import { isTest, type SourceFile, sources } from './source.ts';

const LIMIT = 400;
const NINETIETH = 250;

const lines = (file: SourceFile) => file.text.split('\n').length - 1;

function sizeFaults(files: readonly SourceFile[]): string[] {
  const faults = files
    .filter((file) => lines(file) > LIMIT)
    .map((file) => `${file.path} has ${lines(file)} lines, more than ${LIMIT}: what are the two ideas in it?`);
  const sorted = files
    .filter((file) => !isTest(file.path))
    .map(lines)
    .sort((a, b) => a - b);
  const p90 = sorted[Math.floor(sorted.length * 0.9)] ?? 0;
  if (p90 > NINETIETH)
    faults.push(`nine tenths of the files should stay at or below ${NINETIETH} lines; the mark is at ${p90}`);
  return faults;
}

describe('file sizes', () => {
  // Generated from the verb table; nobody reads or writes it by hand.
  const tree = sources().filter(({ path }) => path !== 'sdk/generated.ts');
  it('stay within the limits', () => {
    expect(sizeFaults(tree)).toEqual([]);
  });
  it('go red on a file of one line too many, and on too many long files', () => {
    expect(sizeFaults([...tree, { path: 'shared/kernel/big.ts', text: 'x\n'.repeat(LIMIT + 1) }]).join()).toMatch(
      /big\.ts has 401/,
    );
    const long = Array.from({ length: tree.length }, (_, i) => ({
      path: `cloud/bus/l${i}.ts`,
      text: 'x\n'.repeat(NINETIETH + 1),
    }));
    expect(sizeFaults([...tree, ...long]).join()).toMatch(/the mark is at 251/);
  });
});
