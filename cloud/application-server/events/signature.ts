/** Signatures of webhooks after Standard Webhooks 1.0 (https://www.standardwebhooks.com, "Signature scheme"). Pure. */

import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';

const PREFIX = 'whsec_';

/** A new secret: 24 random octets. */
export function newSecret(world: Pick<World, 'random'>): string {
  return PREFIX + toBase64(world.random.bytes(24));
}

/** The headers of a message; `at` is wall clock, ms. */
export function signedHeaders(
  world: Pick<World, 'crypto'>,
  secret: string,
  message: { readonly id: string; readonly at: number; readonly body: string },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(message.at / 1000));
  const key = fromBase64(secret.slice(PREFIX.length)) ?? new Uint8Array();
  const octets = world.crypto.hmac('sha256', key, utf8(`${message.id}.${timestamp}.${message.body}`));
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${toBase64(octets)}`,
  };
}
