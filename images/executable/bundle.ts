/** The agent and the technician's commands as scripts without imports: the main one, and one for each kind of worker. */
import { resolve } from 'node:path';
import { build, type Plugin } from 'rolldown';
import { workers } from '#shared/host/spawn.ts';

export const root = resolve(import.meta.dirname, '../..');

/** Folders of which nothing may be in the executable. */
const KEPT_OUT = ['cloud', 'simulator', 'apps', 'sdk', 'test', 'images'];
/** What serialport loads its native part with; here it comes out of the executable. */
const ADDON = resolve(import.meta.dirname, 'native-addon.ts');

export interface Script {
  readonly name: string;
  readonly code: string;
}

export interface Bundle {
  readonly main: Script;
  readonly workers: readonly Script[];
  /** Our own files in it, and the packages, for who wants to know what is carried. */
  readonly modules: readonly string[];
}

/** Throws where something of the cloud, the simulator or a bundler would travel along. */
export async function bundle(): Promise<Bundle> {
  const modules = new Set<string>();
  const make = async (name: string, input: string, format: 'es' | 'cjs') => {
    const { output } = await build({
      cwd: root,
      input: resolve(root, input),
      write: false,
      logLevel: 'silent',
      platform: 'node',
      plugins: [addon],
      // Packages that ask where they stand; nothing is read from there.
      transform: { define: { __dirname: '"/"', __filename: '"/hearthline"' } },
      // Names and lines stay, so that a trace in a log can be read.
      output: { format, minify: 'dce-only', codeSplitting: false, comments: false },
    });
    const [script] = output;
    if (output.length !== 1) throw new Error(`${input} became ${output.length} files`);
    for (const id of script.moduleIds) modules.add(id.replace(`${root}/`, ''));
    return { name, code: script.code };
  };
  const main = await make('main', 'cli/executable.ts', 'es');
  const scripts: Script[] = [];
  for (const [name, file] of Object.entries(workers)) scripts.push(await make(name, `shared/${file}`, 'cjs'));
  const carried = [...modules].sort();
  const stray = carried.filter(
    (id) => KEPT_OUT.some((folder) => id.startsWith(`${folder}/`)) && `${root}/${id}` !== ADDON,
  );
  if (stray.length > 0) throw new Error(`the executable would carry ${stray.slice(0, 5).join(', ')}`);
  return { main, workers: scripts, modules: carried };
}

const addon: Plugin = {
  name: 'addon',
  resolveId: (id) => (id === 'node-gyp-build' ? ADDON : undefined),
};
