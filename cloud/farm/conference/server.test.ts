import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import type { BusEvents } from '#shared/protocol/events.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { makeOffer, readRemote } from '#shared/sip/offer-answer.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Context } from '../../bus/bus.ts';
import { createBus } from '../../bus/in-process.ts';
import type { PartContext, RunningPart } from '../../bus/part.ts';
import { openLocalStore } from '../../store/local.ts';
import { createMediaServer, threadEngine } from '../media/server.ts';
import { PLAYERS_PER_ROOM, ROOMS } from './conference.ts';
import { conference } from './server.ts';

const asPart: Context = { principal: { kind: 'part', part: 'session-manager' } };
const subscriber = (...homes: string[]): Context => ({
  principal: { kind: 'account', account: 'acc_1', role: 'subscriber', homes, scopes: 'all' },
});
const TONES = [440, 617, 1033];

let world: VirtualWorld;
let context: PartContext;
let media: RunningPart;
let part: RunningPart;
let engine: MediaEngine;

beforeEach(async () => {
  world = new VirtualWorld({ seed: 5 });
  const host = world.host('cloud', ['10.0.0.1']);
  const bus = createBus(host);
  context = {
    world: host,
    bus,
    store: openLocalStore(':memory:'),
    config: { media: { host: '10.0.0.1', low: 20_000, high: 20_099 }, publicHost: '10.0.0.1' } as PartContext['config'],
  };
  bus.serve('session-manager', {
    'session.get': async (_: unknown, { principal }: Context): Promise<Result<object, Fault>> =>
      principal.kind === 'account' && principal.homes !== 'all' && principal.homes.some((home) => /_[12]/.test(home))
        ? ok({ legs: [1, 2].map((n) => ({ id: `leg_${n}`, home: `home_${n}` })) })
        : err(fault('not_found')),
  } as never);
  engine = await threadEngine(context);
  media = await createMediaServer(async () => engine).start(context);
  part = await conference.start(context);
});
afterEach(async () => {
  await part.stop();
  await media.stop();
  await engine.close(true);
  await context.store.close();
  world[Symbol.dispose]();
});

async function done<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
  const outcome = await context.bus.request(verb, request, asPart);
  if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code}`);
  return outcome.value;
}

/** A phone in the room. */
async function guest(n: number): Promise<RtpPeer> {
  const host = `10.0.1.${n}`;
  const peer = await RtpPeer.open(world.host(`phone${n}`, [host]), host, 4000);
  const sdp = makeOffer({ address: peer.local, sessionId: n, codecs: ['PCMU'] });
  const leg = `leg_${n}`;
  const { endpoint, sdp: answer } = await done('media.endpoint.answer', { session: 'ses_1', leg, sdp });
  peer.target = readRemote(answer)?.address;
  await done('conference.party.add', { session: 'ses_1', leg, node: endpoint, kind: 'voice', name: `Phone ${n}` });
  peer.play(sine(TONES[n - 1] ?? 300, -20, 8000), true);
  return peer;
}

/** Whether each phone hears each tone, over the next second. */
async function hearing(peers: readonly RtpPeer[]): Promise<boolean[][]> {
  await world.run(300);
  for (const peer of peers) peer.clear();
  await world.run(1100);
  return peers.map((peer) => TONES.map((tone) => levelOf(peer.heard().subarray(0, 8000), tone) > -40));
}

describe('conference', () => {
  it('lets everybody hear the others, mutes and unmutes, and takes out who leaves', async () => {
    const opened = await done('conference.room.open', { session: 'ses_1', size: 3 });
    expect(await done('conference.room.open', { session: 'ses_1', size: 3 })).toEqual(opened);
    const peers = [await guest(1), await guest(2), await guest(3)];
    const all = [
      [false, true, true],
      [true, false, true],
      [true, true, false],
    ];
    expect(await hearing(peers)).toEqual(all);
    await done('conference.mute', { session: 'ses_1', leg: 'leg_1', muted: true });
    expect(await hearing(peers)).toEqual([
      [false, true, true],
      [false, false, true],
      [false, true, false],
    ]);
    // Said again, the same party keeps its seat and stays muted.
    const [party] = (await engine.list()).filter(({ owner }) => owner === 'ses_1/leg_1');
    const again = { session: 'ses_1', leg: 'leg_1', node: party?.id ?? '', kind: 'voice', name: 'Phone 1' } as const;
    await done('conference.party.add', again);
    expect((await hearing(peers))[1]).toEqual([false, false, true]);
    await done('conference.mute', { session: 'ses_1', leg: 'leg_1', muted: false });
    expect(await hearing(peers)).toEqual(all);
    await done('conference.party.remove', { session: 'ses_1', leg: 'leg_2' });
    await done('conference.party.remove', { session: 'ses_1', leg: 'leg_2' });
    expect((await hearing(peers)).map((row) => row[1])).toEqual([false, false, false]);
    expect(await done('conference.roster', { session: 'ses_1' })).toEqual({
      items: [
        { leg: 'leg_1', name: 'Phone 1', muted: false, kind: 'voice' },
        { leg: 'leg_3', name: 'Phone 3', muted: false, kind: 'voice' },
      ],
    });
    await done('conference.room.close', { session: 'ses_1' });
    await done('conference.room.close', { session: 'ses_1' });
    expect(await done('conference.room.list', {})).toEqual({ items: [] });
    expect((await engine.list()).some((node) => node.kind === 'room')).toBe(false);
  });

  it('puts music into the room for all', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 2 });
    const peers = [await guest(1), await guest(2)];
    const { room } = await done('conference.room.open', { session: 'ses_1', size: 2 });
    const owner = { session: 'ses_1', leg: 'leg_m' };
    const { player, endpoint } = await done('media.prepare', { ...owner, item: 'rain', into: room });
    expect(endpoint).toBeUndefined();
    await done('conference.party.add', { ...owner, node: player, kind: 'media', name: 'rain' });
    await done('media.start', owner);
    // Speech would hold the music down: the phones fall silent.
    for (const peer of peers) peer.play(new Int16Array(160), true);
    await world.run(2_000);
    await hearing(peers);
    const power = (peer: RtpPeer) => peer.heard().reduce((sum, sample) => sum + Math.abs(sample), 0) / 8000;
    const both = peers.map(power);
    await done('conference.mute', { ...owner, muted: true });
    await hearing(peers);
    const without = peers.map(power);
    for (const n of [0, 1]) expect((both[n] ?? 0) - (without[n] ?? 0)).toBeGreaterThan(100);
  });

  it('is full at its size, in rooms and in players', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 2 });
    await guest(1);
    await guest(2);
    const third = { session: 'ses_1', leg: 'leg_3', node: 'ep_x', kind: 'voice', name: 'x' } as const;
    expect(await context.bus.request('conference.party.add', third, asPart)).toMatchObject({
      fault: { code: 'room_full' },
    });
    const music = async (n: number) => {
      const owner = { session: 'ses_1', leg: `leg_m${n}` };
      const { player } = await done('media.prepare', { ...owner, item: 'rain', into: 'room' });
      const party = { ...owner, node: player, kind: 'media', name: 'rain' } as const;
      return await context.bus.request('conference.party.add', party, asPart);
    };
    for (let n = 0; n < PLAYERS_PER_ROOM; n++) expect((await music(n)).ok).toBe(true);
    expect(await music(PLAYERS_PER_ROOM)).toMatchObject({ fault: { code: 'room_full' } });
    for (let n = 0; n < ROOMS - 1; n++) await done('conference.room.open', { session: `s${n}`, size: 1 });
    expect(part.health()).toMatchObject({ load: 1, legs: ROOMS });
    expect(await context.bus.request('conference.room.open', { session: 'more', size: 1 }, asPart)).toMatchObject({
      fault: { code: 'room_full' },
    });
  });

  it('survives its own restart, mute included', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 3 });
    const peers = [await guest(1), await guest(2)];
    await done('conference.mute', { session: 'ses_1', leg: 'leg_1', muted: true });
    await part.stop();
    expect((await hearing(peers)).map((row) => row.slice(0, 2))).toEqual([
      [false, true],
      [false, false],
    ]);
    part = await conference.start(context);
    expect(part.health().legs).toBe(1);
    expect((await done('conference.roster', { session: 'ses_1' })).items).toMatchObject([
      { leg: 'leg_1', muted: true },
      { leg: 'leg_2', muted: false },
    ]);
    await done('conference.mute', { session: 'ses_1', leg: 'leg_1', muted: false });
    expect((await hearing(peers))[1]?.[0]).toBe(true);
    expect((await done('conference.room.list', {})).items).toMatchObject([{ session: 'ses_1', parties: 2 }]);
  });

  it('shows and mutes only for those who may see the session', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 3 });
    await guest(1);
    const roster = (who: Context) => context.bus.request('conference.roster', { session: 'ses_1' }, who);
    const mute = (who: Context) =>
      context.bus.request('conference.mute', { session: 'ses_1', leg: 'leg_1', muted: true }, who);
    const heard: BusEvents['leg.muted'][] = [];
    context.bus.subscribe('leg.muted', (one) => heard.push(one));
    expect((await roster(subscriber('home_1'))).ok).toBe(true);
    expect((await mute(asPart)).ok).toBe(true);
    expect((await mute(subscriber('home_1'))).ok).toBe(true);
    expect(heard).toEqual([{ session: 'ses_1', leg: 'leg_1', muted: true }]);
    for (const who of [subscriber('home_3'), { principal: { kind: 'gateway', gateway: 'gw', home: 'h' } } as Context]) {
      expect(await roster(who)).toMatchObject({ fault: { code: 'not_found' } });
      expect(await mute(who)).toMatchObject({ fault: { code: 'not_found' } });
    }
  });

  it('mutes others only for who began the session', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 3 });
    await guest(1);
    await guest(2);
    const mute = async (who: Context, leg: string) =>
      (await context.bus.request('conference.mute', { session: 'ses_1', leg, muted: true }, who)).ok;
    expect(await mute(subscriber('home_2'), 'leg_1')).toBe(false);
    expect(await mute(subscriber('home_2'), 'leg_2')).toBe(true);
    expect(await mute(subscriber('home_1'), 'leg_2')).toBe(true);
  });

  it('gives a repeated command its first outcome and names what is missing', async () => {
    await done('conference.room.open', { session: 'ses_1', size: 3 });
    await guest(1);
    const request = { session: 'ses_1', leg: 'leg_1', muted: true };
    const keyed = (bodyHash: string): Context => ({ ...asPart, idempotency: { scope: 't', key: 'k', bodyHash } });
    expect(await context.bus.request('conference.mute', request, keyed('a'))).toEqual(ok({}));
    await done('conference.party.remove', { session: 'ses_1', leg: 'leg_1' });
    expect(await context.bus.request('conference.mute', request, keyed('a'))).toEqual(ok({}));
    expect(await context.bus.request('conference.mute', request, keyed('b'))).toMatchObject({
      fault: { code: 'idempotency_mismatch' },
    });
    expect(await context.bus.request('conference.mute', request, asPart)).toMatchObject({
      fault: { code: 'not_found' },
    });
    expect(await context.bus.request('conference.roster', { session: 'none' }, asPart)).toMatchObject({
      fault: { code: 'not_found' },
    });
    await media.stop();
    expect(await context.bus.request('conference.room.open', { session: 'ses_2', size: 3 }, asPart)).toMatchObject({
      fault: { code: 'server_unavailable', server: 'media' },
    });
  });
});
