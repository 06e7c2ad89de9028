import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { err, ok } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Context, Handlers } from './bus.ts';
import { createBus, type InProcessBus, REQUEST_TIMEOUT } from './in-process.ts';

let virtual: VirtualWorld;
let world: World;
let bus: InProcessBus;
let lines: string[];
const SELF: Context = { principal: { kind: 'part', part: 'qos' } };

beforeEach(() => {
  lines = [];
  virtual = new VirtualWorld({ seed: 1, log: (line) => lines.push(line) });
  world = virtual.host('cloud', ['10.0.0.1']);
  bus = createBus({ log: world.log, clock: world.clock });
});
afterEach(() => virtual[Symbol.dispose]());

const qosWith = (list: Handlers<'qos'>['qos.list']): Handlers<'qos'> => {
  const some: Partial<Handlers<'qos'>> = {
    'qos.list': list,
    'qos.reserve': async () => err(fault('uplink_full')),
    'qos.release': async () => ok({}),
    'qos.mark': async () => ok({ marked: false }),
  };
  return some as Handlers<'qos'>;
};
const ask = () => virtual.settle(bus.request('qos.list', {}, SELF));

describe('requests', () => {
  it('reach the part that serves the verb and come back as its outcome', async () => {
    bus.serve(
      'qos',
      qosWith(async () => ok({ items: [] })),
    );
    expect(await ask()).toEqual(ok({ items: [] }));
    const refused = await virtual.settle(
      bus.request('qos.reserve', { session: 's', leg: 'l', home: 'h', kbits: 1, kind: 'voice' }, SELF),
    );
    expect(refused).toEqual(err({ code: 'uplink_full' }));
  });

  it('name the part that is away, before it serves and after it left', async () => {
    const gone = { ok: false, fault: { code: 'server_unavailable', server: 'qos' } };
    expect(await ask()).toMatchObject(gone);
    const leave = bus.serve(
      'qos',
      qosWith(async () => ok({ items: [] })),
    );
    expect(bus.has('qos')).toBe(true);
    leave();
    expect(bus.has('qos')).toBe(false);
    expect(await ask()).toMatchObject(gone);
  });

  it('are answered at once where the part knows at once and who asks can take it', async () => {
    const asked = () => bus.ask('qos.list', {}, SELF);
    expect(asked()).toMatchObject({ ok: false, fault: { code: 'server_unavailable' } });
    let list: Handlers<'qos'>['qos.list'] = () => ok({ items: [] });
    bus.serve(
      'qos',
      qosWith((request, context) => list(request, context)),
    );
    expect(asked()).toEqual(ok({ items: [] }));
    expect(await ask()).toEqual(ok({ items: [] }));
    list = () => {
      throw new Error('broken');
    };
    expect(asked()).toMatchObject({ ok: false, fault: { code: 'internal' } });
    list = async () => ok({ items: [] });
    const later = asked();
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toEqual(ok({ items: [] }));
    const counts = bus.counts().map(({ outcome, count }) => [outcome, count]);
    expect(counts).toEqual([
      ['ok', 3],
      ['server_unavailable', 1],
      ['internal', 1],
    ]);
  });

  it('can be changed by neither side, nor can their replies', async () => {
    const items = [{ session: 's', leg: 'l', home: 'h', kbits: 1 }];
    const got: object[] = [];
    bus.serve(
      'qos',
      qosWith(async (request, context) => {
        got.push(request, context, context.principal);
        return ok({ items });
      }),
    );
    const outcome = await ask();
    if (!outcome.ok) throw new Error('expected ok');
    expect(() => Object.assign(outcome.value.items[0] ?? {}, { kbits: 99 })).toThrow(TypeError);
    expect(() => items.push({ session: 't', leg: 'l', home: 'h', kbits: 1 })).toThrow(TypeError);
    expect(got.map((one) => Object.isFrozen(one))).toEqual([true, true, true]);
  });

  it('that carry what is no data are a bug of their part', async () => {
    const say = (() => 'hello') as unknown as string;
    bus.serve(
      'qos',
      qosWith(async () => ok({ items: [{ session: say, leg: 'l', home: 'h', kbits: 1 }] })),
    );
    expect(await ask()).toMatchObject({ ok: false, fault: { code: 'internal' } });
  });

  it('pass as they are where everybody is trusted', async () => {
    const trusting = createBus({ log: world.log, clock: world.clock }, { trusting: true });
    const items = [{ session: 's', leg: 'l', home: 'h', kbits: 1 }];
    trusting.serve(
      'qos',
      qosWith(async () => ok({ items })),
    );
    const outcome = await virtual.settle(trusting.request('qos.list', {}, SELF));
    expect(outcome.ok && outcome.value.items).toBe(items);
    expect(Object.isFrozen(items)).toBe(false);
  });

  it('end as timeout when the part is late, and drop its late reply', async () => {
    bus.serve(
      'qos',
      qosWith(async () => {
        await sleep(world.clock, REQUEST_TIMEOUT * 2);
        return ok({ items: [] });
      }),
    );
    const outcome = bus.request('qos.list', {}, SELF);
    expect(await virtual.settle(outcome)).toMatchObject({ ok: false, fault: { code: 'timeout', server: 'qos' } });
    expect(virtual.now).toBe(REQUEST_TIMEOUT);
    await virtual.run(REQUEST_TIMEOUT * 2);
    expect(bus.counts().map((one) => [one.verb, one.outcome, one.count])).toEqual([['qos.list', 'timeout', 1]]);
  });

  it('turn a handler that throws into `internal`, with the cause in the log alone', async () => {
    bus.serve(
      'qos',
      qosWith(async () => {
        throw new Error('boom secret');
      }),
    );
    const outcome = await ask();
    expect(outcome).toMatchObject({ ok: false, fault: { code: 'internal' } });
    expect(JSON.stringify(outcome)).not.toContain('secret');
    expect(lines.join()).toContain('boom secret');
  });

  it('are counted by verb and outcome, with the time they took', async () => {
    bus.serve(
      'qos',
      qosWith(async () => {
        await sleep(world.clock, 5);
        return ok({ items: [] });
      }),
    );
    await ask();
    await ask();
    expect(bus.counts()).toEqual([{ verb: 'qos.list', outcome: 'ok', count: 2, milliseconds: 10 }]);
  });

  it('go to one part only: a second one of the same name is a bug', () => {
    bus.serve(
      'qos',
      qosWith(async () => ok({ items: [] })),
    );
    expect(() =>
      bus.serve(
        'qos',
        qosWith(async () => ok({ items: [] })),
      ),
    ).toThrow('qos');
  });
});

describe('events', () => {
  const farm = (state: string) => ({ server: 'qos', state });

  it('reach every subscriber in order and never inside the publisher’s call', async () => {
    const seen: string[] = [];
    bus.subscribe('farm.changed', ({ state }) => seen.push(`a${state}`));
    bus.subscribe('farm.changed', ({ state }) => seen.push(`b${state}`));
    bus.publish('farm.changed', farm('1'));
    bus.publish('farm.changed', farm('2'));
    expect(seen).toEqual([]);
    await virtual.run(0);
    expect(seen).toEqual(['a1', 'b1', 'a2', 'b2']);
  });

  it('harm no other subscriber when one throws or would change them', async () => {
    const seen: object[] = [];
    bus.subscribe('farm.changed', (data) => Object.assign(data, { state: 'changed' }));
    bus.subscribe('farm.changed', (data) => seen.push(data));
    bus.subscribe('farm.changed', (data) => seen.push(data));
    bus.publish('farm.changed', farm('1'));
    await virtual.run(0);
    expect(seen).toEqual([farm('1'), farm('1')]);
    expect(lines.join()).toContain('bus.subscriber-failed');
  });

  it('stop at once for a subscriber that left, even those on their way', async () => {
    const seen: string[] = [];
    const leave = bus.subscribe('farm.changed', ({ state }) => seen.push(state));
    bus.publish('farm.changed', farm('1'));
    leave();
    await virtual.run(0);
    expect(seen).toEqual([]);
  });
});
