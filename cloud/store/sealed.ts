/**
 * Secrets that must be had again in the clear (a password towards a carrier): sealed under a key that is not in the database, so that a
 * copy of the database alone opens nothing. HMAC-SHA-256 as a pseudo-random function gives the key stream (counter mode) and, under
 * another key, the tag over what was sealed (encrypt, then authenticate).
 */
import { fromHex, hex, utf8 } from '#shared/kernel/bytes.ts';
import type { Crypto, Random } from '#shared/kernel/world.ts';

const NONCE = 16;
const TAG = 32;

/** The key for one purpose, from the operator's authority key (PEM). */
export function sealingKey(crypto: Pick<Crypto, 'hmac'>, authorityKey: string, purpose: string): Uint8Array {
  return crypto.hmac('sha256', utf8(authorityKey), utf8(`seal ${purpose}`));
}

/** Hex of nonce, sealed octets and tag; `context` (an id) is bound in. */
export function seal(
  world: { readonly crypto: Pick<Crypto, 'hmac'>; readonly random: Pick<Random, 'bytes'> },
  key: Uint8Array,
  context: string,
  text: string,
): string {
  const nonce = world.random.bytes(NONCE);
  const sealed = mix(world.crypto, key, nonce, utf8(text));
  return hex(nonce) + hex(sealed) + hex(tagOf(world.crypto, key, context, nonce, sealed));
}

/** The text again; undefined where key or context is another, or somebody changed it. */
export function unseal(
  crypto: Pick<Crypto, 'hmac' | 'equal'>,
  key: Uint8Array,
  context: string,
  text: string,
): string | undefined {
  const octets = fromHex(text);
  if (octets === undefined || octets.length < NONCE + TAG) return undefined;
  const nonce = octets.subarray(0, NONCE);
  const sealed = octets.subarray(NONCE, octets.length - TAG);
  const tag = octets.subarray(octets.length - TAG);
  if (!crypto.equal(tag, tagOf(crypto, key, context, nonce, sealed))) return undefined;
  return new TextDecoder().decode(mix(crypto, key, nonce, sealed));
}

function mix(crypto: Pick<Crypto, 'hmac'>, key: Uint8Array, nonce: Uint8Array, text: Uint8Array): Uint8Array {
  const stream = crypto.hmac('sha256', key, utf8('stream'));
  const out = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 32) {
    const block = crypto.hmac('sha256', stream, Uint8Array.from([...nonce, ...utf8(String(at / 32))]));
    for (let i = at; i < Math.min(at + 32, text.length); i++) out[i] = (text[i] ?? 0) ^ (block[i - at] ?? 0);
  }
  return out;
}

function tagOf(
  crypto: Pick<Crypto, 'hmac'>,
  key: Uint8Array,
  context: string,
  nonce: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  const own = crypto.hmac('sha256', key, utf8('tag'));
  return crypto.hmac('sha256', own, Uint8Array.from([...nonce, ...sealed, ...utf8(context)]));
}
