import { afterEach, describe, expect, test } from 'vitest';
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { eventStream, HEARTBEAT } from './event-stream.ts';

const PAGE = 2;
const asked: Context = { principal: { kind: 'part', part: 'application-server' } };

const worlds: VirtualWorld[] = [];
afterEach(() => {
  for (const world of worlds.splice(0)) world[Symbol.dispose]();
});

/** A journal of `length` events behind the two verbs that a stream reads; the session ends with the last when `over`. */
function rig(length: number, over: boolean) {
  const virtual = new VirtualWorld({ seed: 1 });
  worlds.push(virtual);
  const world = virtual.host('cloud', ['10.0.0.1']);
  const bus = createBus(world);
  const journal = { length, over, reads: 0, addWhenAsked: 0 };
  const page = (after: number): VerbReply<'session.events'> => ({
    items: Array.from({ length: Math.min(PAGE, Math.max(0, journal.length - after)) }, (_, i) => {
      return { seq: after + i + 1, session: 'ses_1', at: 0, type: 'noted', data: {} };
    }),
  });
  const handlers: Partial<Handlers<'session-manager'>> = {
    'session.events': async ({ after = 0 }) => {
      journal.reads++;
      return ok(page(after));
    },
    'session.get': async () => {
      journal.length += journal.addWhenAsked;
      journal.addWhenAsked = 0;
      const state = journal.over ? 'ended' : 'active';
      return ok({ id: 'ses_1', kind: 'call', state, createdAt: 0, legs: [], request: {}, instructions: [] });
    },
  };
  bus.serve('session-manager', handlers as Handlers<'session-manager'>);
  const stream = eventStream({ bus, world }, async () => asked, 'ses_1', 0, page(0));
  return { virtual, bus, journal, stream };
}

const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

/** Everything that a stream sends until it ends. */
async function whole({ stream }: ReturnType<typeof rig>): Promise<string> {
  let text = '';
  for await (const chunk of stream.chunks) text += chunk;
  return text;
}

describe('eventStream', () => {
  test('sends every event once, in order, and ends with the session', async () => {
    const it = rig(7, true);
    expect(ids(await it.virtual.settle(whole(it)))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('an event that comes between the last page and the end is not lost', async () => {
    const it = rig(2, true);
    it.journal.addWhenAsked = 1;
    expect(ids(await it.virtual.settle(whole(it)))).toEqual([1, 2, 3]);
  });

  test('reads no further than its reader takes', async () => {
    const it = rig(10_000, false);
    await it.virtual.run(10 * HEARTBEAT);
    expect(it.journal.reads).toBe(0);
    for (let chunk = 0; chunk < 3; chunk++) {
      await it.virtual.settle(it.stream.chunks.next());
      for (let i = 0; i < 100; i++) it.bus.publish('session.changed', { session: 'ses_1', seq: 10_000 });
      await it.virtual.run(10 * HEARTBEAT);
      expect(it.journal.reads).toBeLessThanOrEqual(chunk);
    }
  });

  test('closed while it waits: it ends at once and hears no more', async () => {
    const it = rig(1, false);
    const read = whole(it);
    await it.virtual.run(100);
    it.stream.close();
    expect(ids(await read)).toEqual([1]);
    const before = it.journal.reads;
    it.bus.publish('session.changed', { session: 'ses_1', seq: 2 });
    await it.virtual.run(HEARTBEAT);
    expect(it.journal.reads).toBe(before);
  });

  test('other sessions do not wake it; its own does, and silence brings a comment', async () => {
    const it = rig(1, false);
    const read = whole(it);
    await it.virtual.run(100);
    const before = it.journal.reads;
    it.bus.publish('session.changed', { session: 'ses_2', seq: 1 });
    await it.virtual.run(100);
    expect(it.journal.reads).toBe(before);
    it.journal.length = 2;
    it.bus.publish('session.changed', { session: 'ses_1', seq: 2 });
    await it.virtual.run(100);
    expect(it.journal.reads).toBeGreaterThan(before);
    await it.virtual.run(HEARTBEAT);
    it.stream.close();
    const text = await read;
    expect(ids(text)).toEqual([1, 2]);
    expect(text).toContain(': still here');
  });
});
