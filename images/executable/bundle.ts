/** The agent and the technician's commands as scripts: the first one, the parts that it finds for each other, and one for each kind of worker. */
import { resolve } from 'node:path';
import { build, type OutputChunk, type Plugin } from 'rolldown';
import { workers } from '#shared/host/spawn.ts';

export const root = resolve(import.meta.dirname, '../..');

/** Folders of which nothing may be in the executable. */
const KEPT_OUT = ['cloud', 'simulator', 'apps', 'sdk', 'test', 'images'];
/** What serialport loads its native part with; here it comes out of the executable. */
const ADDON = resolve(import.meta.dirname, 'native-addon.ts');
/** The first script, which finds the others. */
const PARTS = resolve(import.meta.dirname, 'parts.ts');

export interface Script {
  readonly name: string;
  readonly code: string;
}

export interface Bundle {
  readonly main: Script;
  /** Named as they ask for each other; `start.cjs` is the first that is taken. */
  readonly parts: readonly Script[];
  readonly workers: readonly Script[];
  /** Our own files in it, and the packages, for who wants to know what is carried. */
  readonly modules: readonly string[];
}

/** Throws where something of the cloud, the simulator or a bundler would travel along. */
export async function bundle(): Promise<Bundle> {
  const modules = new Set<string>();
  const make = async (input: string, split = false): Promise<OutputChunk[]> => {
    const { output } = await build({
      cwd: root,
      input: { start: resolve(root, input) },
      write: false,
      logLevel: 'silent',
      platform: 'node',
      plugins: [addon],
      // Packages that ask where they stand; nothing is read from there.
      transform: { define: { __dirname: '"/"', __filename: '"/hearthline"' } },
      output: {
        format: 'cjs',
        // Names and lines stay, so that a trace in a log can be read.
        minify: 'dce-only',
        comments: false,
        codeSplitting: split,
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name]-[hash].cjs',
      },
    });
    const chunks = output.filter((one) => one.type === 'chunk');
    if (chunks.length !== output.length || (!split && chunks.length !== 1))
      throw new Error(`${input} became ${output.length} files`);
    for (const { moduleIds } of chunks) for (const id of moduleIds) modules.add(id.replace(`${root}/`, ''));
    return chunks;
  };
  const one = async (name: string, input: string): Promise<Script> => {
    const [chunk] = await make(input);
    return { name, code: strict(chunk?.code ?? '') };
  };
  const main = await one('main', PARTS);
  const parts = (await make('cli/executable.ts', true)).map(({ fileName: name, code }) => ({
    name,
    code: strict(code),
  }));
  const scripts: Script[] = [];
  for (const [name, file] of Object.entries(workers)) scripts.push(await one(name, `shared/${file}`));
  const carried = [...modules].sort();
  const stray = carried.filter(
    (id) => KEPT_OUT.some((folder) => id.startsWith(`${folder}/`)) && ![ADDON, PARTS].includes(`${root}/${id}`),
  );
  if (stray.length > 0) throw new Error(`the executable would carry ${stray.slice(0, 5).join(', ')}`);
  return { main, parts, workers: scripts, modules: carried };
}

/** What were modules are strict (ECMA-262, section 11.2.2), in scripts too; on the first line, so that lines keep their numbers. */
const strict = (code: string): string => `'use strict';${code}`;

const addon: Plugin = {
  name: 'addon',
  resolveId: (id) => (id === 'node-gyp-build' ? ADDON : undefined),
};
