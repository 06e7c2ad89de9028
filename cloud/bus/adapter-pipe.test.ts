import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostClock } from '#shared/host/clock.ts';
import { socketPipe } from './adapter-pipe.ts';
import { BACKLOG_LIMIT, type Pipe } from './link.ts';

const clock = hostClock();
let folder: string;
let server: Server;
let ours: Socket;
let theirs: Socket;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-pipe-'));
  server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  ours = connect(join(folder, 's'));
  [theirs] = (await accepted) as [Socket];
});
afterEach(() => {
  ours.destroy();
  theirs.destroy();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function heard(pipe: Pipe<unknown>) {
  const messages: unknown[] = [];
  const closed = Promise.withResolvers<void>();
  pipe.handle({ message: (message) => messages.push(message), closed: () => closed.resolve() });
  return { messages, closed: closed.promise };
}

describe('a pipe', () => {
  it('brings everything in order, also what came before somebody listened, and what was said last', async () => {
    const [a, b] = [socketPipe<unknown>(ours, clock), socketPipe<unknown>(theirs, clock)];
    for (let i = 0; i < 100; i++) a.send({ i, text: 'ü'.repeat(i) });
    await new Promise((resolve) => setImmediate(resolve));
    a.send('next');
    a.send('last');
    a.close();
    await once(theirs, 'end');
    const { messages, closed } = heard(b);
    await closed;
    expect(messages).toHaveLength(102);
    expect([messages[99], ...messages.slice(100)]).toEqual([{ i: 99, text: 'ü'.repeat(99) }, 'next', 'last']);
  });

  it.each([
    ['no JSON', '{'],
    ['no list', '{}'],
  ])('ends where what comes is %s', async (_name, text) => {
    const { messages, closed } = heard(socketPipe<unknown>(ours, clock));
    const frame = Buffer.concat([Buffer.of(0, 0, 0, text.length), Buffer.from(text)]);
    theirs.write(frame);
    await closed;
    expect(messages).toEqual([]);
  });

  it('ends where its peer lets too much wait', async () => {
    const pipe = socketPipe<unknown>(ours, clock);
    const { closed } = heard(pipe);
    theirs.pause();
    const text = 'x'.repeat(16 * 1024 * 1024);
    let most = 0;
    for (let i = 0; i < 8 && !ours.destroyed; i++) {
      most = Math.max(most, ours.writableLength);
      pipe.send(text);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await closed;
    expect(most).toBeGreaterThan(BACKLOG_LIMIT);
  });
});
