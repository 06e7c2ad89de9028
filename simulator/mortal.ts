/** A world whose program can be killed at any moment, as a power cut does: from then on nothing it does has any effect. */
import type { World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';

export interface Mortal {
  readonly world: World;
  readonly isAlive: () => boolean;
  kill(): void;
}

/** `cut` closes what the program has open on the network. `beforeWrite` is called before each write to the disk, which it may prevent by killing. */
export function mortal(world: World, cut: () => void, beforeWrite: (path: string) => void = () => {}): Mortal {
  let alive = true;
  /** Settles only for the living, before and after. */
  const living = <T>(start: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      if (!alive) return;
      start().then(
        (value) => alive && resolve(value),
        (error: unknown) => alive && reject(error),
      );
    });
  const { clock, disk, net, http } = world;
  return {
    isAlive: () => alive,
    kill() {
      alive = false;
      cut();
    },
    world: {
      ...world,
      clock: {
        mono: () => clock.mono(),
        wall: () => clock.wall(),
        at: (deadline, run) => clock.at(deadline, () => alive && run()),
      },
      disk: {
        read: (path) => living(() => disk.read(path)),
        part: (path, offset, length) => living(() => disk.part(path, offset, length)),
        write(path, data) {
          beforeWrite(path);
          return living(() => disk.write(path, data));
        },
        append: async (path) => {
          const file = await living(() => disk.append(path));
          return {
            get size() {
              return file.size;
            },
            append: (data) => living(() => file.append(data)),
            close: () => living(() => file.close()),
          };
        },
        remove: (path) => living(() => disk.remove(path)),
        list: (folder) => living(() => disk.list(folder)),
        room: (folder) => living(() => disk.room(folder)),
      },
      net: {
        udp: (options, onMessage) => living(() => net.udp(options, onMessage)),
        listen: (options, onStream) => living(() => net.listen(options, onStream)),
        connect: (options) => living(() => net.connect(options)),
        addresses: () => net.addresses(),
      },
      http: { request: (request) => living(() => http.request(request)) },
    },
  };
}

/** The engine as one start of a program has it: after its death it asks nothing of the engine and hears nothing of it. */
export function mortalEngine(engine: MediaEngine, living: () => boolean): MediaEngine {
  return new Proxy(engine, {
    get(target, name: keyof MediaEngine) {
      if (name === 'onEvent')
        return (handler: Parameters<MediaEngine['onEvent']>[0]) =>
          target.onEvent((event) => {
            if (living()) handler(event);
          });
      const method = target[name] as unknown;
      if (typeof method !== 'function') return method;
      return (...values: unknown[]) => (living() ? Reflect.apply(method, target, values) : new Promise(() => {}));
    },
  });
}
