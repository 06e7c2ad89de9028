/** Whether an image is what its makers have signed: manifest and signature beside it, its hash in the manifest. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { hostCrypto } from '#shared/host/crypto.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import {
  type ImageEntry,
  MANIFEST_LIMIT,
  manifestSigned,
  readManifest,
  readPublicPem,
} from '#shared/protocol/image-manifest.ts';

export interface TrustOptions {
  readonly image: string;
  /** Files of public keys, PEM; any of them may have signed. */
  readonly keys: readonly string[];
  readonly manifest?: string | undefined;
  /** The person takes the image without a signature. */
  readonly unsigned: boolean;
}

/** The manifest's entry, or undefined for an image that has none and is taken all the same. */
export async function trustedEntry(options: TrustOptions): Promise<Result<ImageEntry | undefined, string>> {
  const base = options.image.replace(/\.img(\.zst)?$/, '');
  const path = options.manifest ?? `${base}.manifest.json`;
  if (!existsSync(path))
    return options.unsigned
      ? ok(undefined)
      : err(
          `${path} is missing: without it nobody can tell whether the image is whole and whose it is. Download it too.`,
        );
  if (statSync(path).size > MANIFEST_LIMIT) return err(`${path} is too long for a manifest.`);
  const octets = new Uint8Array(readFileSync(path));
  if (!options.unsigned) {
    const wrong = await signatureFault(octets, path.replace(/\.manifest\.json$/, '.sig'), options.keys);
    if (wrong !== undefined) return err(wrong);
  }
  const entry = readManifest(new TextDecoder().decode(octets));
  return entry.ok ? entry : err(`${path}: ${entry.fault}.`);
}

async function signatureFault(
  manifest: Uint8Array,
  path: string,
  keys: readonly string[],
): Promise<string | undefined> {
  if (keys.length === 0)
    return 'No key to check the signature with. Give the public key of those who made the image with --key FILE, or, if you have made it yourself, take it with --unsigned.';
  if (!existsSync(path))
    return `${path} is missing: the image is not signed. Download it too, or take the image with --unsigned.`;
  const known: Uint8Array[] = [];
  for (const file of keys) {
    const key = existsSync(file) && statSync(file).size < 4_096 ? readPublicPem(readFileSync(file, 'utf8')) : undefined;
    if (key === undefined) return `${file} holds no public key (PEM).`;
    known.push(key);
  }
  const signature = statSync(path).size > 1_024 ? '' : readFileSync(path, 'utf8');
  return (await manifestSigned(hostCrypto(), known, manifest, signature))
    ? undefined
    : 'The signature is wrong: the manifest was changed, or others have signed it than those whose key you gave. Nothing was written.';
}
