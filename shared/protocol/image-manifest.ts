/**
 * The manifest of a release's image: the list that Raspberry Pi Imager reads (its `doc/json-schema/os-list-schema.json`), with
 * our own facts beside it. The release's signature is one over the octets of this file: Ed25519 (RFC 8032), base 64, one line.
 */
import Type from 'typebox';
import { fromBase64, toBase64 } from '../kernel/base64.ts';
import { err, ok, type Result } from '../kernel/result.ts';
import type { Crypto } from '../kernel/world.ts';
import { misfit } from './check.ts';

/** What our images are for, as RAUC's compatible string and `/etc/hearthline/image.json` name it. */
export const BOARD = 'rpi-arm64';
/** Octets of a manifest, at the most. */
export const MANIFEST_LIMIT = 64 * 1024;

const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Size = Type.Integer({ minimum: 1, maximum: 2 ** 40 });

/** One image. Sizes are octets; `extract_…` is of the disk's content, `image_download_…` of the compressed file. */
const Entry = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 120 }),
  description: Type.String({ maxLength: 400 }),
  icon: Type.String({ maxLength: 400 }),
  url: Type.String({ maxLength: 400 }),
  extract_size: Size,
  extract_sha256: Sha256,
  image_download_size: Size,
  image_download_sha256: Sha256,
  release_date: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }),
  devices: Type.Array(Type.String({ maxLength: 40 }), { minItems: 1, maxItems: 16 }),
  init_format: Type.String(),
  architecture: Type.String(),
  hearthline: Type.Object({ version: Type.String({ maxLength: 40 }), board: Type.String({ maxLength: 40 }) }),
});

/** The whole file. Unknown fields are taken: the list belongs to another project. */
export const ImageManifest = Type.Object({ os_list: Type.Array(Entry, { minItems: 1, maxItems: 1 }) });
export type ImageManifest = Type.Static<typeof ImageManifest>;
export type ImageEntry = ImageManifest['os_list'][number];

export interface ImageFacts {
  readonly version: string;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** Where the compressed image is fetched from. */
  readonly url: string;
  readonly icon: string;
  readonly extract: { readonly size: number; readonly sha256: string };
  readonly download: { readonly size: number; readonly sha256: string };
}

/**
 * The manifest's text. `init_format` is `cloudinit`, which Imager 1.x and 2.x both know; our first boot reads of what Imager then
 * writes to the boot partition the host name, the Wi-Fi network and the country.
 */
export function writeManifest({ version, date, url, icon, extract, download }: ImageFacts): string {
  const entry: ImageEntry = {
    name: `Hearthline gateway ${version}`,
    description:
      'Residential gateway: telephony, home network and network applications. Pairs with your operator’s cloud.',
    icon,
    url,
    extract_size: extract.size,
    extract_sha256: extract.sha256,
    image_download_size: download.size,
    image_download_sha256: download.sha256,
    release_date: date,
    devices: ['pi3-64bit', 'pi4-64bit'],
    init_format: 'cloudinit',
    architecture: 'armv8',
    hearthline: { version, board: BOARD },
  };
  return `${JSON.stringify({ os_list: [entry] }, undefined, 2)}\n`;
}

/** The image in a manifest's text; otherwise what is wrong with it, in words. */
export function readManifest(text: string): Result<ImageEntry, string> {
  if (text.length > MANIFEST_LIMIT) return err('the manifest is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err('the manifest is no JSON');
  }
  const wrong = misfit(ImageManifest, value);
  if (wrong !== undefined) return err(`the manifest is wrong at ${wrong.pointer ?? '/'}: ${wrong.detail ?? ''}`);
  const [entry] = (value as ImageManifest).os_list;
  if (entry === undefined) return err('the manifest names no image');
  return entry.hearthline.board === BOARD
    ? ok(entry)
    : err(`the image is for ${entry.hearthline.board}, not for ${BOARD}`);
}

/** The text of a signature over a manifest; `privateKey` is Ed25519, PKCS #8, PEM. */
export async function signManifest(crypto: Crypto, privateKey: string, manifest: Uint8Array): Promise<string> {
  return `${toBase64(await crypto.sign(privateKey, manifest))}\n`;
}

/** Whether one of the keys (SubjectPublicKeyInfo, DER) has signed these octets. */
export async function manifestSigned(
  crypto: Crypto,
  keys: readonly Uint8Array[],
  manifest: Uint8Array,
  signature: string,
): Promise<boolean> {
  const octets = signature.length > 200 ? undefined : fromBase64(signature.trim());
  if (octets?.length !== 64) return false;
  for (const key of keys) if (await crypto.verify(key, manifest, octets)) return true;
  return false;
}

/** The key of a public key's PEM text (RFC 7468, section 13); undefined where it is none. */
export function readPublicPem(pem: string): Uint8Array | undefined {
  const body = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]{1,400})-----END PUBLIC KEY-----/.exec(pem)?.[1];
  return body === undefined ? undefined : fromBase64(body.replace(/\s+/g, ''));
}

/** The PEM text of a public key. */
export function writePublicPem(key: Uint8Array): string {
  return `-----BEGIN PUBLIC KEY-----\n${toBase64(key)}\n-----END PUBLIC KEY-----\n`;
}
