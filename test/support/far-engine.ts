/** A media engine as its user has it where it is another process: commands reach it in their order after a while, its answers take as long, and it may die. */
import { sleep } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { EngineError, type EngineEvent, type MediaEngine } from '#shared/media-engine/engine.ts';
import { localEngine } from '#shared/media-engine/local.ts';

export interface FarEngine {
  readonly engine: MediaEngine;
  /** It ends with all that it holds, as by kill -9; another one is there at once, and what is lost is told. */
  die(): Promise<void>;
}

/** `away`: milliseconds to it, and back. */
export function farEngine(world: World, away: number): FarEngine {
  const range = { low: 20_000, high: 29_999 };
  const handlers: ((event: EngineEvent) => void)[] = [];
  let near = localEngine(world, range);
  const far = async (name: keyof MediaEngine, values: unknown[]): Promise<unknown> => {
    const asked = near;
    await sleep(world.clock, away);
    if (asked !== near) throw new EngineError('gone', 'the media engine has ended');
    const value = await Reflect.apply(near[name] as (...all: unknown[]) => unknown, near, values);
    await sleep(world.clock, away);
    return value;
  };
  const engine = new Proxy(near, {
    get(_target, name: keyof MediaEngine) {
      if (!(name in near)) return undefined;
      if (name === 'close') return (end: boolean) => near.close(end);
      if (name === 'onEvent') return (handler: (event: EngineEvent) => void) => handlers.push(handler);
      return (...values: unknown[]) => far(name, values);
    },
  });
  const hear = () => near.onEvent((event) => handlers.forEach((handler) => void handler(event)));
  hear();
  return {
    engine,
    async die() {
      const nodes = await near.list();
      await near.close(true);
      near = localEngine(world, range);
      hear();
      for (const { id, owner } of nodes) for (const handler of handlers) handler({ on: 'lost', id, owner });
    },
  };
}
