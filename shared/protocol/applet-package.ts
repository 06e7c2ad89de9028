/** Making, signing and verifying packages. The cryptography is handed in; nothing here trusts a field that a signature does not cover. */

import { fromBase64, toBase64 } from '../kernel/base64.ts';
import { hex, utf8 } from '../kernel/bytes.ts';
import { err, ok, type Result } from '../kernel/result.ts';
import type { Crypto, KeyPair } from '../kernel/world.ts';
import { API_LEVEL, AppPackage, type Manifest, PACKAGE_LIMIT } from './applet-manifest.ts';
import { canonical } from './canonical.ts';
import { misfit } from './check.ts';
import { isRange } from './version.ts';

/** Why a package is refused, in words. */
export type Refusal = string;

export interface Bundles {
  readonly cloud?: string;
  readonly applet?: string;
}

const HALVES = ['cloud', 'applet'] as const;

/** The manifest with the hashes of its bundles. */
export function withHashes(
  manifest: Omit<Manifest, 'cloud' | 'applet'> & Pick<Manifest, 'cloud'>,
  bundles: Bundles,
  crypto: Crypto,
): Manifest {
  const hashed = (text: string) => ({ sha256: sha256(text, crypto) });
  return {
    ...manifest,
    ...(bundles.cloud === undefined ? {} : { cloud: hashed(bundles.cloud) }),
    ...(bundles.applet === undefined ? {} : { applet: hashed(bundles.applet) }),
  };
}

/** A package signed by its developer. */
export async function makePackage(
  manifest: Manifest,
  bundles: Bundles,
  key: KeyPair,
  crypto: Crypto,
): Promise<AppPackage> {
  const developer = await signManifest(manifest, key, crypto);
  return { hearthline: 'application/1', manifest, bundles: { ...bundles }, developer };
}

/** Signs a manifest with an Ed25519 key. */
export async function signManifest(manifest: Manifest, key: KeyPair, crypto: Crypto): Promise<AppPackage['developer']> {
  const signature = await crypto.sign(key.privateKey, utf8(canonical(manifest)));
  return { key: toBase64(key.publicKey), signature: toBase64(signature) };
}

/** SHA-256 of a package's canonical text, lower-case hex: how documents and tickets name it. */
export function packageHash(pack: AppPackage, crypto: Crypto): string {
  return sha256(canonical(pack), crypto);
}

function sha256(text: string, crypto: Crypto): string {
  return hex(crypto.hash('sha256', utf8(text)));
}

/**
 * Reads a package from outside: its form, its size, its level, the hashes of its bundles and its developer's signature. It does
 * not say that the developer is one to trust.
 */
export async function readPackage(value: unknown, crypto: Crypto): Promise<Result<AppPackage, Refusal>> {
  const wrong = misfit(AppPackage, value);
  if (wrong !== undefined)
    return err(`The package is not of the form application/1: ${wrong.pointer ?? '/'} ${wrong.detail ?? ''}`);
  const pack = value as AppPackage;
  const { manifest, bundles, developer } = pack;
  const size = utf8(canonical(pack)).length;
  if (size > PACKAGE_LIMIT) return err(`The package has ${size} octets; at most ${PACKAGE_LIMIT} are allowed.`);
  if (manifest.api > API_LEVEL) return err(`The package needs API level ${manifest.api}; this host has ${API_LEVEL}.`);
  if (!isRange(manifest.matches)) return err(`“${manifest.matches}” is no range of versions.`);
  if (manifest.cloud === undefined && manifest.applet === undefined)
    return err('The package has neither a cloud half nor an applet.');
  for (const half of HALVES) {
    const fault = bundleFault(half, manifest, bundles[half], crypto);
    if (fault !== undefined) return err(fault);
  }
  if (!(await verifies(manifest, developer, crypto)))
    return err('The developer’s signature does not fit the manifest.');
  return ok(pack);
}

function bundleFault(
  half: (typeof HALVES)[number],
  manifest: Manifest,
  bundle: string | undefined,
  crypto: Crypto,
): Refusal | undefined {
  const named = manifest[half];
  const wanted = named !== undefined && 'sha256' in named ? named.sha256 : undefined;
  if ((wanted === undefined) !== (bundle === undefined))
    return `The manifest and the bundles differ about the ${half} half.`;
  if (bundle === undefined || wanted === undefined) return undefined;
  return sha256(bundle, crypto) === wanted ? undefined : `The ${half} bundle is not the one that the manifest names.`;
}

async function verifies(manifest: Manifest, signed: AppPackage['developer'], crypto: Crypto): Promise<boolean> {
  const [key, signature] = [fromBase64(signed.key), fromBase64(signed.signature)];
  if (key === undefined || signature === undefined) return false;
  return crypto.verify(key, utf8(canonical(manifest)), signature);
}

/** Whether the operator whose key (base 64) is given has countersigned the package. */
export async function isApproved(pack: AppPackage, operatorKey: string, crypto: Crypto): Promise<boolean> {
  const { operator, manifest } = pack;
  return operator !== undefined && operator.key === operatorKey && (await verifies(manifest, operator, crypto));
}
