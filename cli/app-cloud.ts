/** Calls of the open API for the `app` commands: the reply as a value, a problem as words for people. */
import { randomUUID } from 'node:crypto';
import type { Parsed } from '#shared/host/config.ts';
import { hostHttp } from '#shared/host/http.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { NetError } from '#shared/kernel/world.ts';

/** One request; every POST carries a fresh Idempotency-Key and is sent once more where the answer got lost. */
export async function callCloud<T>(
  { values }: Parsed,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Result<T, string>> {
  const [origin = '', fragment] = (values.cloud ?? '').split('#');
  const pin = /^sha256-([0-9a-f]{64})$/.exec(fragment ?? '')?.[1];
  const headers = {
    authorization: `Bearer ${values.token ?? ''}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
  };
  const asked = {
    method,
    url: `${origin}${path}`,
    headers,
    timeout: 30_000,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(pin === undefined ? {} : { pin }),
  };
  for (let last = false; ; last = true) {
    try {
      const reply = await hostHttp().request(asked);
      const value =
        reply.body === ''
          ? {}
          : (JSON.parse(reply.body) as { detail?: string; title?: string; next?: string; code?: string });
      if (reply.status < 400) return ok(value as T);
      return err(
        `${value.detail ?? value.title ?? reply.status}\nNext: ${value.next ?? 'read the detail'} [${value.code}]`,
      );
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      if (last) return err(`The cloud at ${values.cloud} cannot be reached (${error.code}): ${error.message}`);
    }
  }
}
