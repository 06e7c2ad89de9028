/** A developer's project of a network application: `hearthline.json` and the sources of its halves, bundled and packed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { hostCrypto } from '#shared/host/crypto.ts';
import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import { type AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { type Bundles, makePackage, readPackage, withHashes } from '#shared/protocol/applet-package.ts';
import { misfit } from '#shared/protocol/check.ts';

export const PROJECT_FILE = 'hearthline.json';
/** Where `import … from 'hearthline'` leads. */
export const SDK = resolve(import.meta.dirname, '../sdk/app.ts');

/** `hearthline.json`: the manifest, with the files of the halves in the place of their hashes. */
interface ProjectFile extends Omit<Manifest, 'cloud' | 'applet' | 'format'> {
  readonly cloud?: string | { readonly webhook: string };
  readonly applet?: string;
}

/** Bundles, hashes and signs a project, `change`d where told. The fault says what to change in it. */
export async function packProject(
  folder: string,
  key: KeyPair,
  change: Partial<Pick<Manifest, 'version' | 'matches'>> = {},
): Promise<Result<AppPackage, string>> {
  const read = readProject(folder);
  if (!read.ok) return read;
  const { cloud, applet, ...rest } = read.value;
  const bundles: { cloud?: string; applet?: string } = {};
  try {
    if (typeof cloud === 'string') bundles.cloud = await bundle(resolve(folder, cloud));
    if (applet !== undefined) bundles.applet = await bundle(resolve(folder, applet));
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
  return signed({ ...rest, ...change }, typeof cloud === 'object' ? cloud : undefined, bundles, key);
}

async function signed(
  rest: Omit<ProjectFile, 'cloud' | 'applet'>,
  webhook: { readonly webhook: string } | undefined,
  bundles: Bundles,
  key: KeyPair,
): Promise<Result<AppPackage, string>> {
  const crypto = hostCrypto();
  const manifest = withHashes(
    { ...rest, format: 1, ...(webhook === undefined ? {} : { cloud: webhook }) },
    bundles,
    crypto,
  );
  const wrong = misfit(Manifest, manifest);
  if (wrong !== undefined) return err(`${PROJECT_FILE}: ${wrong.pointer ?? '/'} ${wrong.detail ?? 'is wrong'}`);
  return readPackage(await makePackage(manifest, bundles, key, crypto), crypto);
}

function readProject(folder: string): Result<ProjectFile, string> {
  const path = join(folder, PROJECT_FILE);
  if (!existsSync(path))
    return err(`${path} is not there: run \`hearthline app new ID\` first, or name the project's folder.`);
  try {
    return ok(JSON.parse(readFileSync(path, 'utf8')) as ProjectFile);
  } catch (error) {
    return err(`${path} is no JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

/** One script without imports. */
async function bundle(file: string): Promise<string> {
  if (!existsSync(file)) throw new Error(`${file} is not there.`);
  const { build } = await import('rolldown');
  const { output } = await build({
    input: file,
    write: false,
    logLevel: 'silent',
    resolve: { alias: { hearthline: SDK } },
    output: { format: 'iife', minify: true },
  });
  if (output.length !== 1)
    throw new Error(`${file} became ${output.length} files; dynamic imports do not work in the sandbox.`);
  return output[0].code;
}

/** The developer's key: `--key FILE`, or one made once under ~/.config/hearthline. */
export async function developerKey(path: string | undefined): Promise<KeyPair> {
  const file =
    path ?? join(process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'hearthline', 'developer-key.json');
  if (existsSync(file)) {
    const kept = JSON.parse(readFileSync(file, 'utf8')) as { privateKey: string; publicKey: string; keyHash: string };
    return { ...kept, publicKey: fromBase64(kept.publicKey) ?? new Uint8Array() };
  }
  const key = await hostCrypto().createKey('Ed25519');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify({ ...key, publicKey: toBase64(key.publicKey) }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  return key;
}
