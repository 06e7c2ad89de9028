import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { endEngine } from '#shared/media-engine/client.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { runDevice } from './main.ts';

/** Whether an engine listens on that path; asking starts none. */
const runs = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => resolve(true));
    socket.on('connect', () => socket.destroy());
    socket.on('error', () => resolve(false));
  });

it('a start that is refused leaves no engine that it has started', async () => {
  const state = mkdtempSync(join(tmpdir(), 'hearthline-device-'));
  const socketPath = engineSocket(`${state}/media`);
  const media = { host: '127.0.0.1', low: 19_200, high: 19_299 };
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => taken.once('listening', done));
  const { port } = taken.address() as { port: number };
  const start = () =>
    runDevice(hostWorld({ level: 'error' }), {
      ...{ state, cloudUrl: '', profile: 'residential-gateway', media },
      ...{ sip: { host: '127.0.0.1', port }, page: { host: '127.0.0.1', port: 0 } },
    });
  try {
    await expect(start()).rejects.toThrow('EADDRINUSE');
    expect(await runs(socketPath)).toBe(false);
  } finally {
    await endEngine(socketPath);
    taken.close();
    rmSync(state, { recursive: true, force: true });
  }
});
