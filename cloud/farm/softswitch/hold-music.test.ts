/** Which sides give music, and what the media server is told of it, in which order. */
import { afterAll, describe, expect, test } from 'vitest';
import type { Handlers } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type SqlValue, type Store, sql } from '#cloud/store/store.ts';
import { CALLER } from '#shared/call/call.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { HoldMusic } from './hold-music.ts';
import { type Live, newLive } from './live.ts';

const world = new VirtualWorld({ seed: 1 });
const { clock, log } = world.host('cloud', ['10.0.0.1']);
const store = openLocalStore(':memory:');
afterAll(() => store.close());

const line = (id: string, home = 'home_1') => ({ id, home }) as LineRow;
const set = (id: string, body: object, home = 'home_1') =>
  store.commit([
    sql(
      'INSERT INTO line_feature (line, home, body, stamps, changed_at) VALUES (?, ?, ?, ?, 0) ON CONFLICT (line) DO UPDATE SET body = excluded.body',
      ...[id, home, JSON.stringify(body), '{}'],
    ),
  ]);
const call = (more: Partial<Live> = {}): Live =>
  newLive({
    ...{ id: 'chn_1', caller: { number: '+1' }, direct: true, open: false, dialled: '+2', callId: 'x', startedAt: 0 },
    ...more,
  });

/** With a media server that takes what `takes` says and writes down all that it is told. */
function rig({ config = {}, media = true, takes = (): boolean => true, disk = (): boolean => true } = {}) {
  const bus = createBus({ log, clock });
  const told: string[] = [];
  const answer = (text: string) => {
    told.push(text);
    return Promise.resolve(takes() ? ok({}) : err(fault('limit_reached')));
  };
  if (media) {
    const some: Pick<Handlers<'media'>, 'media.tone' | 'media.endpoint.connect'> = {
      'media.tone': ({ endpoint, tone }) => answer(`${endpoint} ${tone}`),
      'media.endpoint.connect': ({ from, to, connected }) => answer(`${from} ${to} ${connected}`),
    };
    bus.serve('media', some as Handlers<'media'>);
  }
  let saved = 0;
  const save = () => (disk() ? Promise.resolve(void saved++) : Promise.reject(new Error('disk full')));
  const snapshots = { save };
  /** What the next readings wait for, once they have read. */
  const readings: Promise<void>[] = [];
  const reader: Pick<Store, 'all'> = {
    async all<T extends object>(text: string, params: readonly SqlValue[] = []) {
      const wait = readings.shift();
      const rows = await store.all<T>(text, params);
      await wait;
      return rows;
    },
  };
  const music = new HoldMusic({ bus, store: reader, config, log, snapshots });
  return { music, bus, told, readings, saved: () => saved };
}

describe('a side gives music', () => {
  const help = { number: '112', service: 'urn:service:sos' } as Live['help'];
  test.each<[string, boolean, Partial<Live>, Parameters<typeof rig>[0]]>([
    ['of a line', true, { line: line('line_1') }, {}],
    ['of no line: a trunk', false, {}, {}],
    ['in a call for help', false, { line: line('line_1'), help }, {}],
    ['of a line that wants none', false, { line: line('line_2') }, {}],
    ['where the operator has a melody of his own', true, { line: line('line_1') }, { config: { holdMusic: '/x.wav' } }],
    ['where the operator wants none', false, { line: line('line_1') }, { config: { holdMusic: 'none' } }],
    ['where no media server is', false, { line: line('line_1') }, { media: false }],
  ])('%s: %s', async (_what, gives, more, options) => {
    await set('line_2', { noHoldMusic: true });
    const { music } = rig(options);
    const leave = await world.settle(music.begin());
    expect(music.plays(call(more), CALLER)).toBe(gives);
    leave();
  });

  test('as its line has it by now, and no other home’s', async () => {
    const { music, bus } = rig();
    await set('line_3', { noHoldMusic: true });
    await set('line_4', { noHoldMusic: true }, 'home_2');
    const leave = await world.settle(music.begin());
    const gives = (id: string, home?: string) => music.plays(call({ line: line(id, home) }), CALLER);
    expect([gives('line_3'), gives('line_4', 'home_2')]).toEqual([false, false]);
    await set('line_3', { doNotDisturb: true });
    await set('line_4', {}, 'home_2');
    bus.publish('features.changed', { home: 'home_1' });
    await world.run(10);
    expect([gives('line_3'), gives('line_4', 'home_2')]).toEqual([true, false]);
    leave();
  });

  test('as the newest reading has it, where an older one takes longer', async () => {
    const { music, bus, readings } = rig();
    await set('line_5', {}, 'home_5');
    const leave = await world.settle(music.begin());
    const slow = Promise.withResolvers<void>();
    readings.push(slow.promise);
    bus.publish('features.changed', { home: 'home_5' });
    await world.run(10);
    await set('line_5', { noHoldMusic: true }, 'home_5');
    bus.publish('features.changed', { home: 'home_5' });
    await world.run(10);
    slow.resolve();
    await world.run(10);
    expect(music.plays(call({ line: line('line_5', 'home_5') }), CALLER)).toBe(false);
    leave();
  });

  test('as the next reading has it, where one failed', async () => {
    const { music, bus, readings } = rig();
    await set('line_6', {}, 'home_6');
    const leave = await world.settle(music.begin());
    await set('line_6', { noHoldMusic: true }, 'home_6');
    readings.push(Promise.reject(new Error('disk')));
    for (let n = 0; n < 2; n++) bus.publish('features.changed', { home: 'home_6' });
    await world.run(10);
    expect(music.plays(call({ line: line('line_6', 'home_6') }), CALLER)).toBe(false);
    leave();
  });
});

describe('the media server is told', () => {
  const up = (): Live => {
    const live = call();
    live.state.at = 'up';
    return live;
  };
  const one = (on: boolean) => ({ do: 'music', party: 'b1', leg: 'B', from: 'A', on }) as const;
  const endpointOf = (leg: string) => Promise.resolve(`ep_${leg}`);

  test('to play in the place of the holder, and to join the two again, one after the other', async () => {
    const { music, told, saved } = rig();
    const live = up();
    expect(music.settled(live)).toBeUndefined();
    void music.change(live, one(true), endpointOf);
    void music.change(live, one(false), endpointOf);
    await world.settle(music.settled(live) ?? Promise.resolve());
    expect(told).toEqual([
      ...['ep_B music', 'ep_A ep_B false', 'ep_B ep_A true'],
      ...['ep_B none', 'ep_A ep_B true', 'ep_B ep_A true'],
    ]);
    expect(saved()).toBe(2);
  });

  test('and where it does not play, the two stay joined', async () => {
    let asked = 0;
    const { music, told } = rig({ takes: () => asked++ > 0 });
    await world.settle(music.change(up(), one(true), endpointOf));
    expect(told).toEqual(['ep_B music', 'ep_A ep_B true', 'ep_B ep_A true']);
  });

  test('of the end of the music too where the disk did not take its beginning', async () => {
    let full = true;
    const { music, told, saved } = rig({ disk: () => !full });
    const live = up();
    await world.settle(music.change(live, one(true), endpointOf));
    // Whoever releases an endpoint or parts the call waits for this.
    await world.settle(music.settled(live) ?? Promise.resolve());
    full = false;
    await world.settle(music.change(live, one(false), endpointOf));
    expect(told.slice(3)).toEqual(['ep_B none', 'ep_A ep_B true', 'ep_B ep_A true']);
    expect(saved()).toBe(1);
  });

  test('nothing of a call that has ended meanwhile, or that it does not know', async () => {
    const { music, told, saved } = rig();
    const live = up();
    const work = music.change(live, one(true), endpointOf);
    live.state.at = 'ending';
    await world.settle(work);
    await world.settle(music.change(up(), one(true), () => Promise.resolve(undefined)));
    expect([told, saved()]).toEqual([[], 0]);
  });
});
