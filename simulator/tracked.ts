/** A network that remembers what was opened through it, so that all of it can be closed at once, as the end of a process does. */
import type { Net, Stream, World } from '#shared/kernel/world.ts';

export interface Tracked {
  readonly world: World;
  /** Closes every socket, listener and stream that is open. */
  close(): void;
}

export function tracked(world: World): Tracked {
  const open = new Set<() => void>();
  const { net } = world;
  const own = <T extends { close(): Promise<void> }>(thing: T): T => {
    const close = () => void thing.close().catch(() => {});
    open.add(close);
    return {
      ...thing,
      close: () => {
        open.delete(close);
        return thing.close();
      },
    };
  };
  const stream = (made: Stream): Stream => {
    const close = () => made.destroy();
    open.add(close);
    const { handle } = made;
    made.handle = (handlers) =>
      handle.call(made, {
        data: (data) => handlers.data(data),
        drain: () => handlers.drain?.(),
        close: (error) => {
          open.delete(close);
          handlers.close(error);
        },
      });
    return made;
  };
  const watched: Net = {
    udp: async (options, onMessage) => own(await net.udp(options, onMessage)),
    listen: async (options, onStream) => own(await net.listen(options, (made) => onStream(stream(made)))),
    connect: async (options) => stream(await net.connect(options)),
    addresses: () => net.addresses(),
  };
  return {
    world: { ...world, net: watched },
    close() {
      for (const close of [...open]) close();
      open.clear();
    },
  };
}
