import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sdkTypes } from '#cloud/application-server/sdk-types.ts';
import { pages, root } from './source.ts';

/** Links to files that are not there, and code spans that name a file of the tree that is not there. */
function linkFaults(path: string, text: string): string[] {
  const prose = text.replace(/```[\s\S]*?```/g, '');
  const found: string[] = [];
  for (const [, target = ''] of prose.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    if (!existsSync(join(dirname(path), target))) found.push(`${relative(root, path)}: no ${target}`);
  }
  for (const [, name = ''] of prose.matchAll(
    /`((?:shared|cloud|device|cli|simulator|test|bench|docs|bin)\/[\w./-]+\.(?:ts|md))`/g,
  )) {
    if (!name.includes('*') && !existsSync(join(root, name)))
      found.push(`${relative(root, path)}: names ${name}, which is not there`);
  }
  return found;
}

const all = [
  join(root, 'README.md'),
  join(root, 'CHANGELOG.md'),
  join(root, 'SECURITY.md'),
  join(root, 'sdk/README.md'),
  ...pages(join(root, 'docs')),
];

describe('the documents', () => {
  it('and the SDK’s types are what the verb table says (`hearthline docs`)', () => {
    expect(readFileSync(join(root, 'sdk/generated.ts'), 'utf8')).toBe(sdkTypes());
  });

  it('link only to what is there', () => {
    expect(all.flatMap((path) => linkFaults(path, readFileSync(path, 'utf8')))).toEqual([]);
  });

  it('go red on a planted dead link and a planted dead name', () => {
    const page = join(root, 'docs/planted.md');
    expect(linkFaults(page, 'see [this](nowhere.md)').length).toBe(1);
    expect(linkFaults(page, 'see `shared/kernel/nothing.ts`').length).toBe(1);
  });

  it('have a test that exists for every row of the limits', () => {
    const rows = readFileSync(join(root, 'docs/limits.md'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('|') && !line.startsWith('|---') && !line.startsWith('| what'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')));
    expect(rows.length).toBeGreaterThan(20);
    const missing = rows.flatMap(([, what, , file = '', test = '']) =>
      [file, test]
        .flatMap((cell) => cell.split(/,\s*/))
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${what}: no ${path}`),
    );
    expect(missing).toEqual([]);
  });
});
