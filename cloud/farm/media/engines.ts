/** The engines that the media server can work with, each a function from the part's context. */
import type { PartContext } from '#cloud/bus/part.ts';
import { attachEngine } from '#shared/media-engine/client.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { itemFile } from './items.ts';
import { library, synthesiseFile } from './library/synthesis.ts';

export type EngineFor = (context: PartContext) => Promise<MediaEngine>;

/** The engine process of this data folder: attached if it lives, started if not. */
export const processEngine: EngineFor = ({ config }) => {
  const { low, high } = config.media;
  return attachEngine({ socketPath: engineSocket(`${config.data}/media`), low, high });
};

/** An engine in this thread, for the virtual world: its items come from the synthesiser, not from a disk. */
export const threadEngine: EngineFor = async ({ world, config }) => {
  const { low, high } = config.media;
  const files = new Map(library.map(({ id }) => [itemFile(id), id]));
  return localEngine(world, {
    low,
    high,
    files: async (path) => synthesiseFile(files.get(path) ?? '') ?? (await world.disk.read(path)),
  });
};
