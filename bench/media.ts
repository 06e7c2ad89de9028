/**
 * What media costs: CPU of the media thread per packet for relayed calls and for mixed parties, and how late its frames go
 * out. Beside it, in the same run, the bare minimum: a socket that sends back whatever it gets. All traffic is on loopback,
 * where the kernel charges the receiver's work to the sender. Ends in < 40 s.
 *
 * Run: `bin/node bench/media.ts`
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { bindDatagram } from '#shared/media-engine/adapter-dgram.ts';
import { Graph } from '#shared/media-engine/graph.ts';
import type { GraphHost } from '#shared/media-engine/graph-host.ts';
import { type GridClock, gridClock } from '#shared/media-engine/grid-clock.ts';
import { writeHeader } from '#shared/rtp/packet.ts';

interface Load {
  readonly name: string;
  /** Endpoints, and how many of them share a room; 2 are a relayed call; 0 is the bare socket. */
  readonly endpoints: number;
  readonly together: number;
}

const LOADS: readonly Load[] = [
  { name: 'bare sockets that echo', endpoints: 200, together: 0 },
  { name: 'relayed calls', endpoints: 200, together: 2 },
  { name: 'relayed calls', endpoints: 400, together: 2 },
  { name: 'rooms of 3', endpoints: 90, together: 3 },
  { name: 'rooms of 3', endpoints: 300, together: 3 },
  { name: 'one room', endpoints: 200, together: 200 },
];
const MEASURE = 4000;
const HOST = '127.0.0.1';

interface Usage {
  /** CPU of the thread, microseconds. */
  readonly cpu: number;
  readonly late: readonly number[];
  readonly received: number;
}

if (isMainThread) await main();
else await media(workerData as { load: Load; ports: number[] });

/** A socket on a free port that spares the resolver, as the engine's do. */
async function bound(): Promise<Socket> {
  const socket = createSocket({
    type: 'udp4',
    recvBufferSize: 4 << 20,
    lookup: (name, _, done) => done(null, name, 4),
  });
  const listening = once(socket, 'listening');
  socket.bind(0, HOST);
  await listening;
  return socket;
}

/** The media thread: a graph, or bare sockets. */
async function media({ load, ports }: { load: Load; ports: number[] }): Promise<void> {
  const port = parentPort;
  if (port === null) return;
  const late: number[] = [];
  let received = (): number => 0;
  const locals: number[] = [];
  if (load.together === 0) {
    let count = 0;
    for (let i = 0; i < load.endpoints; i++) {
      const socket = await bound();
      socket.on('message', (data, from) => {
        count++;
        socket.send(data, from.port, from.address);
      });
      locals.push(socket.address().port);
    }
    received = () => count;
  } else {
    let clock: GridClock | undefined;
    const host: GraphHost = {
      mono: () => performance.now(),
      wall: () => Date.now(),
      random32: () => Math.floor(Math.random() * 2 ** 32),
      bind: bindDatagram,
      file: () => Promise.resolve(undefined),
      pause: () => Promise.resolve(),
      create: () => Promise.reject(new Error('this bench records nothing')),
      event: () => undefined,
      wake: () => clock?.wake(),
    };
    const graph = new Graph(host, { low: 20_000, high: 29_999 });
    clock = gridClock(graph, (ms) => late.push(ms));
    locals.push(...(await build(graph, load, ports)));
    received = () => locals.reduce((sum, _, i) => sum + (graph.stats(`e${i}`)?.received ?? 0), 0);
  }
  let before = process.threadCpuUsage();
  port.on('message', (what) => {
    if (what === 'start') {
      before = process.threadCpuUsage();
      late.length = 0;
    } else {
      const cpu = process.threadCpuUsage(before);
      port.postMessage({ cpu: cpu.user + cpu.system, late, received: received() } satisfies Usage);
    }
  });
  port.postMessage(locals);
}

/** Endpoints in calls or rooms; their other sides are the generator's sockets in turn. */
async function build(graph: Graph, load: Load, ports: readonly number[]): Promise<number[]> {
  const locals: number[] = [];
  for (let i = 0; i < load.endpoints; i++) {
    const group = `g${Math.floor(i / load.together)}`;
    const { local } = await graph.endpoint({ id: `e${i}`, owner: 'o/l', group, host: HOST });
    const address = { host: HOST, port: ports[i % ports.length] ?? 0 };
    graph.remote(`e${i}`, {
      address,
      codec: 'PCMU',
      payloadType: 0,
      sends: true,
      receives: true,
      accept: { exact: true },
    });
    locals.push(local.port);
    if (load.together === 2) {
      if (i % 2 === 1) {
        graph.connect(`e${i}`, `e${i - 1}`, true);
        graph.connect(`e${i - 1}`, `e${i}`, true);
      }
      continue;
    }
    await graph.room(`r${group}`, 'o/r', group);
    graph.connect(`e${i}`, `r${group}`, true);
    graph.connect(`r${group}`, `e${i}`, true);
  }
  return locals;
}

/** The generator: every endpoint gets 50 packets a second, spread evenly. */
async function generate(sockets: readonly Socket[], locals: readonly number[], milliseconds: number): Promise<number> {
  const start = performance.now();
  let sent = 0;
  for (let slot = 0; slot * 5 < milliseconds; slot++) {
    for (let i = slot % 4; i < locals.length; i += 4) {
      const packet = Buffer.alloc(172, (i * 37) & 0x7f);
      const frame = slot >> 2;
      writeHeader(packet, frame === 0, 0, frame & 0xffff, frame * 160, i + 1);
      sockets[i % sockets.length]?.send(packet, locals[i] ?? 0, HOST);
      sent++;
    }
    await pause(Math.max(0, start + (slot + 1) * 5 - performance.now()));
  }
  return sent;
}

async function measure(load: Load): Promise<Record<string, string | number>> {
  const sockets: Socket[] = [];
  let back = 0;
  for (let i = 0; i < 8; i++) {
    const socket = await bound();
    socket.on('message', () => back++);
    sockets.push(socket);
  }
  const ports = sockets.map((socket) => socket.address().port);
  const worker = new Worker(new URL(import.meta.url), { workerData: { load, ports } });
  const [locals] = (await once(worker, 'message')) as [number[]];
  await generate(sockets, locals, 500);
  back = 0;
  worker.postMessage('start');
  const sent = await generate(sockets, locals, MEASURE);
  worker.postMessage('stop');
  const [usage] = (await once(worker, 'message')) as [Usage];
  const cameBack = back;
  await worker.terminate();
  for (const socket of sockets) socket.close();
  const late = [...usage.late].sort((a, b) => a - b);
  const at = (share: number): string =>
    late.length === 0 ? '-' : (late[Math.floor(late.length * share)] ?? 0).toFixed(2);
  return {
    load: load.name,
    endpoints: load.endpoints,
    'core %': Number((usage.cpu / MEASURE / 10).toFixed(1)),
    'us/packet in': Number((usage.cpu / sent).toFixed(2)),
    'back %': Number(((100 * cameBack) / sent).toFixed(1)),
    'late p50 ms': at(0.5),
    'late p99 ms': at(0.99),
  };
}

async function main(): Promise<void> {
  const rows = [];
  for (const load of LOADS) rows.push(await measure(load));
  const bare = Number(rows[0]?.['us/packet in']);
  console.table(rows.map((row) => ({ ...row, 'to bare': Number((Number(row['us/packet in']) / bare).toFixed(2)) })));
}
