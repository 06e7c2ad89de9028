/**
 * Reports whose times came from a wall clock that was wrong: a gateway without a battery may start years ago, and is told the time only
 * once it reaches somebody. Pure.
 */

/** Milliseconds by which the gateway's wall clock may differ from the cloud's and still be believed. */
export const BELIEVED = 2_000;

/** The fields of a report that are moments, at any depth. What a star code set is not among them: its stamps decide who was later. */
const MOMENTS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['voice.report', new Set(['startedAt', 'answeredAt', 'endedAt'])],
  ['message.submit', new Set(['at'])],
]);

/** The same report `by` ms later; as it is where that is too little to count, or nothing in it is a moment. */
export function redated(verb: string, body: unknown, by: number): unknown {
  const moments = MOMENTS.get(verb);
  return moments === undefined || Math.abs(by) <= BELIEVED ? body : moved(body, moments, Math.round(by));
}

function moved(value: unknown, moments: ReadonlySet<string>, by: number): unknown {
  if (Array.isArray(value)) return value.map((one) => moved(one, moments, by));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [
    name,
    typeof inner === 'number' && moments.has(name) ? Math.max(0, inner + by) : moved(inner, moments, by),
  ]);
  return Object.fromEntries(entries);
}
