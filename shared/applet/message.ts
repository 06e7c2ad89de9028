/** What guests say, read with suspicion. */

export type GuestMessage =
  | { readonly kind: 'call'; readonly number: number; readonly name: string; readonly input: unknown }
  | { readonly kind: 'done'; readonly delivery: number }
  | { readonly kind: 'log'; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string };

/** Characters of a line in a guest's log. */
export const LOG_TEXT = 500;
const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

/** `{id, do, with}`, `{done}` or `{log, text}`; undefined for everything else. */
export function readGuestMessage(text: string): GuestMessage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const [number, name, done, level, line] = ['id', 'do', 'done', 'log', 'text'].map((field) => fields.get(field));
  if (isCount(number) && typeof name === 'string' && name.length <= 64)
    return { kind: 'call', number, name, input: fields.get('with') };
  if (isCount(done)) return { kind: 'done', delivery: done };
  const known = LEVELS.find((one) => one === level);
  if (known !== undefined && typeof line === 'string')
    return { kind: 'log', level: known, text: line.slice(0, LOG_TEXT) };
  return undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
