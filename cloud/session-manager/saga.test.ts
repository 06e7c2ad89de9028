import { afterEach, describe, expect, it } from 'vitest';
import type { Handlers } from '#cloud/bus/bus.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { err } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbName } from '#shared/protocol/verbs/index.ts';
import { createFarm, type Farm, OPERATOR } from '#test/support/session-farm.ts';
import { readRows } from './journal.ts';

let farm: Farm;
afterEach(() => farm.end());

/** Nothing is left anywhere, and the session says why it ended. */
async function nothingLeft(reason: string): Promise<void> {
  await farm.world.run(1_000);
  expect([farm.channels.size, farm.media.size, farm.rooms.size]).toEqual([0, 0, 0]);
  expect((await farm.get('qos.list', {})).items).toEqual([]);
  expect((await farm.get('billing.reservation.list', {})).items).toEqual([]);
  const { items } = await farm.get('session.list', {});
  expect(items.map((one) => [one.state, one.reason])).toEqual([['ended', reason]]);
  expect(await farm.store.all('SELECT n FROM outbox')).toEqual([]);
}

const prepaid = () => farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 10_000_000 });
const conference = () =>
  farm.ask('conference.create', {
    participants: ['line_11', 'line_21', 'line_31'],
    media: { item: 'morning-birds', to: 'homes' },
  });

describe('reservations are all or nothing', () => {
  /** Every step of the conference’s reservations: the room, three endpoints, three players. */
  const steps: string[] = [
    'conference.room.open#1',
    'media.endpoint.offer#1',
    'media.endpoint.offer#2',
    'media.endpoint.offer#3',
    'media.prepare#1',
    'media.prepare#2',
    'media.prepare#3',
  ];

  it.each(steps)('undone in reverse when %s is refused', async (step) => {
    farm = await createFarm([billing, qos]);
    await prepaid();
    farm.refuse.set(step, 'limit_reached');
    expect(await conference()).toMatchObject({ ok: false, fault: { code: 'limit_reached' } });
    const verbs = farm.asked.map((one) => one.verb);
    expect(verbs).not.toContain('channel.open');
    const undone = farm.asked.filter((one) => one.verb === 'media.endpoint.release').map((one) => one.request.leg);
    const taken = farm.asked
      .filter((one) => one.verb === 'media.endpoint.offer' || one.verb === 'media.prepare')
      .map((one) => one.request.leg);
    expect(undone).toEqual(taken.toReversed());
    expect(verbs.at(-1)).toBe('conference.room.close');
    await nothingLeft('limit_reached');
  });

  it('undone when the money does not suffice', async () => {
    farm = await createFarm([billing, qos]);
    await farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 10 });
    expect(await conference()).toMatchObject({ ok: false, fault: { code: 'insufficient_credit' } });
    await nothingLeft('insufficient_credit');
  });

  it('undone when a home’s uplink is full', async () => {
    farm = await createFarm([billing, qos]);
    const kbits = 1_950;
    await farm.get('qos.reserve', { session: 's', leg: 'l', home: 'home_3', kbits, kind: 'media' });
    expect(await conference()).toMatchObject({ ok: false, fault: { code: 'uplink_full' } });
    await farm.get('qos.release', { session: 's', leg: 'l' });
    await nothingLeft('uplink_full');
  });

  it('a home’s budget that nobody can ask for costs the mark, not the call', async () => {
    farm = await createFarm([billing]);
    const away: Partial<Handlers<'qos'>> = { 'qos.reserve': async () => err(fault('timeout')) };
    farm.bus.serve('qos', away as Handlers<'qos'>);
    expect(await conference()).toMatchObject({ ok: true });
  });

  it('a phone’s call is refused with the reason and leaves nothing', async () => {
    farm = await createFarm([billing, qos]);
    await farm.get('balance.set', { home: 'home_1', mode: 'prepaid' });
    const call = { call: 'chn_1', callId: 'a@b', line: 'line_11', to: '+15550100021', at: 0, direct: false };
    expect(await farm.ask('session.route', call)).toMatchObject({ fault: { code: 'insufficient_credit' } });
    await nothingLeft('insufficient_credit');
  });
});

describe('releases that cannot be carried out yet', () => {
  it('wait for their server, in the store, and are carried out when it is back', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('media.play', { to: 'line_11', item: 'morning-birds' });
    await farm.report(id, (await farm.session(id)).legs[0]!.id, 'answered');
    farm.refuse.set('media.stop', 'server_unavailable').set('media.endpoint.release', 'server_unavailable');
    await farm.get('session.end', { session: id });
    await farm.world.run(1_000);
    expect((await farm.session(id)).state).toBe('ending');
    expect(farm.channels.size).toBe(0);
    await farm.world.run(30_000);
    expect((await farm.session(id)).state).toBe('ended');
    await farm.restart();
    farm.refuse.clear();
    await farm.world.run(31_000);
    await nothingLeft('api');
  });
});

describe('a journal that takes nothing', () => {
  it('refuses the request, and leaves nothing behind but what it knew', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    const { commit } = farm.store;
    const broken = { commit: async () => Promise.reject(new Error('disk full')) };
    Object.assign(farm.store, broken);
    expect(await farm.ask('media.play', { to: 'line_11', item: 'morning-birds' })).toMatchObject({
      fault: { code: 'internal' },
    });
    expect(await farm.ask('session.end', { session: id })).toMatchObject({ fault: { code: 'internal' } });
    Object.assign(farm.store, { commit });
    const { items } = await farm.get('session.list', {});
    expect(items.map((one) => [one.id, one.state])).toEqual([[id, 'created']]);
    await farm.get('session.end', { session: id });
    await farm.world.run(100);
    expect((await farm.session(id)).state).toBe('ended');
    const rows = await readRows(farm.store, id, 0, 100);
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, i) => i + 1));
  });
});

describe('a repeated command', () => {
  const key = (bodyHash = 'hash') => ({ ...OPERATOR, idempotency: { scope: 'tok', key: 'k1', bodyHash } });
  const requests: { [V in VerbName]?: object } = {
    'call.create': { from: 'line_11', to: 'line_21' },
    'media.play': { to: 'line_11', item: 'morning-birds' },
    'conference.create': { participants: ['line_11', 'line_21'] },
  };

  it.each(Object.entries(requests))('%s gets the first answer, also after a restart', async (verb, request) => {
    farm = await createFarm([billing, qos]);
    const first = await farm.ask(verb as 'call.create', request as never, key());
    expect(first.ok).toBe(true);
    expect(await farm.ask(verb as 'call.create', request as never, key())).toEqual(first);
    await farm.restart();
    expect(await farm.ask(verb as 'call.create', request as never, key())).toEqual(first);
    expect(await farm.ask(verb as 'call.create', request as never, key('other'))).toMatchObject({
      fault: { code: 'idempotency_mismatch' },
    });
    expect((await farm.get('session.list', {})).items).toHaveLength(1);
  });

  it('leg.add gets the first answer, and makes no second leg', async () => {
    farm = await createFarm([billing, qos]);
    const { id } = await farm.get('conference.create', { participants: ['line_11', 'line_21'] });
    const add = (party: string, keyed = key()) => farm.ask('leg.add', { session: id, kind: 'voice', party }, keyed);
    const first = await add('line_31');
    expect(first).toMatchObject({ ok: true, value: { leg: { state: 'starting' } } });
    expect(await add('line_31')).toEqual(first);
    await farm.restart();
    expect(await add('line_31')).toEqual(first);
    expect((await farm.session(id)).legs).toHaveLength(3);
    farm.refuse.set('media.endpoint.offer', 'limit_reached');
    const other = { ...OPERATOR, idempotency: { scope: 'tok', key: 'k2', bodyHash: 'hash' } };
    const refused = await add('line_32', other);
    expect(refused).toMatchObject({ ok: false, fault: { code: 'limit_reached' } });
    farm.refuse.clear();
    expect(await add('line_32', other)).toEqual(refused);
  });

  it('a refused one gets the refusal again, and makes no second session', async () => {
    farm = await createFarm([billing, qos]);
    farm.refuse.set('media.prepare', 'media_item_unknown');
    const request = { to: 'line_11', item: 'nothing' };
    const first = await farm.ask('media.play', request, key());
    expect(first).toMatchObject({ ok: false, fault: { code: 'media_item_unknown' } });
    farm.refuse.clear();
    expect(await farm.ask('media.play', request, key())).toEqual(first);
    await nothingLeft('media_item_unknown');
  });
});
