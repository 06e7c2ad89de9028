/**
 * Data that nobody can change any more, with all its parts; octets, maps and the like, which cannot be frozen, stay as they are. What is frozen
 * already is taken for frozen throughout. Throws where a value cannot be data (a function).
 */
export function frozen<T>(data: T): T {
  freeze(data);
  return data;
}

function freeze(data: unknown): void {
  if (typeof data === 'function' || typeof data === 'symbol') throw new TypeError(`a ${typeof data} is no data`);
  if (typeof data !== 'object' || data === null || Object.isFrozen(data)) return;
  const prototype: unknown = Object.getPrototypeOf(data);
  if (!Array.isArray(data) && prototype !== Object.prototype && prototype !== null) return;
  Object.freeze(data);
  for (const part of Object.values(data)) freeze(part);
}
