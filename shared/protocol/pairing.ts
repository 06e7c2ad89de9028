/**
 * Pairing as both sides see it: the code that a person types, the link in the QR, the names that follow from a gateway's
 * permanent key, and the document by which a gateway finds its cloud.
 */
import Type from 'typebox';
import { hex, utf8 } from '../kernel/bytes.ts';
import { base32 } from '../kernel/ids.ts';
import { CHECK_WORDS } from './check-words.ts';

/** Twenty letters: no vowels (so no words) and not `y`; 20^8 codes are 34.6 bits. */
export const CODE_ALPHABET = 'BCDFGHJKLMNPQRSTVWXZ';
export const CODE_LENGTH = 8;
/** How long a code is good, in ms. The gateway makes a new one before. */
export const CODE_LIFETIME = 15 * 60_000;
/** Both sides undo a pairing that is not done this many ms after the claim. */
export const FAIL_SAFE = 60_000;
/** How long a gateway's certificate is good, in ms. */
export const CERTIFICATE_LIFETIME = 90 * 24 * 3_600_000;
/** Certificates begin this many ms in the past, so that a gateway whose clock runs behind accepts them at once. */
export const CERTIFICATE_BACKDATE = 24 * 3_600_000;

/** Octets of randomness that `makeCode` takes. */
export const CODE_RANDOM = 32;

/**
 * A fresh code from `CODE_RANDOM` random octets; octets of 240 and more are skipped, so that all letters are equally likely.
 * Undefined in the very rare case that too few are left: draw again.
 */
export function makeCode(random: Uint8Array): string | undefined {
  let code = '';
  for (const octet of random) {
    if (octet < 240 && code.length < CODE_LENGTH) code += CODE_ALPHABET.charAt(octet % 20);
  }
  return code.length === CODE_LENGTH ? code : undefined;
}

/** The code in what a person typed, whatever its case, dashes and spaces; undefined where it is none. */
export function normaliseCode(typed: string): string | undefined {
  if (typed.length > 32) return undefined;
  const code = typed.toUpperCase().replace(/[-\s]/g, '');
  if (code.length !== CODE_LENGTH) return undefined;
  for (const letter of code) if (!CODE_ALPHABET.includes(letter)) return undefined;
  return code;
}

/** `BCDF-GHJK`: how a code is shown. */
export function showCode(code: string): string {
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

type Sha256 = (data: Uint8Array) => Uint8Array;

/** What travels in place of the code, lower-case hex. `code` is normalised. */
export function codeHash(sha256: Sha256, code: string): string {
  return hex(sha256(utf8(`hearthline pairing code ${code}`)));
}

/** `gw_` and the base 32 of the key hash's first 20 octets: 160 bits, 35 characters. */
export function gatewayId(keyHash: Uint8Array): string {
  return `gw_${base32(keyHash.subarray(0, 20))}`;
}

/** Four words for a person to compare, from the last four octets of the key hash (other octets than the id's). */
export function checkWords(keyHash: Uint8Array): string {
  return Array.from(keyHash.subarray(-4), (octet) => CHECK_WORDS[octet]).join(' ');
}

/**
 * The link in a gateway's QR. It opens the operator's portal; code and key stand behind the `#`, which browsers do not
 * send. `portal` is the cloud's `https://host[:port]`, without its own fragment.
 */
export function pairingLink(portal: string, code: string, keyHash: string): string {
  return `${portal.replace(/[#?].*$/, '').replace(/\/+$/, '')}/pair#code=${code}&key=${keyHash}`;
}

/** Code and key of a pairing link, or of its fragment alone; undefined where they are not there. */
export function readPairingLink(link: string): { readonly code: string; readonly key: string } | undefined {
  const found = /#code=([A-Za-z-]{1,16})&key=([0-9a-f]{64})$/.exec(link.slice(-160));
  const code = normaliseCode(found?.[1] ?? '');
  return code === undefined || found?.[2] === undefined ? undefined : { code, key: found[2] };
}

/** Where a gateway asks for `Discovery`. */
export const DISCOVERY_PATH = '/.well-known/hearthline';

const HostPort = Type.String({
  minLength: 3,
  maxLength: 260,
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):[0-9]{1,5}$',
});

/** `GET /.well-known/hearthline`: where the operator's cloud listens, and the authority that signed for it (PEM). */
export const Discovery = Type.Object({
  mqtt: HostPort,
  sips: HostPort,
  ca: Type.String({ maxLength: 8192 }),
  /** The portal's public address, where it differs from the one asked. */
  http: Type.Optional(Type.String({ maxLength: 256, pattern: '^https?://' })),
});
export type Discovery = Type.Static<typeof Discovery>;

/** How a gateway names its cloud. */
export type CloudUrl =
  /** https, with the operator's authority pinned by the SHA-256 of its SubjectPublicKeyInfo (lower-case hex). */
  | { readonly trust: 'pin'; readonly origin: string; readonly pin: string }
  /** https under the web's own authorities. */
  | { readonly trust: 'web'; readonly origin: string }
  /** http, on this machine alone. */
  | { readonly trust: 'loopback'; readonly origin: string };

/** Reads `--cloud`; a text that says what to do instead where it cannot be taken. */
export function readCloudUrl(text: string): CloudUrl | { readonly refused: string } {
  const found = /^(https?):\/\/(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?\/?(?:#(.*))?$/.exec(text.slice(0, 512));
  if (found === null) return { refused: 'The cloud’s address has the form https://host[:port][#sha256-…].' };
  const [, scheme = '', host = '', port = '', fragment] = found;
  const origin = `${scheme}://${host.toLowerCase()}${port}`;
  if (scheme === 'http') {
    const local = /^(127\.[0-9]+\.[0-9]+\.[0-9]+|\[::1\]|localhost)$/i.test(host);
    return local
      ? { trust: 'loopback', origin }
      : { refused: 'http is taken on loopback only; name the cloud as https://host#sha256-<its authority’s key>.' };
  }
  if (fragment === undefined || fragment === '') return { trust: 'web', origin };
  const pin = readPin(fragment);
  return pin === undefined
    ? { refused: 'Behind # stands sha256- and the authority’s key hash: 64 hexadecimal or 43 base64url characters.' }
    : { trust: 'pin', origin, pin };
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The pinned hash behind `#` of a cloud's address, in lower-case hex; undefined where it is none. */
export function readPin(fragment: string): string | undefined {
  const value = /^sha256-([A-Za-z0-9_-]+)=?$/.exec(fragment)?.[1];
  if (value === undefined) return undefined;
  if (/^[0-9A-Fa-f]{64}$/.test(value)) return value.toLowerCase();
  if (value.length !== 43) return undefined;
  const octets = new Uint8Array(33);
  for (let i = 0; i < 44; i += 4) {
    let bits = 0;
    for (let j = i; j < i + 4; j++) bits = bits * 64 + Math.max(0, BASE64URL.indexOf(value.charAt(j) || 'A'));
    octets.set([bits >> 16, (bits >> 8) & 255, bits & 255], (i / 4) * 3);
  }
  return hex(octets.subarray(0, 32));
}
