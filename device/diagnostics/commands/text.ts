/** Plain text of at most 80 columns. Pure. */

export const WIDTH = 80;

/** Breaks a text at blanks; every line begins with `indent`, the first with `first`. */
export function wrap(text: string, first = '', indent = ' '.repeat(first.length)): string {
  const lines: string[] = [];
  let line = first;
  for (const word of text.split(/\s+/)) {
    const empty = line.trim() === '' || line === first;
    if (!empty && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = indent + word;
    } else line += line === first || line === indent ? word : ` ${word}`;
    // A word longer than a line is cut into pieces.
    while (line.length > WIDTH) {
      lines.push(line.slice(0, WIDTH));
      line = indent + line.slice(WIDTH);
    }
  }
  lines.push(line);
  return lines.map((one) => one.trimEnd()).join('\n');
}

/** `name   value` lines; long values go on below. */
export function fields(rows: readonly (readonly [string, string | undefined])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows
    .flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [wrap(printable(value), name.padEnd(width))],
    )
    .join('\n');
}

/** Nothing that a terminal would obey. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n]/gu, '?');

/** `2026-11-22 02:30:01.123`, UTC. */
export const time = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
