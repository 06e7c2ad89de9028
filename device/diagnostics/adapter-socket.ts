/**
 * The local way in: a Unix socket in the state folder, for its owner alone (mode 0600 in a folder of 0700). One question is one line of
 * JSON `{verb, body}`, its answer one line `{value}` or `{fault}`; a connection may ask many times.
 */
import { chmod, chown, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import type { Result } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';

/** Connections at once, octets of a question, milliseconds of silence after which a connection is closed. */
export const SOCKET_LIMIT = { connections: 16, question: 64 * 1024, idle: 60_000 } as const;

export type Answerer = (verb: string, body: unknown) => Promise<Result<unknown, Fault>>;

export interface LocalSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** Who may ask beside the owner: the members of a group, by its number. */
export interface SocketGroup {
  readonly group: number;
}

/** Listens; a socket that a killed process left is taken over, one that is in use is an error with words for the operator. */
export async function serveLocal(
  clock: Clock,
  path: string,
  answer: Answerer,
  others?: SocketGroup,
): Promise<LocalSocket> {
  if (await isServed(path)) throw new Error(`Another gateway runs on this state folder (${path}).`);
  await rm(path, { force: true });
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    if (open.size >= SOCKET_LIMIT.connections) return void socket.destroy();
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(clock, socket, answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  server.on('error', () => {});
  if (others === undefined) await chmod(path, 0o600);
  else {
    await chown(path, process.getuid?.() ?? 0, others.group);
    await chmod(path, 0o660);
  }
  return {
    path,
    async close() {
      for (const socket of open) socket.destroy();
      await new Promise((done) => server.close(done));
      await rm(path, { force: true });
    },
  };
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function serve(clock: Clock, socket: Socket, answer: Answerer): void {
  let text = '';
  let queue = Promise.resolve();
  socket.setEncoding('utf8');
  const patience = () => clock.at(clock.mono() + SOCKET_LIMIT.idle, () => socket.destroy());
  let idle = patience();
  socket.on('close', () => idle.cancel());
  socket.on('error', () => socket.destroy());
  socket.on('data', (data: string) => {
    idle.cancel();
    text += data;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > SOCKET_LIMIT.question || lines.some((line) => line.length > SOCKET_LIMIT.question))
      return void socket.destroy();
    for (const line of lines) queue = queue.then(() => reply(socket, line, answer));
    const last = queue;
    // Silence counts from the last answer on: some take long.
    void last.then(() => {
      if (last !== queue || socket.destroyed) return;
      idle.cancel();
      idle = patience();
    });
  });
}

async function reply(socket: Socket, line: string, answer: Answerer): Promise<void> {
  const question = read(line);
  if (question === undefined) return void socket.destroy();
  const outcome = await answer(question.verb, question.body);
  if (!socket.destroyed)
    socket.write(`${JSON.stringify(outcome.ok ? { value: outcome.value } : { fault: outcome.fault })}\n`);
}

function read(line: string): { verb: string; body: unknown } | undefined {
  try {
    const { verb, body = {} } = JSON.parse(line) as { verb?: unknown; body?: unknown };
    return typeof verb === 'string' ? { verb, body } : undefined;
  } catch {
    return undefined;
  }
}
