/** The engines that the media server can work with, each a function from the part's context. */
import type { PartContext } from '#cloud/bus/part.ts';
import type { World } from '#shared/kernel/world.ts';
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

/** Engines in this thread by their world: a media server that starts again finds the one before. */
const inThread = new WeakMap<World, MediaEngine>();

/** An engine in this thread, for the virtual world: its items come from the synthesiser, not from a disk. */
export const threadEngine: EngineFor = async ({ world, config }) => {
  const { low, high } = config.media;
  const pieces = new Map(library.map(({ id }) => [itemFile(id), id]));
  const files = async (path: string) => synthesiseFile(pieces.get(path) ?? '') ?? (await world.disk.read(path));
  const engine = inThread.get(world) ?? localEngine(world, { low, high, files });
  inThread.set(world, engine);
  return engine;
};
