import { describe, expect, it } from 'vitest';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Context, Handlers } from './bus.ts';
import { createBus } from './in-process.ts';
import { BUSY_LIMIT, type BusMessage } from './link.ts';
import { BusDoor, LinkedBus } from './linked.ts';

const SELF: Context = { principal: { kind: 'part', part: 'softswitch' } };

/** A main process's bus and a child's, with plain data between them. */
function rig() {
  const world = new VirtualWorld({ seed: 1 });
  const host = world.host('cloud', ['10.0.0.1']);
  const main = createBus(host);
  const child = new LinkedBus(host);
  let cut = false;
  const waiting = { child: 0 };
  const carry = (take: (message: BusMessage) => void) => (message: BusMessage) => {
    const text = JSON.stringify(message);
    queueMicrotask(() => {
      if (!cut) take(JSON.parse(text) as BusMessage);
    });
  };
  const link = () => {
    cut = false;
    const door: BusDoor = new BusDoor(main, host.clock, { waiting: 0, send: carry((message) => child.take(message)) });
    child.attach({
      get waiting() {
        return waiting.child;
      },
      send: carry((message) => door.take(message)),
    });
    return {
      door,
      cut: () => {
        cut = true;
        child.detach();
        door.close();
      },
    };
  };
  return { world, main, child, waiting, link };
}

const qos = (list: Handlers<'qos'>['qos.list']) => ({ 'qos.list': list }) as unknown as Handlers<'qos'>;
const switches = (list: Handlers<'softswitch'>['channel.list']) =>
  ({ 'channel.list': list }) as unknown as Handlers<'softswitch'>;

describe('a bus over a link', () => {
  it('carries requests both ways, with who asks, and faults as they are', async () => {
    const { main, child, link } = rig();
    const { door } = link();
    const asked: Context[] = [];
    main.serve(
      'qos',
      qos(async (_request, context) => {
        asked.push(context);
        return ok({ items: [] });
      }),
    );
    child.serve(
      'softswitch',
      switches(async () => err(fault('not_found', 'none'))),
    );
    expect(await child.request('qos.list', {}, SELF)).toEqual(ok({ items: [] }));
    expect(asked).toEqual([SELF]);
    expect(await door.request('channel.list', {}, SELF, 1_000)).toEqual(err(fault('not_found', 'none')));
  });

  it('answers its own verbs inside', async () => {
    const { child } = rig();
    child.serve(
      'softswitch',
      switches(async () => ok({ items: [] })),
    );
    expect(await child.request('channel.list', {}, SELF)).toEqual(ok({ items: [] }));
    expect(child.has('softswitch')).toBe(true);
  });

  it('tells an event once to each, in order, whoever publishes it', async () => {
    const { world, main, child, link } = rig();
    const heard: string[] = [];
    child.subscribe('lines.changed', ({ home }) => heard.push(`child ${home}`));
    const { cut } = link();
    await world.run(1);
    main.subscribe('lines.changed', ({ home }) => heard.push(`main ${home}`));
    child.publish('lines.changed', { home: 'a' });
    main.publish('lines.changed', { home: 'b' });
    await world.run(1);
    expect(heard.filter((one) => one.startsWith('child'))).toEqual(['child b', 'child a']);
    expect(heard.filter((one) => one.startsWith('main'))).toEqual(['main b', 'main a']);
    cut();
    child.publish('lines.changed', { home: 'c' });
    main.publish('lines.changed', { home: 'd' });
    link();
    await world.run(1);
    main.publish('lines.changed', { home: 'e' });
    await world.run(1);
    expect(heard.slice(4)).toEqual(['child c', 'main d', 'main e', 'child e']);
  });

  it('without a link, or with one that is full, is server_unavailable at once', async () => {
    const { main, child, waiting, link } = rig();
    main.serve(
      'qos',
      qos(async () => ok({ items: [] })),
    );
    const before = await child.request('qos.list', {}, SELF);
    expect(before).toMatchObject({ ok: false, fault: { code: 'server_unavailable', server: 'qos' } });
    link();
    waiting.child = BUSY_LIMIT;
    expect((await child.request('qos.list', {}, SELF)).ok).toBe(true);
    waiting.child = BUSY_LIMIT + 1;
    const full = await child.request('qos.list', {}, SELF);
    expect(full).toMatchObject({ ok: false, fault: { code: 'server_unavailable' } });
  });

  it('a request under way when the link breaks fails closed; one that nobody answers is late', async () => {
    const { world, main, child, link } = rig();
    main.serve(
      'qos',
      qos(() => new Promise(() => {})),
    );
    const { cut } = link();
    const broken = child.request('qos.list', {}, SELF);
    await world.run(1);
    cut();
    expect(await broken).toMatchObject({ ok: false, fault: { code: 'server_unavailable' } });
    link();
    const late = child.request('qos.list', {}, SELF, 500);
    await world.run(600);
    expect(await late).toMatchObject({ ok: false, fault: { code: 'timeout', server: 'qos' } });
  });

  it('knows the parts that serve from what it is told', async () => {
    const { child } = rig();
    child.take({ on: 'parts', names: ['media', 'qos'] });
    expect([child.has('media'), child.has('billing')]).toEqual([true, false]);
    child.detach();
    expect(child.has('media')).toBe(false);
  });
});
