/** What a list leaves to the command that shows one of its items. */
const LEFT_TO_SHOW = new Set(['request', 'instructions']);
/** Fields whose number is a time in milliseconds. */
const TIME = /^(?:at|start|answer|end)$|At$/;
/** The most characters of a cell in a table. */
const CELL = 40;

/** Replies for people: a list as a table; a thing as `field  value` lines, with the things inside it below. */
export function table(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const items = (value as { items?: unknown }).items;
  if (Array.isArray(items)) return items.length === 0 ? '(none)' : rows(items.map((item) => flat(inList(item))));
  const own = Object.entries(value).filter(([, part]) => !isThings(part));
  const inside = Object.entries(value).filter(([, part]) => isThings(part)) as [string, object[]][];
  const blocks = [
    lines(flat(Object.fromEntries(own))),
    ...inside.map(([name, things]) => `${name}\n${things.map((thing) => lines(flat(thing), '  ')).join('\n\n')}`),
  ].filter((block) => block !== '');
  return blocks.length === 0 ? 'ok' : blocks.join('\n\n');
}

function isThings(part: unknown): boolean {
  return Array.isArray(part) && part.length > 0 && part.every((one) => typeof one === 'object' && one !== null);
}

function inList(item: object): object {
  return Object.fromEntries(Object.entries(item).filter(([name]) => !LEFT_TO_SHOW.has(name)));
}

function flat(value: unknown, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, part] of Object.entries(value as Record<string, unknown>)) {
    const key = `${prefix}${name}`;
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) Object.assign(found, flat(part, `${key}.`));
    else if (Array.isArray(part))
      found[key] = part.every((x) => typeof x !== 'object') ? part.join(' ') : `${part.length}`;
    else found[key] = TIME.test(name) && typeof part === 'number' ? new Date(part).toISOString() : String(part);
  }
  return found;
}

function lines(fields: Record<string, string>, indent = ''): string {
  const width = Math.max(0, ...Object.keys(fields).map((name) => name.length));
  return Object.entries(fields)
    .map(([name, text]) => `${indent}${name.padEnd(width)}  ${text}`.trimEnd())
    .join('\n');
}

function rows(items: readonly Record<string, string>[]): string {
  const columns = [...new Set(items.flatMap((item) => Object.keys(item)))];
  const width = new Map(
    columns.map((name) => [
      name,
      Math.min(CELL, Math.max(name.length, ...items.map((item) => (item[name] ?? '').length))),
    ]),
  );
  const line = (cell: (name: string) => string) =>
    columns
      .map((name) =>
        cell(name)
          .slice(0, CELL)
          .padEnd(width.get(name) ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line((name) => name), ...items.map((item) => line((name) => item[name] ?? ''))].join('\n');
}
