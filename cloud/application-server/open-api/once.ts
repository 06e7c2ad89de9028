/**
 * `Idempotency-Key` on POST: the key is bound to the token, the route and the request; handlers keep the first outcome in the
 * commit that holds the effect, this file keeps two of the same key from running at once.
 */
import type { IdempotencyKey } from '#cloud/bus/bus.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { Route } from './routes.ts';

/** Milliseconds that a key is remembered. */
export const KEY_LIFE = 24 * 3600 * 1000;

/** First word of the scope of every key that came by HTTP; gateways' keys have another. */
export const KEY_SCOPE = 'http';

/** Reads the header of a request; undefined without one. A key is 1 to 128 visible ASCII characters. */
export function readKey(
  world: Pick<World, 'crypto'>,
  route: Route,
  header: string | undefined,
  tokenHash: string,
  request: Readonly<Record<string, unknown>>,
): Result<IdempotencyKey | undefined, Fault> {
  if (header === undefined || route.http.method !== 'POST' || route.http.open === true) return ok(undefined);
  if (!/^[\x21-\x7e]{1,128}$/.test(header))
    return err(fault('bad_request', 'Idempotency-Key must be 1 to 128 visible ASCII characters.'));
  const bodyHash = hex(world.crypto.hash('sha256', utf8(canonical(request))));
  return ok({ scope: `${KEY_SCOPE} ${tokenHash} ${route.http.method} ${route.http.path}`, key: header, bodyHash });
}

/** JSON with the names of every object in order: the same request gives the same text however it was written. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const pairs = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}

/** Keys whose first request is still under way. */
export class InFlight {
  readonly #keys = new Set<string>();

  /** False if the key is under way already; then nothing was entered. */
  enter({ scope, key }: IdempotencyKey): boolean {
    const name = `${scope} ${key}`;
    if (this.#keys.has(name)) return false;
    this.#keys.add(name);
    return true;
  }

  leave({ scope, key }: IdempotencyKey): void {
    this.#keys.delete(`${scope} ${key}`);
  }
}
