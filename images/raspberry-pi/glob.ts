/** Patterns of paths: `*` is anything but a slash, `**` anything, `{a,b}` one of several. */

/** Lines of a list of ours; comments and blank lines are left out. */
export function listLines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** What matches a path that one of the patterns names; `x/**` names `x` itself too. */
export function pathMatcher(patterns: readonly string[]): (path: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${expression(pattern)}$`));
  return (path) => expressions.some((each) => each.test(path));
}

function expression(pattern: string): string {
  return pattern
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^}]*)\}/g, (_, names: string) => `(?:${names.split(',').join('|')})`)
    .replace(/\/\*\*$/, '(?:/\u0001)?')
    .replaceAll('**', '\u0001')
    .replaceAll('*', '[^/]*')
    .replaceAll('\u0001', '.*');
}
