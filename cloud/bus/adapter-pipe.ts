/** A link's pipe over a socket of Node. */
import type { Socket } from 'node:net';
import type { Clock } from '#shared/kernel/world.ts';
import { BACKLOG_LIMIT, FRAME_LIMIT, Frames, type Pipe } from './link.ts';

/** Milliseconds between two writes while there is much to say: each has its price, in both processes, however much it carries. */
const PACE = 5;

interface Handlers<M> {
  message(message: M): void;
  closed(): void;
}

/** Takes charge of the socket. What is no frame of ours ends it. */
export function socketPipe<M>(socket: Socket, clock: Clock): Pipe<M> {
  const frames = new Frames();
  let handlers: Handlers<M> | undefined;
  let early: M[] = [];
  let batch: M[] = [];
  let closed = false;
  let wrote = Number.NEGATIVE_INFINITY;

  function flush(): void {
    const messages = batch;
    batch = [];
    if (closed || messages.length === 0) return;
    wrote = clock.mono();
    const frame = frameOf(messages);
    if (frame === undefined || socket.writableLength > BACKLOG_LIMIT) socket.destroy();
    else socket.write(frame);
  }

  function take(message: M): void {
    if (handlers === undefined) early.push(message);
    else handlers.message(message);
  }

  socket.on('error', () => socket.destroy());
  socket.on('close', () => {
    closed = true;
    handlers?.closed();
  });
  socket.on('data', (data) => {
    const whole = frames.push(data as Buffer);
    if (whole === undefined) return void socket.destroy();
    for (const frame of whole) {
      const messages = read<M>(frame);
      if (messages === undefined) return void socket.destroy();
      for (const message of messages) take(message);
    }
  });
  return {
    send(message) {
      if (closed) return;
      batch.push(message);
      if (batch.length > 1) return;
      const due = wrote + PACE;
      if (clock.mono() >= due) setImmediate(flush);
      else clock.at(due, flush);
    },
    get waiting() {
      return socket.writableLength;
    },
    close() {
      flush();
      socket.end();
    },
    handle(next) {
      handlers = next;
      for (const message of early.splice(0)) next.message(message);
      early = [];
      if (closed) next.closed();
    },
  };
}

/** Octets of a frame that holds these messages; undefined where they are too many. */
function frameOf(messages: readonly unknown[]): Uint8Array | undefined {
  const text = JSON.stringify(messages);
  const length = Buffer.byteLength(text);
  if (length > FRAME_LIMIT) return undefined;
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length);
  frame.write(text, 4);
  return frame;
}

function read<M>(frame: Uint8Array): M[] | undefined {
  try {
    const messages: unknown = JSON.parse(Buffer.from(frame.buffer, frame.byteOffset, frame.length).toString('utf8'));
    return Array.isArray(messages) ? messages : undefined;
  } catch {
    return undefined;
  }
}
