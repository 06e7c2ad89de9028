/** The engine in this thread, on the sockets and the clock of a World: for the virtual world and for small tests. */
import type { Timer, World } from '#shared/kernel/world.ts';
import type { EngineEvent, MediaEngine } from './engine.ts';
import { Graph } from './graph.ts';
import type { GraphHost, GraphOptions } from './graph-host.ts';

export interface LocalOptions extends GraphOptions {
  /** Where files come from; default: the world's disk. */
  readonly files?: (path: string) => Promise<Uint8Array | undefined>;
}

/** An engine that nobody holds ends after this long, ms. */
export const ALONE = 60_000;

/** An engine on `world`. After `close(false)` it lives on for 60 s; a new `onEvent` takes hold of it again. */
export function localEngine(world: World, options: LocalOptions): MediaEngine {
  const handlers: ((event: EngineEvent) => void)[] = [];
  const read = options.files ?? ((path: string) => world.disk.read(path));
  let timer: Timer | undefined;
  let timerAt = Number.POSITIVE_INFINITY;
  const host: GraphHost = {
    mono: () => world.clock.mono(),
    wall: () => world.clock.wall(),
    random32: () => new DataView(world.random.bytes(4).buffer).getUint32(0),
    async bind(address, port, receive) {
      const socket = await world.net.udp({ host: address, port }, (data, from) => receive(data, from.host, from.port));
      return {
        port: socket.local.port,
        send: (data, length, to, at) => socket.send(data.slice(0, length), { host: to, port: at }),
        close: () => void socket.close(),
      };
    },
    async file(path, limit) {
      const data = await read(path);
      return data === undefined || data.length > limit ? undefined : data;
    },
    async pause() {},
    async create(path) {
      let whole = new Uint8Array(64 * 1024);
      let size = 0;
      return {
        async write(at, data) {
          size = Math.max(size, at + data.length);
          if (size > whole.length) {
            const more = new Uint8Array(2 * size);
            more.set(whole);
            whole = more;
          }
          whole.set(data, at);
        },
        close: () => world.disk.write(path, whole.slice(0, size)),
      };
    },
    event: (event) => {
      for (const handler of handlers) handler(event);
    },
    wake: () => arm(),
  };
  const graph = new Graph(host, options);

  let alone: Timer | undefined;

  async function end(): Promise<void> {
    await graph.close();
    timer?.cancel();
  }
  function arm(): void {
    const due = graph.due();
    if (due === timerAt) return;
    timer?.cancel();
    timerAt = due;
    timer = Number.isFinite(due) ? world.clock.at(due, fire) : undefined;
  }
  function fire(): void {
    timerAt = Number.POSITIVE_INFINITY;
    timer = undefined;
    graph.step(world.clock.mono());
    arm();
  }

  return {
    endpoint: (spec) => graph.endpoint(spec),
    remote: async (id, spec) => graph.remote(id, spec),
    room: (id, owner, group) => graph.room(id, owner, group),
    player: (spec) => graph.player(spec),
    recorder: (spec) => graph.recorder(spec),
    press: async (id, digits) => graph.press(id, digits),
    start: async (id) => graph.start(id),
    connect: async (from, to, connected) => graph.connect(from, to, connected),
    release: (id) => graph.release(id),
    list: async () => graph.list(),
    stats: async (id) => graph.stats(id),
    onEvent: (handler) => {
      alone?.cancel();
      handlers.push(handler);
    },
    close: async (ends) => {
      handlers.length = 0;
      alone?.cancel();
      if (ends) await end();
      else alone = world.clock.at(world.clock.mono() + ALONE, () => void end());
    },
  };
}
