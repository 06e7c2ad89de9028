/** A worker of the engine process: one graph with its own sockets and its own clock. Entry of a `worker_threads` thread. */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { bindDatagram } from './adapter-dgram.ts';
import type { EndpointSpec, PlayerSpec, RecorderSpec, RemoteSpec } from './engine.ts';
import { Graph } from './graph.ts';
import type { GraphHost, GraphOptions } from './graph-host.ts';
import { gridClock } from './grid-clock.ts';
import { type Answer, type Command, wireError } from './wire.ts';

const port = parentPort;
if (port === null) throw new Error('this file is the entry of a worker thread');

const answer = (message: Answer): void => port.postMessage(message);

const host: GraphHost = {
  mono: () => performance.now(),
  wall: () => Date.now(),
  random32: () => randomBytes(4).readUInt32BE(),
  bind: bindDatagram,
  async file(path, limit) {
    const facts = await stat(path).catch(() => undefined);
    if (facts === undefined || !facts.isFile() || facts.size > limit) return undefined;
    return await readFile(path);
  },
  pause: () => new Promise((resume) => setImmediate(resume)),
  async create(path) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'w', 0o600);
    return {
      write: async (at, data) => void (await file.write(data, 0, data.length, at)),
      close: async () => {
        await file.sync();
        await file.close();
      },
    };
  },
  event: (event) => answer({ event }),
  wake: () => clock.wake(),
};
const graph = new Graph(host, workerData as GraphOptions);

const clock = gridClock(graph);

async function run({ do: name, args }: Command): Promise<unknown> {
  switch (name) {
    case 'endpoint':
      return await graph.endpoint(args[0] as EndpointSpec);
    case 'remote':
      return graph.remote(args[0] as string, args[1] as RemoteSpec);
    case 'room':
      return await graph.room(args[0] as string, args[1] as string, args[2] as string);
    case 'player':
      return await graph.player(args[0] as PlayerSpec);
    case 'recorder':
      return await graph.recorder(args[0] as RecorderSpec);
    case 'press':
      return graph.press(args[0] as string, args[1] as string);
    case 'start':
      return graph.start(args[0] as string);
    case 'connect':
      return graph.connect(args[0] as string, args[1] as string, args[2] as boolean);
    case 'release':
      return await graph.release(args[0] as string);
    case 'list':
      return graph.list();
    case 'stats':
      return graph.stats(args[0] as string);
    case 'end':
      return await graph.close();
  }
}

port.on('message', (command: Command) => {
  run(command).then(
    (value) => answer({ n: command.n, value }),
    (error) => answer({ n: command.n, error: wireError(error) }),
  );
});
