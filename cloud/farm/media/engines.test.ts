import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { Part, PartContext } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import { ok } from '#shared/kernel/result.ts';
import { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import { engineSocket } from '#shared/media-engine/spawn.ts';
import { match } from '#shared/rtp/measure.ts';
import { makeAnswer, readRemote } from '#shared/sip/offer-answer.ts';
import { processEngine } from './engines.ts';
import { synthesise } from './library/synthesis.ts';
import { createMediaServer } from './server.ts';

const asPart: Context = { principal: { kind: 'part', part: 'softswitch' } };

/** A media server on an engine process of its own. */
async function rig(run: (context: PartContext, server: Part) => Promise<void>, host = '127.0.0.1'): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'hearthline-media-'));
  const world = hostWorld();
  const context: PartContext = {
    world,
    bus: createBus(world),
    store: openLocalStore(':memory:'),
    config: { data, media: { host, low: 19_000, high: 19_099 }, publicHost: host } as never,
  };
  context.bus.serve('session-manager', { 'leg.report': async () => ok({}) } as never);
  try {
    await run(context, createMediaServer(processEngine));
  } finally {
    await (await processEngine(context)).close(true);
    await context.store.close();
    rmSync(data, { recursive: true, force: true });
  }
}

it('plays a shipped file through the engine process, which outlives a restart of the media server', async () => {
  await rig(async (context, server) => {
    let part = await server.start(context);
    const peer = await RtpPeer.open(context.world, '127.0.0.1');
    const owner = { session: 'ses_1', leg: 'leg_1' };
    await context.bus.request('media.prepare', { ...owner, item: 'welcome' }, asPart);
    const offered = await context.bus.request('media.endpoint.offer', owner, asPart);
    if (!offered.ok) throw new Error(offered.fault.code);
    const sdp = makeAnswer(offered.value.sdp, { address: peer.local, sessionId: 1, codecs: ['PCMA'] }) ?? '';
    await context.bus.request('media.endpoint.accept', { endpoint: offered.value.endpoint, sdp }, asPart);
    peer.target = readRemote(offered.value.sdp)?.address;
    await context.bus.request('media.start', owner, asPart);
    await part.stop();
    part = await server.start(context);
    expect(part.health().legs).toBe(1);
    while (peer.heard().length < 40_000) await new Promise((resolve) => setTimeout(resolve, 50));
    const piece = (synthesise('welcome') ?? new Int16Array(0)).subarray(8000, 16_000);
    expect(match(peer.heard().subarray(0, 30_000), piece).correlation).toBeGreaterThan(0.97);
    await context.bus.request('media.stop', owner, asPart);
    await context.bus.request('media.endpoint.release', owner, asPart);
    await peer.close();
    await part.stop();
  });
});

describe('a start that is refused', () => {
  const refused = (context: PartContext) =>
    ({ ...context, config: { ...context.config, holdMusic: '/nowhere.wav' } }) as PartContext;
  /** Whether an engine of this folder listens; asking starts none. */
  const runs = ({ config }: PartContext): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(engineSocket(`${config.data}/media`), () => resolve(true));
      socket.on('connect', () => socket.destroy());
      socket.on('error', () => resolve(false));
    });

  it('leaves no engine that it has started', async () => {
    await rig(async (context, server) => {
      await expect(server.start(refused(context))).rejects.toThrow('--hold-music: /nowhere.wav');
      expect(await runs(context)).toBe(false);
    });
  });

  it('leaves the calls of before their engine', async () => {
    await rig(async (context, server) => {
      const part = await server.start(context);
      await context.bus.request('media.endpoint.offer', { session: 'ses_1', leg: 'leg_1' }, asPart);
      await part.stop();
      await expect(server.start(refused(context))).rejects.toThrow('--hold-music: /nowhere.wav');
      expect(await runs(context)).toBe(true);
      const again = await server.start(context);
      expect(again.health().legs).toBe(1);
      await again.stop();
    });
  });
});

it('does not start on an address that is none of this machine’s', async () => {
  await rig(async (context, server) => {
    await expect(server.start(context)).rejects.toThrow('--media: 192.0.2.1');
  }, '192.0.2.1');
});
