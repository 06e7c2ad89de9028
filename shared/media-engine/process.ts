/**
 * Entry of the engine process. It listens on a Unix socket (mode 0600, in a folder of mode 0700), takes commands from
 * whoever knows the token of the file beside it, outlives its parent, and ends 60 s after the last parent left, at
 * SIGTERM, or when told to.
 *
 * Its one argument is `EngineProcessOptions` as JSON.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as dial, type Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { Crew } from './crew.ts';
import type { EngineEvent } from './engine.ts';
import type { EngineProcessOptions } from './spawn.ts';
import { type Answer, COMMAND_LIMIT, type Command, type Greeting, Lines, WIRE_VERSION, wireError } from './wire.ts';

/** Parents at one time; one is the rule. */
const CONNECTIONS = 8;
/** A connection must show the token within this long, ms. */
const TOKEN_WITHIN = 2000;
/** Octets that may wait for a parent that does not read; then it is cut off. */
const BACKLOG = 8 * 1024 * 1024;

const options = JSON.parse(process.argv[2] ?? '{}') as EngineProcessOptions;
const { socketPath } = options;
const token = randomBytes(32).toString('hex');
const greeting: Greeting = { version: WIRE_VERSION, low: options.low, high: options.high };
const parents = new Set<Socket>();
let lonely: NodeJS.Timeout | undefined;
let leaving = false;

const workers = options.workers ?? Math.max(1, availableParallelism() - 1);
const crew = new Crew(options, workers, (event: EngineEvent) => {
  for (const parent of parents) send(parent, { event });
});

function send(parent: Socket, answer: Answer): void {
  if (parent.destroyed) return;
  if (parent.writableLength > BACKLOG) parent.destroy();
  else parent.write(`${JSON.stringify(answer)}\n`);
}

/** Takes the socket away, once: the path may belong to the next engine soon. From here on nobody new finds this one. */
function leave(): void {
  if (leaving) return;
  leaving = true;
  rmSync(socketPath, { force: true });
  server.close();
}

function end(): void {
  leave();
  void crew.stop().finally(() => process.exit(0));
}

/** Starts the wait for a parent while there is none. */
function watchAlone(): void {
  clearTimeout(lonely);
  if (parents.size === 0) lonely = setTimeout(end, options.aloneFor);
}

function rightToken(line: string): boolean {
  const shown = Buffer.from(String((JSON.parse(line) as { token?: unknown }).token));
  const wanted = Buffer.from(token);
  return shown.length === wanted.length && timingSafeEqual(shown, wanted);
}

async function obey(parent: Socket, command: Command): Promise<void> {
  try {
    const value = await crew.run(command.do, command.args);
    if (command.do === 'end') leave();
    send(parent, { n: command.n, value });
    if (command.do === 'end') parent.end(end);
  } catch (error) {
    send(parent, { n: command.n, error: wireError(error) });
  }
}

function onParent(socket: Socket): void {
  const lines = new Lines(COMMAND_LIMIT);
  const late = setTimeout(() => socket.destroy(), TOKEN_WITHIN);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    clearTimeout(late);
    parents.delete(socket);
    watchAlone();
  });
  socket.on('data', (data: Buffer) => {
    try {
      const complete = lines.push(data);
      if (complete === undefined) return socket.destroy();
      for (const line of complete) {
        if (parents.has(socket)) void obey(socket, JSON.parse(line) as Command);
        else if (!rightToken(line)) return socket.destroy();
        else {
          clearTimeout(late);
          clearTimeout(lonely);
          parents.add(socket);
          send(socket, { n: 0, value: greeting });
        }
      }
    } catch {
      // What is no JSON is no parent of ours.
      socket.destroy();
    }
    return undefined;
  });
}

/** True where another engine answers on the path. */
function occupied(): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = dial(socketPath);
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
  });
}

const server = createServer(onParent);
server.maxConnections = CONNECTIONS;

process.on('SIGTERM', end);
process.on('SIGINT', end);
process.on('SIGHUP', () => undefined);

mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
chmodSync(dirname(socketPath), 0o700);
// The socket and its token are for this user alone.
process.umask(0o177);
void occupied().then((taken) => {
  if (taken) process.exit(0);
  rmSync(socketPath, { force: true });
  writeFileSync(`${socketPath}.token`, token, { mode: 0o600 });
  server.listen(socketPath, watchAlone);
});
