import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import type { BusEvents } from '#shared/protocol/events.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { levelOf, match, sine } from '#shared/rtp/measure.ts';
import { EVENT_TYPE, makeAnswer, makeOffer, readRemote } from '#shared/sip/offer-answer.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Context } from '../../bus/bus.ts';
import { createBus } from '../../bus/in-process.ts';
import type { PartContext, RunningPart } from '../../bus/part.ts';
import { openLocalStore } from '../../store/local.ts';
import { threadEngine } from './engines.ts';
import { items } from './items.ts';
import { library, synthesise } from './library/synthesis.ts';
import { createMediaServer } from './server.ts';
import { GONE_AFTER } from './silence.ts';

const asPart: Context = { principal: { kind: 'part', part: 'softswitch' } };
const PUBLIC = '10.0.0.1';

let world: VirtualWorld;
let context: PartContext;
let part: RunningPart;
let engine: MediaEngine;
let reports: VerbRequest<'leg.report'>[];
let closed: VerbRequest<'channel.close'>[];
let reportOutcome: Result<object, Fault>;

async function start(): Promise<void> {
  part = await createMediaServer(threadEngine).start(context);
}

beforeEach(async () => {
  world = new VirtualWorld({ seed: 5 });
  const host = world.host('cloud', [PUBLIC]);
  const bus = createBus(host);
  context = {
    world: host,
    bus,
    store: openLocalStore(':memory:'),
    config: { media: { host: PUBLIC, low: 20_000, high: 20_019 }, publicHost: PUBLIC } as PartContext['config'],
  };
  reports = [];
  closed = [];
  reportOutcome = ok({});
  bus.serve('session-manager', {
    'leg.report': async (request: VerbRequest<'leg.report'>) => {
      reports.push(request);
      return reportOutcome;
    },
    'session.get': async (_: unknown, { principal }: Context) =>
      principal.kind === 'account' && principal.account === 'acc_in' ? ok({}) : err(fault('not_found')),
  } as never);
  bus.serve('softswitch', {
    'channel.close': async (request: VerbRequest<'channel.close'>) => {
      closed.push(request);
      return ok({});
    },
  } as never);
  engine = await threadEngine(context);
  await start();
});
afterEach(async () => {
  await part.stop();
  await engine.close(true);
  await context.store.close();
  world[Symbol.dispose]();
});

async function peerAt(n: number): Promise<RtpPeer> {
  return await RtpPeer.open(world.host(`phone${n}`, [`10.0.1.${n}`]), `10.0.1.${n}`, 4000);
}

/** A phone that called: its offer answered by the media server. */
async function caller(n: number, source?: string): Promise<{ peer: RtpPeer; endpoint: string }> {
  const peer = await peerAt(n);
  const offer = makeOffer({ address: peer.local, sessionId: n, codecs: ['PCMU'] });
  const answered = await context.bus.request(
    'media.endpoint.answer',
    { session: 'ses_1', leg: `leg_${n}`, sdp: offer, ...(source === undefined ? {} : { source }) },
    asPart,
  );
  if (!answered.ok) throw new Error(answered.fault.code);
  const remote = readRemote(answered.value.sdp);
  peer.target = remote?.address;
  return { peer, endpoint: answered.value.endpoint };
}

/** A phone that was called: it answered the media server's offer. */
async function callee(n: number): Promise<{ peer: RtpPeer; endpoint: string }> {
  const peer = await peerAt(n);
  const offered = await context.bus.request('media.endpoint.offer', { session: 'ses_1', leg: `leg_${n}` }, asPart);
  if (!offered.ok) throw new Error(offered.fault.code);
  const { endpoint, sdp } = offered.value;
  const answer = makeAnswer(sdp, { address: peer.local, sessionId: n, codecs: ['PCMU'] }) ?? '';
  expect((await context.bus.request('media.endpoint.accept', { endpoint, sdp: answer }, asPart)).ok).toBe(true);
  peer.target = readRemote(sdp)?.address;
  return { peer, endpoint };
}

const connect = (from: string, to: string, connected = true) =>
  context.bus.request('media.endpoint.connect', { from, to, connected }, asPart);

describe('library', () => {
  it('lists at least three items with short codes from 700 on', async () => {
    const listed = await context.bus.request('media.list', {}, asPart);
    expect(listed).toEqual(ok({ items: items() }));
    expect(items().map(({ short }) => short)).toEqual(items().map((_, i) => String(700 + i)));
    expect(items().length).toBeGreaterThanOrEqual(3);
  });

  it.each(library.map(({ id }) => id))('plays %s to a phone, and says when it has ended', async (item) => {
    const owner = { session: 'ses_1', leg: 'leg_1' };
    const prepared = await context.bus.request('media.prepare', { ...owner, item }, asPart);
    expect(await context.bus.request('media.prepare', { ...owner, item }, asPart)).toEqual(prepared);
    const { peer, endpoint } = await callee(1);
    expect(prepared).toMatchObject({ ok: true, value: { endpoint } });
    peer.play(new Int16Array(0));
    await world.run(1000);
    expect(levelOf(peer.heard(), 440)).toBeLessThan(-90);
    peer.clear();
    expect((await context.bus.request('media.start', owner, asPart)).ok).toBe(true);
    const seconds = library.find(({ id }) => id === item)?.seconds ?? 0;
    await world.run(seconds * 1000 + 1000);
    const original = synthesise(item) ?? new Int16Array(0);
    const found = match(peer.heard().subarray(0, 12_000), original.subarray(0, 8000));
    expect(found.correlation).toBeGreaterThan(0.99);
    const whole = match(peer.heard().subarray(found.lag, found.lag + original.length), original);
    expect(whole.correlation).toBeGreaterThan(0.99);
    expect(reports).toMatchObject([{ ...owner, event: 'item-ended' }]);
  });

  it('loops into a room, and says again that an item has ended until it is taken', async () => {
    reportOutcome = err(fault('server_unavailable'));
    const owner = { session: 'ses_1', leg: 'leg_1' };
    await context.bus.request('media.prepare', { ...owner, item: 'welcome' }, asPart);
    await context.bus.request('media.prepare', { session: 'ses_1', leg: 'leg_2', item: 'rain', into: 'room' }, asPart);
    await context.bus.request('media.start', owner, asPart);
    await context.bus.request('media.start', { session: 'ses_1', leg: 'leg_2' }, asPart);
    await world.run(60_000);
    expect(reports.length).toBeGreaterThan(10);
    expect(reports.every(({ leg }) => leg === 'leg_1')).toBe(true);
    await context.bus.request('media.stop', owner, asPart);
    const before = reports.length;
    await world.run(10_000);
    expect(reports.length).toBe(before);
  });

  it('knows no other item, and starts nothing that was not prepared', async () => {
    const owner = { session: 'ses_1', leg: 'leg_1' };
    for (const item of ['none', '../server', '__proto__', '']) {
      expect(await context.bus.request('media.prepare', { ...owner, item }, asPart)).toMatchObject({
        fault: { code: 'media_item_unknown' },
      });
    }
    expect(await context.bus.request('media.start', owner, asPart)).toMatchObject({ fault: { code: 'not_found' } });
    expect((await context.bus.request('media.stop', owner, asPart)).ok).toBe(true);
  });
});

describe('endpoints', () => {
  it('relays a call between one who called and one who was called', async () => {
    const [a, b] = [await caller(1, '10.0.1.1'), await callee(2)];
    await connect(a.endpoint, b.endpoint);
    await connect(b.endpoint, a.endpoint);
    a.peer.play(sine(440, -20, 8000), true);
    b.peer.play(sine(617, -20, 8000), true);
    await world.run(2000);
    expect(levelOf(b.peer.heard().subarray(0, 8000), 440)).toBeCloseTo(-20, 0);
    expect(levelOf(a.peer.heard().subarray(0, 8000), 617)).toBeCloseTo(-20, 0);
    expect(levelOf(a.peer.heard().subarray(0, 8000), 440)).toBeLessThan(-60);
  });

  it('gives the same endpoint and text for the same leg, and a higher version for another text', async () => {
    const offer = () => context.bus.request('media.endpoint.offer', { session: 'ses_1', leg: 'leg_1' }, asPart);
    const first = await offer();
    expect(await offer()).toEqual(first);
    const peer = await peerAt(1);
    const versionOf = (sdp: string) => Number(/^o=\S+ \S+ (\d+)/m.exec(sdp)?.[1]);
    let before = first.ok ? versionOf(first.value.sdp) : 0;
    for (const direction of ['sendrecv', 'sendonly', 'sendrecv'] as const) {
      const sdp = makeOffer({ address: peer.local, sessionId: 1, codecs: ['PCMU'], direction });
      const answered = await context.bus.request(
        'media.endpoint.answer',
        { session: 'ses_1', leg: 'leg_1', sdp },
        asPart,
      );
      if (!answered.ok || !first.ok) throw new Error('no answer');
      expect(answered.value.endpoint).toBe(first.value.endpoint);
      expect(isId(answered.value.endpoint)).toBe(true);
      expect(versionOf(answered.value.sdp)).toBe(before + 1);
      before = versionOf(answered.value.sdp);
    }
  });

  it('refuses descriptions without a codec of ours and unknown endpoints', async () => {
    const sdp = 'v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9\r\n';
    const owner = { session: 'ses_1', leg: 'leg_1' };
    for (const bad of [sdp, 'junk', '']) {
      expect(await context.bus.request('media.endpoint.answer', { ...owner, sdp: bad }, asPart)).toMatchObject({
        fault: { code: 'no_codec' },
      });
    }
    const good = makeOffer({ address: { host: '10.0.1.1', port: 4000 }, sessionId: 1 });
    expect(await context.bus.request('media.endpoint.accept', { endpoint: 'ep_x', sdp: good }, asPart)).toMatchObject({
      fault: { code: 'not_found' },
    });
    expect(await connect('ep_x', 'ep_y')).toMatchObject({ fault: { code: 'not_found' } });
  });

  it('says that a limit is reached when the range of ports is used up', async () => {
    // The pair with which the server tried its address rests a while.
    await world.run(2000);
    for (let n = 0; n < 10; n++) {
      expect((await context.bus.request('media.endpoint.offer', { session: 's', leg: `l${n}` }, asPart)).ok).toBe(true);
    }
    expect(await context.bus.request('media.endpoint.offer', { session: 's', leg: 'l10' }, asPart)).toMatchObject({
      fault: { code: 'limit_reached' },
    });
    expect(part.health()).toMatchObject({ state: 'degraded', load: 1, legs: 10 });
    await context.bus.request('media.endpoint.release', { session: 's', leg: 'l3' }, asPart);
    expect(part.health()).toMatchObject({ legs: 9 });
  });

  it('listens everywhere and advertises an address of the other side’s family', async () => {
    await part.stop();
    const host = world.host('dual', ['10.0.0.2', '2001:db8::2']);
    const media = { host: '0.0.0.0', low: 20_000, high: 20_019 };
    context = { ...context, world: host, config: { ...context.config, media, publicHost: '198.51.100.7' } };
    await start();
    const offer = async (leg: string, family: '4' | '6') => {
      const offered = await context.bus.request('media.endpoint.offer', { session: 's', leg, family }, asPart);
      return offered.ok ? readRemote(offered.value.sdp)?.address.host : undefined;
    };
    expect(await offer('leg_4', '4')).toBe('198.51.100.7');
    expect(await offer('leg_6', '6')).toBe('2001:db8::2');
    const sdp = makeOffer({ address: { host: '2001:db8::9', port: 4000 }, sessionId: 1 });
    const answered = await context.bus.request('media.endpoint.answer', { session: 's', leg: 'leg_7', sdp }, asPart);
    expect(answered.ok && readRemote(answered.value.sdp)?.address.host).toBe('2001:db8::2');
    await part.stop();
    await (await threadEngine(context)).close(true);
    context = { ...context, world: world.host('cloud', [PUBLIC]) };
    await start();
  });

  it('plays ringback until it is told to stop', async () => {
    const { peer, endpoint } = await caller(1);
    await context.bus.request('media.tone', { endpoint, tone: 'ringback' }, asPart);
    await world.run(1500);
    expect(levelOf(peer.heard().subarray(2000, 10_000), 480)).toBeGreaterThan(-21);
    await context.bus.request('media.tone', { endpoint, tone: 'none' }, asPart);
    await world.run(100);
    const before = peer.received;
    await world.run(1000);
    expect(peer.received).toBe(before);
    expect(await context.bus.request('media.tone', { endpoint: 'ep_x', tone: 'busy' }, asPart)).toMatchObject({
      fault: { code: 'not_found' },
    });
  });

  it('tells how a leg sounds, to those who may see its session', async () => {
    const [a, b] = [await caller(1), await callee(2)];
    await connect(a.endpoint, b.endpoint);
    a.peer.play(sine(440, -20, 8000), true);
    await world.run(2000);
    const ask = (leg: string, who: Context) => context.bus.request('media.quality', { session: 'ses_1', leg }, who);
    const clean = await ask('leg_1', asPart);
    expect(clean).toMatchObject({ ok: true, value: { lost: 0, refused: 0 } });
    world.link({ from: 'phone1', to: 'cloud', loss: 0.2 });
    await world.run(20_000);
    const lossy = await ask('leg_1', asPart);
    if (!clean.ok || !lossy.ok) throw new Error('no reply');
    expect(clean.value.estimate).toBeGreaterThan(4.3);
    expect(lossy.value.estimate).toBeLessThan(clean.value.estimate - 0.5);
    const who = (account: string): Context => ({
      principal: { kind: 'account', account, role: 'subscriber', homes: [], scopes: 'all' },
    });
    expect((await ask('leg_1', who('acc_in'))).ok).toBe(true);
    expect(await ask('leg_1', who('acc_out'))).toMatchObject({ fault: { code: 'not_found' } });
    expect(await ask('leg_9', asPart)).toMatchObject({ fault: { code: 'not_found' } });
  });

  it('ends a call whose phone has died, but none that is on hold, only listens, or speaks again', async () => {
    const [dead, held, back] = [await caller(1), await caller(2), await caller(3)];
    await callee(4);
    for (const { peer } of [dead, held, back]) peer.play(sine(440, -20, 8000), true);
    await world.run(2000);
    for (const { peer } of [dead, held, back]) peer.stop();
    await world.run(60_000);
    const hold = makeOffer({ address: held.peer.local, sessionId: 2, codecs: ['PCMU'], direction: 'recvonly' });
    await context.bus.request('media.endpoint.answer', { session: 'ses_1', leg: 'leg_2', sdp: hold }, asPart);
    await world.run(GONE_AFTER - 70_000);
    back.peer.play(sine(440, -20, 8000), true);
    expect(closed).toEqual([]);
    await world.run(60_000);
    expect(closed).toEqual([{ session: 'ses_1', leg: 'leg_1', reason: 'media_lost' }]);
    await context.bus.request('media.endpoint.release', { session: 'ses_1', leg: 'leg_1' }, asPart);
    back.peer.stop();
    await world.run(GONE_AFTER - 20_000);
    expect(closed).toHaveLength(1);
    await world.run(60_000);
    expect(closed).toHaveLength(2);
  });

  it('watches a silent phone on after a restart', async () => {
    const { peer } = await caller(1);
    peer.play(sine(440, -20, 8000), true);
    await world.run(1000);
    peer.stop();
    await world.run(120_000);
    await part.stop();
    await start();
    await world.run(GONE_AFTER);
    expect(closed).toEqual([{ session: 'ses_1', leg: 'leg_1', reason: 'media_lost' }]);
    await world.run(GONE_AFTER);
    expect(closed).toHaveLength(2);
  });

  it('publishes digits', async () => {
    const digits: BusEvents['leg.digit'][] = [];
    context.bus.subscribe('leg.digit', (event) => digits.push(event));
    const { peer } = await caller(1);
    peer.press('7', EVENT_TYPE);
    await world.run(200);
    expect(digits).toEqual([{ session: 'ses_1', leg: 'leg_1', digit: '7', duration: 100 }]);
  });
});

describe('restart', () => {
  it('finds its endpoints, rooms and players again while sound goes on', async () => {
    const [a, b] = [await caller(1), await callee(2)];
    await connect(a.endpoint, b.endpoint);
    a.peer.play(sine(440, -20, 8000), true);
    await context.bus.request('media.room', { session: 'ses_1', room: 'room_1', exists: true }, asPart);
    await context.bus.request('media.prepare', { session: 'ses_1', leg: 'leg_3', item: 'rain' }, asPart);
    await part.stop();
    expect(await context.bus.request('media.list', {}, asPart)).toMatchObject({
      fault: { code: 'server_unavailable', server: 'media' },
    });
    const before = b.peer.received;
    await world.run(1000);
    expect(b.peer.received).toBeGreaterThan(before + 45);
    await start();
    expect(part.health().legs).toBe(3);
    const listed = await context.bus.request('media.endpoint.list', {}, asPart);
    expect(listed.ok && listed.value.items.map(({ kind, session, leg }) => `${kind} ${session} ${leg}`).sort()).toEqual(
      [
        'endpoint ses_1 leg_1',
        'endpoint ses_1 leg_2',
        'endpoint ses_1 leg_3',
        'player ses_1 leg_3',
        'room ses_1 room_1',
      ],
    );
    const again = await context.bus.request('media.endpoint.offer', { session: 'ses_1', leg: 'leg_1' }, asPart);
    expect(again).toMatchObject({ ok: true, value: { endpoint: a.endpoint } });
    await world.run(61_000);
    expect((await engine.list()).length).toBe(5);
  });
});
