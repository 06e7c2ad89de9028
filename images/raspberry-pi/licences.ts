/** Licences of Debian packages out of their copyright files (DEP-5, the machine-readable form), in SPDX's words where it has some. */

/** What stands for a file that no program can read. */
export const UNREADABLE = 'see copyright';

/** Debian's short names that SPDX writes otherwise; those of GNU follow a rule of their own. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'apache-2': 'Apache-2.0',
  'apache-2.0': 'Apache-2.0',
  'bsd-2-clause': 'BSD-2-Clause',
  'bsd-3-clause': 'BSD-3-Clause',
  'bsd-4-clause': 'BSD-4-Clause',
  'bsl-1.0': 'BSL-1.0',
  'cc0-1.0': 'CC0-1.0',
  curl: 'curl',
  expat: 'MIT',
  isc: 'ISC',
  mit: 'MIT',
  'mit-0': 'MIT-0',
  'openldap-2.8': 'OLDAP-2.8',
  'unicode-dfs-2016': 'Unicode-DFS-2016',
  zlib: 'Zlib',
  '0bsd': '0BSD',
};

/** One licence: a name of SPDX's list, or Debian's own. */
export type Licence = { readonly id: string } | { readonly name: string };

/** The licences that a copyright file names for its files, each once, in order. */
export function licencesOf(copyright: string): Licence[] {
  if (!/^format(-specification)?:/i.test(copyright.trimStart())) return [{ name: UNREADABLE }];
  const names = new Set<string>();
  for (const paragraph of copyright.split(/\n\s*\n/)) {
    if (!/^files:/im.test(paragraph)) continue;
    const words = /^license:[ \t]*(.*)$/im.exec(paragraph)?.[1] ?? '';
    for (const word of words.split(/,|\s+(?:and|or|and\/or)\s+|\|/)) {
      const name = word.replace(/^(and|or)\s+/, '').trim();
      if (name !== '') names.add(name);
    }
  }
  const found = new Map([...names].map((name) => [JSON.stringify(spdx(name)), spdx(name)]));
  return found.size === 0
    ? [{ name: UNREADABLE }]
    : [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function spdx(name: string): Licence {
  const other = OTHER_NAMES[name.toLowerCase()];
  if (other !== undefined) return { id: other };
  const gnu = /^(L?GPL|AGPL)-([123])(?:\.([01]))?(\+?)$/i.exec(name);
  if (gnu === null) return { name };
  const [, family = '', major, minor = '0', later] = gnu;
  return { id: `${family.toUpperCase()}-${major}.${minor}-${later === '+' ? 'or-later' : 'only'}` };
}
