/** A developer's project of a network application: `hearthline.json` and the sources of its halves, bundled and packed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { hostCrypto } from '#shared/host/crypto.ts';
import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import { type AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { type Bundles, makePackage, readPackage, withHashes } from '#shared/protocol/applet-package.ts';
import { misfit } from '#shared/protocol/check.ts';
import { CannotRun } from './command.ts';

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
    // The bundler paints its words also where no terminal reads them.
    return err(stripVTControlCharacters(error instanceof Error ? error.message : String(error)).trimEnd());
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
    const project = JSON.parse(readFileSync(path, 'utf8')) as ProjectFile | null;
    if (typeof project !== 'object' || project === null || Array.isArray(project))
      return err(`${path} is no JSON object.`);
    const { cloud, applet } = project;
    if (cloud !== undefined && typeof cloud !== 'string' && typeof cloud?.webhook !== 'string')
      return err(`${path}: "cloud" is the name of a file, or {"webhook": "https://…"}.`);
    if (applet !== undefined && typeof applet !== 'string') return err(`${path}: "applet" is the name of a file.`);
    return ok(project);
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
    const kept = readKey(readFileSync(file, 'utf8'));
    if (kept === undefined) throw new CannotRun(`${file} is no developer’s key; without --key one is made.`);
    return kept;
  }
  const key = await hostCrypto().createKey('Ed25519');
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify({ ...key, publicKey: toBase64(key.publicKey) }, undefined, 2)}\n`, {
    mode: 0o600,
  });
  return key;
}

function readKey(text: string): KeyPair | undefined {
  try {
    const { privateKey, publicKey, keyHash } = JSON.parse(text) as Record<string, unknown>;
    const octets = typeof publicKey === 'string' ? fromBase64(publicKey) : undefined;
    if (typeof privateKey !== 'string' || typeof keyHash !== 'string' || octets === undefined) return undefined;
    return { privateKey, publicKey: octets, keyHash };
  } catch {
    return undefined;
  }
}
