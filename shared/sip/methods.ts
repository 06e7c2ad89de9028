/** Names of methods as they stand in messages, without making a text of them. */

/** Registered methods (IANA), those first that come most. */
const METHODS = [
  ...['INVITE', 'ACK', 'BYE', 'REGISTER', 'CANCEL', 'OPTIONS', 'INFO', 'UPDATE'],
  ...['PRACK', 'MESSAGE', 'NOTIFY', 'SUBSCRIBE', 'REFER', 'PUBLISH'],
] as const;

/** Whether requests of that method are known to the world, if not served here. */
export const isMethod = (name: string): boolean => (METHODS as readonly string[]).includes(name);

/** `text[start, end)`; of a registered method always the same string, which is compared at once. */
export function methodAt(text: string, start: number, end: number): string {
  const length = end - start;
  for (const method of METHODS) if (method.length === length && text.startsWith(method, start)) return method;
  return text.slice(start, end);
}
