/**
 * A deep copy of plain data, several times as fast as `structuredClone` for the small records that pass over the bus. Objects come back
 * as plain objects, arrays as arrays; anything else that is no primitive (octets, dates, maps) goes to `structuredClone`,
 * which throws where a value cannot be data (a function). Data is a tree: a part used twice is copied twice.
 */
export function copyData<T>(value: T): T {
  return copy(value) as T;
}

function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'function' || typeof value === 'symbol' ? structuredClone(value) : value;
  }
  if (Array.isArray(value)) return value.map(copy);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return structuredClone(value);
  const made: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const part = copy((value as Readonly<Record<string, unknown>>)[key]);
    // An own key of this name must not become the prototype.
    if (key === '__proto__') Object.defineProperty(made, key, { value: part, enumerable: true, configurable: true });
    else made[key] = part;
  }
  return made;
}
