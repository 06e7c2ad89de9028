/** What a list leaves to the command that shows one of its items. */
const LEFT_TO_SHOW = new Set(['request', 'instructions']);
/** Fields whose number is a time in milliseconds. */
const TIME = /^(?:at|start|answer|end)$|At$/;
/** The most characters of a line in a table, and of a text in one of its cells. */
const WIDTH = 120;
const CELL = 40;
const GAP = '  ';
/** What stands for a thing in another command. */
const NAME = /^[a-z]+_[A-Za-z0-9]+$/;

/**
 * Replies for people: a list as a table of at most 120 characters a line, with the `first` columns before all others; a thing as `field  value` lines, with
 * the things inside it below.
 */
export function table(value: unknown, first: readonly string[] = []): string {
  if (typeof value !== 'object' || value === null) return String(value);
  const items = (value as { items?: unknown }).items;
  if (Array.isArray(items))
    return items.length === 0
      ? '(none)'
      : rows(
          items.map((item) => flat(inList(item))),
          first,
        );
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

/** The columns that fit, those asked for first; what is left out is named, for `--json` has it all. */
function rows(items: readonly Record<string, string>[], first: readonly string[]): string {
  const known = new Set(items.flatMap((item) => Object.keys(item)));
  const ordered = [...new Set([...first.filter((name) => known.has(name)), ...known])];
  const width = new Map(
    ordered.map((name) => [name, Math.max(name.length, ...items.map((item) => cell(item[name]).length))]),
  );
  const columns: string[] = [];
  let used = 0;
  for (const name of ordered) {
    const more = (width.get(name) ?? 0) + (columns.length === 0 ? 0 : GAP.length);
    if (columns.length > 0 && used + more > WIDTH) continue;
    columns.push(name);
    used += more;
  }
  const line = (text: (name: string) => string) =>
    columns
      .map((name) => text(name).padEnd(width.get(name) ?? 0))
      .join(GAP)
      .trimEnd();
  const left = ordered.filter((name) => !columns.includes(name));
  return [
    line((name) => name),
    ...items.map((item) => line((name) => cell(item[name]))),
    ...(left.length === 0 ? [] : leftOut(left)),
  ].join('\n');
}

function leftOut(names: readonly string[]): string[] {
  const text = `(--json shows also: ${names.join(', ')})`;
  return [text.length <= WIDTH ? text : `(--json shows ${names.length} columns more)`];
}

/** A cell of a list: times to the second, long texts cut; names that a command takes stay whole. */
function cell(text = ''): string {
  const time = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z$/.exec(text);
  if (time !== null) return `${time[1]} ${time[2]}`;
  return text.length <= CELL || NAME.test(text) ? text : `${text.slice(0, CELL - 1)}…`;
}
