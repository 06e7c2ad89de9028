/** The source tree as the law tests see it: files and what they import. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix, relative, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../..');
export const folders = [
  'shared',
  'cloud',
  'device',
  'cli',
  'simulator',
  'apps',
  'sdk',
  'test',
  'bench',
  'examples',
] as const;

export interface SourceFile {
  /** Path from the root, with slashes. */
  readonly path: string;
  readonly text: string;
}

/** Every TypeScript file of the tree (the portal's web part included). */
export function sources(base: string = root): SourceFile[] {
  const found: SourceFile[] = [];
  const walk = (folder: string) => {
    for (const name of readdirSync(folder)) {
      if (name === 'node_modules' || name === 'dist') continue;
      const path = join(folder, name);
      if (statSync(path).isDirectory()) walk(path);
      else if (/\.tsx?$/.test(name))
        found.push({ path: relative(base, path).replaceAll('\\', '/'), text: readFileSync(path, 'utf8') });
    }
  };
  for (const folder of folders) if (existsSync(join(base, folder))) walk(join(base, folder));
  return found;
}

export interface Import {
  readonly from: string;
  /** Path from the root for our own files, the bare specifier for packages and `node:` modules. */
  readonly to: string;
  readonly own: boolean;
  readonly dynamic: boolean;
}

/** The imports of a file, static, type-only and dynamic, resolved. */
export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  const text = file.text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  const add = (specifier: string, dynamic: boolean) => {
    if (specifier.startsWith('.'))
      found.push({
        from: file.path,
        to: posix.normalize(posix.join(dirname(file.path), specifier)),
        own: true,
        dynamic,
      });
    else if (specifier.startsWith('#')) found.push({ from: file.path, to: specifier.slice(1), own: true, dynamic });
    else found.push({ from: file.path, to: specifier, own: false, dynamic });
  };
  for (const match of text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]/g))
    add(match[1] ?? '', false);
  for (const match of text.matchAll(/(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g)) add(match[1] ?? '', false);
  for (const match of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) add(match[1] ?? '', true);
  return found;
}

export const isTest = (path: string): boolean => /\.test\.tsx?$/.test(path) || path.startsWith('test/');

/** The pages of a folder, and of those in it. */
export function pages(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return pages(path);
    return name.endsWith('.md') ? [path] : [];
  });
}
