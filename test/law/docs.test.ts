import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sdkTypes } from '#cloud/application-server/sdk-types.ts';
import { isTest, pages, root, sources } from './source.ts';

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

  it('name every type of event that the cloud writes', () => {
    const page = readFileSync(join(root, 'docs/api/events.md'), 'utf8');
    const written = sources()
      .filter(({ path }) => path.startsWith('cloud/') && !isTest(path))
      .flatMap(({ text }) =>
        [...text.matchAll(/['`]home\.([a-z]+)\.v1\.([a-z-]+['`]|\$\{)/g)].map(
          ([, of = '', what = '']) => [of, what] as const,
        ),
      );
    expect(written.length).toBeGreaterThan(15);
    const missing = written.filter(([of, what]) => {
      const rows = page.split('\n').filter((row) => row.startsWith(`| \`${of}.v1.`));
      return !rows.some((row) => what === '${' || row.includes(`.${what.slice(0, -1)}\``));
    });
    expect(missing).toEqual([]);
    const kinds = ['events.ts:EventData', 'command-state.ts:CommandEvents'].flatMap((place) => {
      const [file = '', name = ''] = place.split(':');
      const text = readFileSync(join(root, 'cloud/session-manager', file), 'utf8');
      const [, table = ''] = new RegExp(`interface ${name}.*?\\{([\\s\\S]*?)\\n\\}`).exec(text) ?? [];
      return [...table.matchAll(/^ {2}readonly '?([a-z-]+)'?:/gm)].map(([, kind = '']) => kind);
    });
    expect(kinds).toEqual(expect.arrayContaining(['leg-ended', 'digit']));
    expect(kinds.filter((kind) => !page.includes(`\`session.v1.${kind}\``))).toEqual([]);
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
