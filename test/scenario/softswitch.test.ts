/** The softswitch among the other servers: gateways, instructed channels, and what happens when something is away. */
import { afterEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { PhoneCall } from '#simulator/phone.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator?.stop());

const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 6_000, 'the answer');
const ended = (call: PhoneCall | undefined) => operator.world.until(() => call?.state === 'ended', 6_000, 'the end');
const first = (calls: readonly PhoneCall[]): PhoneCall => {
  const [call] = calls;
  if (call === undefined) throw new Error('no call came');
  return call;
};

async function lines(seed: number, ...n: number[]): Promise<Line[]> {
  operator = await Operator.start(seed);
  const made: Line[] = [];
  for (const one of n) made.push(await operator.line(await operator.home(`home_${one}`), one));
  return made;
}

async function empty() {
  await operator.world.run(65_000);
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
  expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  expect(await operator.store.all('SELECT * FROM channel')).toEqual([]);
  expect(await operator.store.all('SELECT * FROM spool')).toEqual([]);
}

describe('without the session manager', () => {
  test('calls go on, and are told and billed once it is back', async () => {
    const [a, b] = (await lines(1, 1, 2)) as [Line, Line];
    const [alice, bob] = [await operator.ready(a), await operator.ready(b)];
    const before = await alice.dial(b.number);
    await up(before);
    await operator.stopPart('session-manager');
    const during = await bob.dial(a.username);
    await up(during);
    expect((await operator.ask('channel.list', {})).items.filter((one) => one.autonomous)).toHaveLength(2);
    await operator.world.run(2_000);
    during.hangup();
    before.hangup();
    await operator.world.run(1_000);
    expect(await operator.store.all('SELECT verb FROM spool ORDER BY id')).toHaveLength(3);
    await operator.startPart('session-manager');
    await empty();
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(cdrs.map((one) => one.reason)).toEqual(['hangup', 'hangup', 'hangup', 'hangup']);
    expect(new Set(cdrs.map((one) => one.session)).size).toBe(2);
  });

  test('who pays in advance has to wait, media on demand too; a wrong number is one', async () => {
    const [a, b] = (await lines(2, 1, 2)) as [Line, Line];
    const [alice] = [await operator.ready(a), await operator.ready(b)];
    await operator.stopPart('session-manager');
    const wrong = await alice.dial('+15550109999');
    const media = await alice.dial('700');
    await ended(wrong);
    await ended(media);
    await operator.store.commit([sql("INSERT INTO balance (home, mode, balance) VALUES ('home_1', 'prepaid', 0)")]);
    const paid = await alice.dial(b.number);
    await ended(paid);
    expect([wrong.status, media.status, paid.status]).toEqual([404, 503, 503]);
  });
});

test('where the store cannot be read nobody gets in, and hears so at once; later it is as before', async () => {
  const [a, b] = (await lines(7, 1, 2)) as [Line, Line];
  const [alice] = [await operator.ready(a), await operator.ready(b)];
  const { all, one } = operator.store;
  const unread = () => Promise.reject(new Error('disk'));
  Object.assign(operator.store, { all: unread, one: unread });
  // Nothing is remembered of any line.
  for (const home of ['home_1', 'home_2']) operator.bus.publish('lines.changed', { home });
  await operator.world.run(10);
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'ended', 1_000, 'a refusal of the call');
  expect(call.status).toBe(503);
  const before = operator.world.now;
  expect(await operator.world.settle(alice.register())).toBe(503);
  expect(operator.world.now - before).toBeLessThan(1_000);
  Object.assign(operator.store, { all, one });
  expect(await operator.world.settle(alice.register())).toBe(200);
  await up(await alice.dial(b.number));
});

test('without the media server SDP goes from phone to phone', async () => {
  const [a, b] = (await lines(3, 1, 2)) as [Line, Line];
  const alice = await operator.ready(a, { voice: sine(600, -10, 8000) });
  const bob = await operator.ready(b);
  await operator.stopPart('media');
  await operator.stopPart('session-manager');
  const call = await alice.dial(b.number);
  await up(call);
  await operator.world.run(2_500);
  const incoming = first(bob.calls);
  expect(incoming.rtp.lastFrom?.host).toBe('10.1.0.11');
  expect(levelOf(incoming.heard().slice(8000, 16_000), 600)).toBeGreaterThan(-15);
  call.hold(true);
  await operator.world.until(() => incoming.held, 2_000, 'hold');
  incoming.hangup();
  await ended(call);
});

describe('media on demand', () => {
  test('a phone dials the short code and hears the item to its end', async () => {
    const [a] = (await lines(4, 1)) as [Line];
    const alice = await operator.ready(a);
    const call = await alice.dial('700');
    await up(call);
    await operator.world.run(3_000);
    expect(
      call
        .heard()
        .slice(8000, 24_000)
        .some((sample) => Math.abs(sample) > 500),
    ).toBe(true);
    await operator.world.until(() => call.state === 'ended', 60_000, 'the end of the item');
    expect(call.why).toBe('bye');
    await empty();
  });

  test('an API opens the channel; the phone shows who calls; hanging up ends the session', async () => {
    const [a] = (await lines(5, 1)) as [Line];
    const alice = await operator.ready(a);
    const { id } = await operator.ask('media.play', {
      to: a.id,
      item: (await operator.ask('media.list', {})).items[0]?.id ?? '',
    });
    await operator.world.until(() => alice.calls[0]?.state === 'up', 5_000, 'the call');
    const session = await operator.ask('session.get', { session: id });
    const opened = session.instructions.find((one) => one.verb === 'channel.open');
    expect(opened?.callId).toBe(first(alice.calls).callId);
    first(alice.calls).hangup();
    await empty();
    expect((await operator.ask('session.get', { session: id })).state).toBe('ended');
  });
});

test('an API call rings the caller first, then the callee, and both talk', async () => {
  const [a, b] = (await lines(6, 1, 2)) as [Line, Line];
  const alice = await operator.ready(a, { voice: sine(600, -10, 8000) });
  const bob = await operator.ready(b, { answerAfter: 1_000 });
  const { id } = await operator.ask('call.create', { from: a.id, to: b.number });
  await operator.world.until(() => bob.calls[0]?.state === 'up', 10_000, 'both');
  await operator.world.run(3_000);
  const heard = first(bob.calls).heard();
  expect(levelOf(heard.slice(8000, 16_000), 600)).toBeGreaterThan(-15);
  await operator.ask('session.end', { session: id });
  await ended(alice.calls[0]);
  await ended(bob.calls[0]);
  await empty();
});

describe('a restarted softswitch', () => {
  test('knows the calls that were up: hold and BYE go on', async () => {
    const [a, b] = (await lines(7, 1, 2)) as [Line, Line];
    const [alice, bob] = [await operator.ready(a), await operator.ready(b)];
    const call = await alice.dial(b.number);
    await up(call);
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    expect((await operator.ask('channel.list', {})).items).toHaveLength(2);
    const incoming = first(bob.calls);
    call.hold(true);
    await operator.world.until(() => incoming.held, 3_000, 'hold');
    incoming.hangup();
    await ended(call);
    expect(call.why).toBe('bye');
    await empty();
    expect((await operator.ask('cdr.list', {})).items).toHaveLength(2);
  });

  test('still knows where phones over UDP are', async () => {
    const [a, b] = (await lines(14, 1, 2)) as [Line, Line];
    const [alice, bob] = [await operator.ready(a), await operator.ready(b)];
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    const call = await alice.dial(b.number);
    await up(call);
    await operator.world.settle(bob.register(0));
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    expect((await operator.ask('registration.list', {})).items.map((one) => one.line)).toEqual(['line_1']);
  });

  test('refuses what was not answered yet', async () => {
    const [a, b] = (await lines(8, 1, 2)) as [Line, Line];
    const alice = await operator.ready(a);
    await operator.ready(b, { manner: 'ring' });
    const call = await alice.dial(b.number);
    await operator.world.until(() => call.state === 'ringing', 3_000);
    await operator.stopPart('softswitch');
    await ended(call);
    expect(call.status).toBe(503);
    await operator.startPart('softswitch');
    await empty();
  });
});

test('a phone that vanishes ends its call, and the other side hears of it', async () => {
  const [a, b] = (await lines(15, 1, 2)) as [Line, Line];
  const [alice, bob] = [await operator.ready(a), await operator.ready(b)];
  const call = await alice.dial(b.number);
  await up(call);
  await operator.world.run(310_000);
  expect(call.state).toBe('up');
  await operator.world.settle(bob.close());
  await operator.world.until(() => call.state === 'ended', 340_000, 'the end');
  await empty();
  expect((await operator.ask('cdr.list', {})).items.map((one) => one.reason)).toEqual(['timeout', 'timeout']);
});

describe('gateways', () => {
  test('speak for the lines of their home without digest, and for no other', async () => {
    const [a, b] = (await lines(9, 1, 2)) as [Line, Line];
    const gateway = await operator.gateway('home_1', 1);
    const own = await operator.ready({ ...a, password: '' }, operator.behind(gateway));
    const strange = await operator.phone({ ...b, password: '' }, { ...operator.behind(gateway), host: '10.1.0.30' });
    expect(await operator.world.settle(strange.register())).toBe(403);
    expect((await operator.ask('registration.list', {})).items).toMatchObject([
      { line: 'line_1', contacts: 1, direct: false, gateway: 'gw_1' },
    ]);
    const bob = await operator.ready(b);
    const call = await own.dial(b.number);
    await up(call);
    expect(first(bob.calls).from).toContain(a.number);
    const false_ = await strange.dial(a.number);
    await ended(false_);
    expect(false_.status).toBe(403);
    call.hangup();
    await ended(bob.calls[0]);
  });

  test('RTP is taken from the gateway’s own address alone', async () => {
    const [a, b] = (await lines(10, 1, 2)) as [Line, Line];
    const gateway = await operator.gateway('home_1', 1);
    const own = await operator.ready({ ...a, password: '' }, operator.behind(gateway));
    const bob = await operator.ready(b);
    const call = await own.dial(b.number);
    await up(call);
    const target = call.rtp.target;
    const thief = operator.world.host('thief', ['10.9.9.9']);
    const socket = await operator.world.settle(thief.net.udp({ host: '10.9.9.9', port: 0 }, () => {}));
    await operator.world.run(500);
    const before = first(bob.calls).rtp.received;
    call.rtp.stop();
    await operator.world.run(100);
    const still = first(bob.calls).rtp.received;
    for (let i = 0; i < 20; i++) socket.send(new Uint8Array(172).fill(0x80, 0, 1), target ?? { host: '', port: 0 });
    await operator.world.run(500);
    expect(before).toBeGreaterThan(0);
    expect(first(bob.calls).rtp.received).toBeLessThanOrEqual(still + 5);
    await operator.world.settle(socket.close());
  });

  test('a lost flow takes its registrations along', async () => {
    const [a] = (await lines(11, 1)) as [Line];
    const gateway = await operator.gateway('home_1', 1);
    const own = await operator.ready({ ...a, password: '' }, operator.behind(gateway));
    await operator.world.settle(own.close());
    await operator.world.run(1_000);
    expect((await operator.ask('registration.list', {})).items).toEqual([]);
  });

  test('one that is removed is cut off at once; one that never paired gets nowhere', async () => {
    const [a] = (await lines(12, 1)) as [Line];
    const gateway = await operator.gateway('home_1', 1);
    await operator.ready({ ...a, password: '' }, operator.behind(gateway));
    await operator.store.commit([sql("DELETE FROM gateway WHERE id = 'gw_1'")]);
    operator.bus.publish('pairing.progress', { gateway: 'gw_1', home: 'home_1', state: 'failed' });
    await operator.world.run(1_000);
    expect((await operator.ask('registration.list', {})).items).toEqual([]);
    const again = await operator.phone({ ...a, password: '' }, { ...operator.behind(gateway), host: '10.1.0.30' });
    const status = operator.world.settle(again.register(), 70_000);
    expect(await status).not.toBe(200);
  });

  test('a media channel joins the conference channel of the same home by Join', async () => {
    const [a, b] = (await lines(13, 1, 2)) as [Line, Line];
    const gateway = await operator.gateway('home_1', 1);
    const invites: string[] = [];
    const trace = (direction: string, text: string) => {
      if (direction === 'in' && text.startsWith('INVITE')) invites.push(text);
    };
    const own = await operator.ready({ ...a, password: '' }, { ...operator.behind(gateway), trace });
    const other = await operator.gateway('home_2', 2);
    const bob = await operator.ready({ ...b, password: '' }, operator.behind(other));
    const item = (await operator.ask('media.list', {})).items[0]?.id ?? '';
    const { id } = await operator.ask('conference.create', {
      participants: [a.id, b.id],
      media: { item, to: 'homes' },
    });
    await operator.world.until(() => invites.length === 2, 10_000, 'both channels');
    const conference = first(own.calls);
    const join = /\r\nJoin: ([^\r]+)\r\n/.exec(invites[1] ?? '')?.[1] ?? '';
    expect(join.startsWith(`${conference.callId};to-tag=`)).toBe(true);
    expect(invites[1]).toContain('\r\nRequire: join\r\n');
    const fromTag = /\r\nFrom:[^\r]*;tag=([^;\r]+)/.exec(invites[0] ?? '')?.[1];
    expect(join).toContain(`;from-tag=${fromTag}`);
    const { legs } = await operator.ask('session.get', { session: id });
    const media = legs.find((leg) => leg.home === 'home_1' && leg.kind === 'media');
    await operator.ask('leg.remove', { session: id, leg: media?.id ?? '' });
    await operator.world.run(2_000);
    expect(own.calls.map((call) => call.state)).toEqual(['up', 'ended']);
    expect(bob.calls.map((call) => call.state)).toEqual(['up', 'up']);
    await operator.ask('session.end', { session: id });
    await empty();
  });
});
