/** `hearthline app new|test|pack|publish|dev`: from an empty folder to a running application. */
import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Options, Parsed } from '#shared/host/config.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { AppPackage } from '#shared/protocol/applet-manifest.ts';
import { rightsOf } from '#shared/protocol/applet-rights.ts';
import { canonical } from '#shared/protocol/canonical.ts';
import { developerKey, PROJECT_FILE, packProject } from './app-project.ts';
import { appTemplate } from './app-template.ts';
import { callCloud, cloudOptions, type Trouble } from './cloud-call.ts';
import type { Command, ExitCode, Io } from './command.ts';

const keyOption = {
  key: {
    kind: 'text',
    value: 'FILE',
    about: 'the developer’s key (default ~/.config/hearthline/developer-key.json, made when absent)',
  },
  json: { kind: 'flag', about: 'print the result as JSON' },
} as const satisfies Options;
const publishOptions = { ...cloudOptions, ...keyOption } as const satisfies Options;

const folderOf = ({ words }: Parsed) => resolve(words[0] ?? '.');

function fail(io: Io, why: string, code: ExitCode = 2): ExitCode {
  io.error(why);
  return code;
}

function show(io: Io, { values }: Parsed, value: Readonly<Record<string, unknown>>, text: string): void {
  io.out(values.json === 'true' ? JSON.stringify(value) : text);
}

/** Packs the project that the command names. */
async function packed(input: Parsed): Promise<Result<AppPackage, string>> {
  return packProject(folderOf(input), await developerKey(input.values.key));
}

export const appNew: Command = {
  about: 'Makes the project of a network application with both halves and a test.',
  words: 1,
  usage: 'hearthline app new ID [--folder DIR]',
  options: { folder: { kind: 'text', value: 'DIR', about: 'where (default: a folder named ID)' } },
  async run({ words, values }, io) {
    const [id] = words;
    if (id === undefined || !/^[a-z][a-z0-9-]{1,39}$/.test(id))
      return fail(io, 'hearthline app new: ID is 2 to 40 of a-z, 0-9 and -, and begins with a letter.', 3);
    const folder = resolve(values.folder ?? id);
    if (existsSync(folder) && readdirSync(folder).length > 0) return fail(io, `${folder} is not empty.`, 3);
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(appTemplate(id))) writeFileSync(join(folder, name), text);
    await developerKey(undefined);
    io.out(
      `${folder}: ${PROJECT_FILE}, cloud.ts, applet.ts, app.test.ts.\nNext: hearthline app test ${basename(folder)}`,
    );
    return 0;
  },
};

export const appTest: Command = {
  about: 'Runs the automatic checks, then the project’s app.test.ts with a simulated home in virtual time.',
  words: 1,
  usage: 'hearthline app test [FOLDER] [--seed S]',
  options: { ...keyOption, seed: { kind: 'number', value: 'S', about: 'seed of the virtual world', fallback: '1' } },
  async run(input, io) {
    const pack = await packed(input);
    if (!pack.ok) return fail(io, pack.fault);
    const { checkPackage } = await import('#cloud/application-server/e-center/checks.ts');
    const { localSandbox } = await import('#shared/applet/local.ts');
    const { shippedServices } = await import('#apps/services/index.ts');
    const { hostWorld } = await import('#shared/host/world.ts');
    const services = new Set(shippedServices.map(({ id }) => id));
    const checks = await checkPackage(pack.value, {
      sandbox: localSandbox,
      clock: hostWorld({ level: 'error' }).clock,
      services,
    });
    const lines = checks.map(
      ({ check, ok, detail }) => `${ok ? 'ok  ' : 'FAIL'} ${check}${detail === undefined ? '' : `: ${detail}`}`,
    );
    const wrong = checks.some((check) => !check.ok)
      ? 'a check failed'
      : await ownTest(folderOf(input), pack.value, Number(input.values.seed));
    const { manifest } = pack.value;
    if (existsSync(join(folderOf(input), 'app.test.ts')))
      lines.push(wrong === undefined ? 'ok   app.test.ts' : `FAIL app.test.ts: ${wrong}`);
    show(
      io,
      input,
      { app: manifest.id, version: manifest.version, checks, ...(wrong === undefined ? {} : { wrong }) },
      lines.join('\n'),
    );
    return wrong === undefined ? 0 : 2;
  },
};

/** Runs `test(kit)` of app.test.ts; what it throws, in words. */
async function ownTest(folder: string, pack: AppPackage, seed: number): Promise<string | undefined> {
  const file = join(folder, 'app.test.ts');
  if (!existsSync(file)) return undefined;
  const { appKit } = await import('#simulator/app-kit.ts');
  try {
    const { test } = (await import(pathToFileURL(file).href)) as { test?: (kit: unknown) => Promise<void> };
    if (test === undefined) return 'it exports no function `test(kit)`';
    await using kit = await appKit(pack, { seed });
    await test(kit);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export const appPack: Command = {
  about: 'Bundles both halves and writes one signed file.',
  words: 1,
  usage: 'hearthline app pack [FOLDER] [--out FILE]',
  options: {
    ...keyOption,
    out: { kind: 'text', value: 'FILE', about: 'where (default: ID-VERSION.hlapp in the folder)' },
  },
  async run(input, io) {
    const pack = await packed(input);
    if (!pack.ok) return fail(io, pack.fault);
    const { id, version } = pack.value.manifest;
    const file = resolve(input.values.out ?? join(folderOf(input), `${id}-${version}.hlapp`));
    const text = canonical(pack.value);
    writeFileSync(file, text);
    const rights = rightsOf(pack.value.manifest);
    const words = rights.map(({ key, words }) => `  ${key}: ${words}.`).join('\n');
    show(
      io,
      input,
      { file, size: text.length, rights },
      `${file}: ${text.length} characters. It asks for:\n${words || '  nothing'}`,
    );
    return 0;
  },
};

interface PublishedView {
  readonly state: string;
  readonly checks: readonly { readonly check: string; readonly ok: boolean }[];
  readonly difference: { readonly added: readonly { readonly key: string; readonly words: string }[] };
}

export const appPublish: Command = {
  about: 'Publishes a packed file, or the project in a folder, in the e-center.',
  words: 1,
  usage: 'hearthline app publish [FILE.hlapp|FOLDER] --cloud URL --token TOKEN',
  options: publishOptions,
  async run(input, io) {
    const path = folderOf(input);
    const made = path.endsWith('.hlapp') && existsSync(path) ? readPack(path) : await packed(input);
    if (!made.ok) return fail(io, made.fault);
    const reply = await callCloud<PublishedView>(input.values, {
      method: 'POST',
      path: '/v1/apps',
      body: { package: made.value },
    });
    if (!reply.ok) return fail(io, reply.fault.words, reply.fault.code);
    const { state, checks, difference } = reply.value;
    const lines = [
      `state ${state}; ${checks.filter(({ ok }) => ok).length} of ${checks.length} checks passed`,
      ...difference.added.map(({ key, words }) => `  new right ${key}: ${words}.`),
      ...(state === 'review' ? ['The operator reviews it: hearthline app review --decision publish.'] : []),
    ];
    show(io, input, { ...reply.value }, lines.join('\n'));
    return 0;
  },
};

/** What `app pack` wrote; the e-center judges whether it is whole. */
function readPack(path: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return err(`${path} is no packed application.\nNext: make it with \`hearthline app pack\`.`);
  }
}

export const appDev: Command = {
  about:
    'Publishes the project into a cloud of your own, installs it in a home, and again after every change of a file.',
  words: 1,
  usage: 'hearthline app dev [FOLDER] --cloud URL --token TOKEN --home ID',
  options: {
    ...publishOptions,
    home: { kind: 'text', value: 'ID', about: 'the home to install it in', required: true },
  },
  async run(input, io) {
    let next = await dev(input, io, undefined);
    if (next === undefined) return 2;
    const folder = folderOf(input);
    let timer: NodeJS.Timeout | undefined;
    const watcher = watch(folder, { recursive: true }, (_kind, name) => {
      if (name === null || !/\.(ts|js|json)$/.test(name)) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        void dev(input, io, next).then((done) => {
          next = done ?? next;
        });
      }, 150);
    });
    const following = setInterval(() => void follow(input, io), 1000);
    await new Promise<void>((done) => {
      process.once('SIGINT', () => done());
      process.once('SIGTERM', () => done());
      io.unread.addEventListener('abort', () => done());
    });
    watcher.close();
    clearTimeout(timer);
    clearInterval(following);
    return 0;
  },
};

const seen = { install: '', at: 0 };

/** One round: packs under the next patch version, publishes, installs or updates. Gives the next patch; undefined where it failed. */
async function dev(input: Parsed, io: Io, patch: number | undefined): Promise<number | undefined> {
  const since = performance.now();
  const failed = (why: string) => {
    io.error(why);
    return undefined;
  };
  const key = await developerKey(input.values.key);
  const first = await packProject(folderOf(input), key);
  if (!first.ok) return failed(first.fault);
  const { id } = first.value.manifest;
  const known = await callCloud<{ items: { version: string }[] }>(input.values, {
    method: 'GET',
    path: `/v1/apps?app=${id}&limit=1`,
  });
  if (!known.ok) return failed(known.fault.words);
  const newest = known.value.items[0]?.version ?? first.value.manifest.version;
  const [major, minor, last] = newest.split('.').map(Number);
  const number = patch ?? (known.value.items.length === 0 ? (last ?? 0) : (last ?? 0) + 1);
  const version = `${major}.${minor}.${number}`;
  const pack = await packProject(folderOf(input), key, { version, matches: version });
  if (!pack.ok) return failed(pack.fault);
  const published = await callCloud(input.values, { method: 'POST', path: '/v1/apps', body: { package: pack.value } });
  if (!published.ok) return failed(published.fault.words);
  const installed = await installVersion(
    input,
    id,
    version,
    rightsOf(pack.value.manifest).map((right) => right.key),
  );
  if (!installed.ok) return failed(installed.fault.words);
  seen.install = installed.value.id;
  io.out(`${id} ${version} is in; ${Math.round(performance.now() - since)} ms.`);
  return number + 1;
}

async function installVersion(
  input: Parsed,
  app: string,
  version: string,
  consent: readonly string[],
): Promise<Result<{ id: string }, Trouble>> {
  const home = encodeURIComponent(input.values.home ?? '');
  const installs = await callCloud<{ items: { id: string; app: string }[] }>(input.values, {
    method: 'GET',
    path: `/v1/homes/${home}/installs`,
  });
  if (!installs.ok) return installs;
  const own = installs.value.items.find((one) => one.app === app);
  return callCloud(
    input.values,
    own === undefined
      ? { method: 'POST', path: `/v1/homes/${home}/installs`, body: { app, version, consent } }
      : { method: 'POST', path: `/v1/installs/${own.id}/update`, body: { version, consent } },
  );
}

/** Prints what the cloud half has said since the last look. */
async function follow(input: Parsed, io: Io): Promise<void> {
  if (seen.install === '') return;
  const status = await callCloud<{ logs: { at: number; level: string; text: string }[] }>(input.values, {
    method: 'GET',
    path: `/v1/installs/${seen.install}/status`,
  });
  if (!status.ok) return;
  for (const { at, level, text } of status.value.logs) {
    if (at <= seen.at) continue;
    seen.at = at;
    io.out(`${new Date(at).toISOString()} ${level} ${text}`);
  }
}
