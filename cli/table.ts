/** Replies for people: a list as a table of at most 120 columns, a thing as `field  value` lines. */
export function table(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const items = (value as { items?: unknown }).items;
  if (Array.isArray(items)) return items.length === 0 ? '(none)' : rows(items.map((item) => flat(item)));
  const entries = Object.entries(flat(value));
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.length === 0 ? 'ok' : entries.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}

function flat(value: unknown, prefix = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, part] of Object.entries(value as Record<string, unknown>)) {
    const key = `${prefix}${name}`;
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) Object.assign(found, flat(part, `${key}.`));
    else if (Array.isArray(part))
      found[key] = part.every((x) => typeof x !== 'object') ? part.join(' ') : `${part.length}`;
    else found[key] = /At$/.test(name) && typeof part === 'number' ? new Date(part).toISOString() : String(part);
  }
  return found;
}

function rows(items: readonly Record<string, string>[]): string {
  const columns = [...new Set(items.flatMap((item) => Object.keys(item)))];
  const width = new Map(
    columns.map((name) => [
      name,
      Math.min(40, Math.max(name.length, ...items.map((item) => (item[name] ?? '').length))),
    ]),
  );
  const line = (cell: (name: string) => string) =>
    columns
      .map((name) =>
        cell(name)
          .slice(0, 40)
          .padEnd(width.get(name) ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [line((name) => name), ...items.map((item) => line((name) => item[name] ?? ''))].join('\n');
}
