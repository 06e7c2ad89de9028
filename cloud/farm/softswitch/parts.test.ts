/** The small parts of the softswitch: where phones are, what lines are known, whose RTP is taken, what is told later. */
import { describe, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Lines } from './lines.ts';
import type { Live } from './live.ts';
import { isOpen, Location } from './location.ts';
import { rtpHost, sourceOf } from './media.ts';
import { Reporter } from './reporter.ts';

const line = (id: string): LineRow => ({
  ...{ id, home: 'home_1', number: `+1555010000${id.at(-1)}`, username: `u${id.at(-1)}`, name: null },
  ...{ class: 'standard', kind: 'phone', ha1_md5: '', ha1_sha256: '', created_at: 0 },
});
const flow = (id: string, protocol: Flow['protocol'] = 'tls', host = '10.0.0.9'): Flow => ({
  ...{ id, protocol, local: { host: '10.0.0.1', port: 5061 }, remote: { host, port: 40_000 }, peer: { kind: 'none' } },
});
let seq = 0;
const register = (contact: string, expires = 300) =>
  newRequest('REGISTER', 'sip:x', [
    ['From', '<sip:u1@x>;tag=1'],
    ['To', '<sip:u1@x>'],
    ['Call-ID', 'c'],
    ['CSeq', `${++seq} REGISTER`],
    ['Contact', `<${contact}>`],
    ['Expires', String(expires)],
  ]);

describe('location', () => {
  test('several phones of a line, direct and behind a gateway', () => {
    const location = new Location();
    location.register(line('line_1'), register('sip:a@10.0.0.9:1'), { flow: flow('f1', 'udp') }, 0);
    location.register(line('line_1'), register('sip:b@10.0.0.8'), { flow: flow('f2'), gateway: 'gw_1' }, 0);
    expect(location.contacts('line_1', 0).map(({ uri, gateway, open }) => [uri, gateway, open])).toEqual([
      ['sip:a@10.0.0.9:1', undefined, true],
      ['sip:b@10.0.0.8', 'gw_1', false],
    ]);
    expect(location.list(undefined, 0)).toEqual([{ line: 'line_1', contacts: 2, direct: true, gateway: 'gw_1' }]);
    expect(location.list(['line_2'], 0)).toEqual([]);
    expect(location.datagram('line_1').map(({ binding }) => binding.uri)).toEqual(['sip:a@10.0.0.9:1']);
  });

  test('a lost flow, the end of time and Expires 0 take bindings away, and leave nothing', () => {
    const location = new Location();
    location.register(line('line_1'), register('sip:a@h'), { flow: flow('f1') }, 0);
    location.register(line('line_2'), register('sip:b@h', 600), { flow: flow('f1') }, 0);
    location.register(line('line_3'), register('sip:c@h'), { flow: flow('f2') }, 0);
    location.lost(flow('f1'));
    expect(location.list(undefined, 0).map((one) => one.line)).toEqual(['line_3']);
    expect(location.contacts('line_3', 300_000)).toEqual([]);
    location.sweep(300_001);
    expect(location.size).toBe(0);
    location.register(line('line_1'), register('sip:a@h'), { flow: flow('f1') }, 0);
    location.register(line('line_1'), register('sip:a@h', 0), { flow: flow('f1') }, 0);
    expect(location.size).toBe(0);
  });

  test.each([
    ['sip:a@10.0.0.9:5060', true],
    ['sip:a@192.168.1.2', false],
    ['junk', false],
    [undefined, false],
  ])('a Contact %s shows the true address: %s', (contact, expected) => {
    expect(isOpen(contact, flow('f'))).toBe(expected);
  });
});

describe('whose RTP is taken', () => {
  const sdp = (host: string) =>
    `v=0\r\no=- 1 1 IN IP4 ${host}\r\ns=-\r\nc=IN IP4 ${host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`;
  test.each([
    ['a gateway: its flow’s address, whatever it says', '10.0.0.9', true, '203.0.113.7', '10.0.0.9'],
    ['the address that the SDP names is the phone’s own', '203.0.113.5', false, '203.0.113.5', undefined],
    ['a private address behind a public one', '203.0.113.5', false, '192.168.1.2', '203.0.113.5'],
    ['carrier-grade NAT', '203.0.113.5', false, '100.64.0.2', '203.0.113.5'],
    ['172.16/12 ends at 172.31', '203.0.113.5', false, '172.31.0.2', '203.0.113.5'],
    ['172.32 is public', '203.0.113.5', false, '172.32.0.2', undefined],
    ['a phone on this machine', '127.0.0.1', false, '203.0.113.6', '127.0.0.1'],
    ['another public address is a media server of its own', '203.0.113.5', false, '203.0.113.6', undefined],
  ])('%s', (_name, remote, gateway, named, expected) => {
    expect(sourceOf(remote, gateway, sdp(named))).toBe(expected);
  });

  test('a private IPv6 address', () => {
    const v6 = (host: string) => sdp('x').replaceAll('IN IP4 x', `IN IP6 ${host}`);
    expect(rtpHost(v6('fd00::2'))).toBe('fd00::2');
    for (const host of ['fd00::2', 'fe80::2', 'febf::2', '::1'])
      expect(sourceOf('2001:db8::1', false, v6(host))).toBe('2001:db8::1');
    expect(sourceOf('2001:db8::1', false, v6('2001:db8::2'))).toBeUndefined();
    expect(rtpHost('junk')).toBeUndefined();
  });
});

describe('lines in memory', () => {
  const open = async (limit?: number) => {
    const store = openLocalStore(':memory:');
    let reads = 0;
    const counting = {
      ...store,
      one: ((...args: Parameters<typeof store.one>) => {
        reads++;
        return store.one(...args);
      }) as typeof store.one,
    };
    await store.commit([insert('line_1', '+15550100001', 'u1')]);
    return { store, lines: new Lines(counting, limit), reads: () => reads };
  };
  const insert = (id: string, number: string, username: string) =>
    sql(
      "INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, 'home_1', ?, ?, NULL, 'standard', 'phone', '', '', 0)",
      ...[id, number, username],
    );

  test('are found by number in any writing, username and id, and read once', async () => {
    const { lines, reads } = await open();
    for (const user of ['+15550100001', '5550100001', 'u1', 'line_1'])
      expect((await lines.byUser(user))?.id).toBe('line_1');
    const before = reads();
    for (const user of ['+15550100001', 'u1', 'line_1']) await lines.byUser(user);
    expect(reads()).toBe(before);
    expect(await lines.byUser('nobody')).toBeUndefined();
  });

  test('a change of the home’s lines is seen at once, also where there was none', async () => {
    const { store, lines } = await open();
    await lines.byUser('u1');
    expect(await lines.byUser('u2')).toBeUndefined();
    await store.commit([sql("DELETE FROM line WHERE id = 'line_1'"), insert('line_2', '+15550100002', 'u2')]);
    expect((await lines.byUser('u1'))?.id).toBe('line_1');
    lines.forget('home_1');
    expect(await lines.byUser('u1')).toBeUndefined();
    expect((await lines.byUser('u2'))?.id).toBe('line_2');
  });

  test('what was read while a change came is not kept', async () => {
    const { lines, reads } = await open();
    const reading = lines.byId('line_1');
    lines.forget('home_1');
    await reading;
    const before = reads();
    await lines.byId('line_1');
    expect(reads()).toBe(before + 1);
  });

  test('the oldest name gives way', async () => {
    const { lines, reads } = await open(2);
    for (const user of ['u1', 'a', 'b']) await lines.byUser(user);
    const before = reads();
    await lines.byUser('b');
    expect(reads()).toBe(before);
    await lines.byUser('u1');
    expect(reads()).toBeGreaterThan(before);
  });
});

describe('facts for the session manager', () => {
  async function rig() {
    const world = new VirtualWorld({ seed: 1 });
    const { clock, log } = world.host('cloud', ['10.0.0.1']);
    const bus = createBus({ log, clock });
    const store = openLocalStore(':memory:');
    let n = 0;
    const again = () => new Reporter({ bus, store, clock, log, newId: () => `msg_${String(n++).padStart(4, '0')}` });
    const heard: string[] = [];
    const serve = () =>
      bus.serve('session-manager', {
        'leg.report': async ({ leg, event }: { leg: string; event: string }) => {
          heard.push(`${leg} ${event}`);
          return ok(leg === 'leg_last' ? { over: true } : {});
        },
        'voice.report': async ({ callId }: { callId: string }) => {
          heard.push(callId);
          return ok({ session: 'ses_1' });
        },
      } as never);
    return { world, reporter: again(), again, heard, serve, store };
  }
  const report = (leg: string, event: 'ringing' | 'answered' | 'ended') => ({ session: 'ses_1', leg, event, at: 0 });

  test('wait in the store while it is away, and come in order, once, after a restart too', async () => {
    const { world, reporter, again, heard, serve, store } = await rig();
    await reporter.leg(report('leg_1', 'ringing'));
    await reporter.leg(report('leg_1', 'answered'));
    await reporter.call({ callId: 'c1', from: 'a', to: 'b', startedAt: 0, endedAt: 1, reason: 'hangup' });
    const leave = serve();
    // What belongs to a session with waiting facts queues behind them.
    await reporter.leg(report('leg_1', 'ended'));
    expect(heard).toEqual([]);
    await world.run(5_001);
    expect(heard).toEqual(['leg_1 answered', 'c1', 'leg_1 ended']);
    await reporter.leg(report('leg_2', 'answered'));
    expect(heard.at(-1)).toBe('leg_2 answered');
    leave();
    await reporter.leg(report('leg_2', 'ended'));
    reporter.stop();
    await world.run(60_000);
    expect(await store.all('SELECT id FROM spool')).toHaveLength(1);
    serve();
    const next = again();
    next.start();
    await world.run(10);
    expect(heard.at(-1)).toBe('leg_2 ended');
    expect(await store.all('SELECT id FROM spool')).toEqual([]);
    next.stop();
    world[Symbol.dispose]();
  });

  test('that a full disk did not take hold up none of those that follow', async () => {
    const { world, reporter, heard, serve, store } = await rig();
    const { commit } = store;
    Object.assign(store, { commit: () => Promise.reject(new Error('database or disk is full')) });
    await expect(reporter.leg(report('leg_1', 'answered'))).rejects.toThrow('full');
    Object.assign(store, { commit });
    serve();
    await world.run(5_001);
    await reporter.leg(report('leg_1', 'ended'));
    expect(heard).toEqual(['leg_1 ended']);
    reporter.stop();
    world[Symbol.dispose]();
  });

  test('of the ends of a call’s legs those are told that its session still has, in their order', async () => {
    const { world, reporter, heard, serve } = await rig();
    serve();
    const live = {} as Live;
    const end = (leg: string) => reporter.ended(live, report(leg, 'ended'));
    await Promise.all(['leg_1', 'leg_2'].map(end));
    await end('leg_3');
    await Promise.all(['leg_last', 'leg_5'].map(end));
    await end('leg_6');
    expect(heard).toEqual(['leg_1 ended', 'leg_2 ended', 'leg_3 ended', 'leg_last ended']);
    world[Symbol.dispose]();
  });
});
