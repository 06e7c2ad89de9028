import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { sql } from '#cloud/store/store.ts';
import { createFarm, type Farm, line, OPERATOR, subscriber } from '#test/support/session-farm.ts';
import { overLimit, SESSIONS, SESSIONS_PER_HOME } from './create.ts';
import { EVENTS_AT_ONCE, LEGS_PER_SESSION } from './manage.ts';
import type { Runtime } from './runtime.ts';

let farm: Farm;
beforeEach(async () => {
  farm = await createFarm([billing, qos]);
});
afterEach(() => farm.end());

const gateway = (n: number): Context => ({
  principal: { kind: 'gateway', gateway: `gw_${n}`, home: `home_${n}` },
});
const technician: Context = {
  principal: { kind: 'account', account: 'acc_t', role: 'technician', homes: 'all', scopes: 'all' },
};
const notFound = { ok: false, fault: { code: 'not_found' } };
const conference = async (...participants: string[]) => (await farm.get('conference.create', { participants })).id;

describe('who may', () => {
  it.each([
    ['their own line', subscriber('home_1'), 'line_11', true],
    ['a line of another home', subscriber('home_2'), 'line_11', false],
    ['a line when they have no home', subscriber(), 'line_11', false],
    ['any line as operator', OPERATOR, 'line_11', true],
    ['their own line as gateway', gateway(1), 'line_11', true],
    ['another home’s line as gateway', gateway(2), 'line_11', false],
    ['a line as technician without consent', technician, 'line_11', false],
    ['an unknown line', subscriber('home_1'), 'line_99', false],
  ])('call from %s', async (_name, who, from, may) => {
    const call = await farm.ask('call.create', { from, to: 'line_31' }, who);
    expect(call).toMatchObject(may ? { ok: true } : notFound);
    const media = await farm.ask('media.play', { to: from, item: 'morning-birds' }, who);
    expect(media).toMatchObject(may ? { ok: true } : notFound);
    const others = await farm.ask('conference.create', { participants: ['line_31', from] }, who);
    expect(others).toMatchObject(may ? { ok: true } : notFound);
  });

  it.each([
    ['line_21', true],
    ['+15550100021', true],
    ['(555) 010-0021', true],
    ['5550100021', true],
    ['user21', true],
    ['sip:user21@example.test', true],
    ['sip:+15550100021@192.0.2.10;user=phone', true],
    ['tel:+1-555-010-0021', true],
    ['sip:user21@elsewhere.test', false],
    ['sip:nobody@example.test', false],
    ['+4930123456', false],
    ['700', false],
    ['::', false],
  ])('a party written as %s', async (to, known) => {
    const call = await farm.ask('call.create', { from: 'line_11', to });
    expect(call).toMatchObject(known ? { ok: true } : { ok: false, fault: { code: 'callee_unknown' } });
  });

  it('see and steer a session: those whose home takes part, and nobody else', async () => {
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' }, subscriber('home_1'));
    const leg = (await farm.session(id)).legs[0]!.id;
    for (const who of [subscriber('home_3'), gateway(3), technician]) {
      expect(await farm.ask('session.get', { session: id }, who)).toMatchObject(notFound);
      expect(await farm.ask('session.events', { session: id }, who)).toMatchObject(notFound);
      expect(await farm.ask('session.end', { session: id }, who)).toMatchObject(notFound);
      expect(await farm.ask('leg.remove', { session: id, leg }, who)).toMatchObject(notFound);
      const add = { session: id, kind: 'voice', party: 'line_31' } as const;
      expect(await farm.ask('leg.add', add, who)).toMatchObject(notFound);
      expect((await farm.get('session.list', {}, who)).items).toEqual([]);
    }
    for (const who of [subscriber('home_1'), subscriber('home_2'), gateway(2), OPERATOR]) {
      expect((await farm.get('session.get', { session: id }, who)).id).toBe(id);
      expect((await farm.get('session.list', {}, who)).items).toHaveLength(1);
    }
    expect(await farm.ask('session.list', { home: 'home_3' }, subscriber('home_1'))).toMatchObject(notFound);
  });

  it('send music to a home that is not theirs: no', async () => {
    const id = await conference('line_11', 'line_21');
    const add = { session: id, kind: 'media', item: 'morning-birds', party: 'line_21' } as const;
    expect(await farm.ask('leg.add', add, subscriber('home_1'))).toMatchObject(notFound);
    const media = { item: 'morning-birds', to: 'homes' as const, sinks: ['line_22'] };
    const wish = { participants: ['line_11', 'line_21'], media };
    expect(await farm.ask('conference.create', wish, subscriber('home_1'))).toMatchObject(notFound);
    const device = { session: id, kind: 'device', home: 'home_2' } as const;
    expect(await farm.ask('leg.add', device, subscriber('home_1'))).toMatchObject(notFound);
  });
});

describe('legs of a living session', () => {
  it('voice, music and device legs join, each with orientation, server and reason, and end together', async () => {
    const id = await conference('line_11', 'line_21');
    await farm.report(id, (await farm.session(id)).legs[0]!.id, 'answered');
    const voice = await farm.get('leg.add', { session: id, kind: 'voice', party: 'line_31' });
    const music = await farm.get('leg.add', { session: id, kind: 'media', item: 'morning-birds' });
    const device = await farm.get('leg.add', { session: id, kind: 'device' }, subscriber('home_2'));
    const wake = await farm.get('leg.add', { session: id, kind: 'device', home: 'home_1', device: 'dev_1' });
    expect([voice, music, device, wake].map(({ leg }) => [leg.orientation, leg.server, leg.state])).toEqual([
      ['voice', 'conference', 'starting'],
      ['non-voice', 'media', 'up'],
      ['non-voice', 'home-networking', 'up'],
      ['non-voice', 'home-networking', 'up'],
    ]);
    expect([device.leg.home, device.result, wake.result]).toEqual(['home_2', { items: [] }, { sent: 1 }]);
    expect((await farm.session(id)).legs).toHaveLength(6);
    expect((await farm.get('session.list', { home: 'home_3' })).items).toHaveLength(1);
    await farm.get('session.end', { session: id });
    await farm.world.run(100);
    const session = await farm.session(id);
    expect(session.legs.every((leg) => leg.state === 'ended')).toBe(true);
    const cdrs = (await farm.get('cdr.list', { session: id })).items;
    expect(cdrs.map((cdr) => cdr.leg).toSorted()).toEqual(session.legs.map((leg) => leg.id).toSorted());
  });

  it('a third party turns a call into a conference, which outlives either of the first two', async () => {
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    const [from, to] = (await farm.session(id)).legs.map((leg) => leg.id) as [string, string];
    await farm.report(id, from, 'answered');
    await farm.report(id, to, 'answered');
    farm.asked.length = 0;
    const { leg } = await farm.get('leg.add', { session: id, kind: 'voice', party: 'line_31' });
    await farm.report(id, leg.id, 'answered');
    const sound = farm.asked.filter((one) => /connect|party|room/.test(one.verb));
    expect(sound.map(({ verb, request }) => [verb, request.from ?? request.leg, request.connected])).toEqual([
      ['conference.room.open', undefined, undefined],
      ['media.endpoint.connect', `ep_${from}`, false],
      ['media.endpoint.connect', `ep_${to}`, false],
      ['conference.party.add', from, undefined],
      ['conference.party.add', to, undefined],
      ['conference.party.add', leg.id, undefined],
    ]);
    await farm.report(id, from, 'ended', 'hangup');
    expect((await farm.session(id)).legs.map((one) => one.state)).toEqual(['ended', 'up', 'up']);
    await farm.report(id, leg.id, 'ended', 'hangup');
    await farm.report(id, to, 'ended', 'hangup');
    await farm.world.run(100);
    expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'hangup' });
    expect(farm.rooms.size).toBe(0);
  });

  it('a third party that is refused leaves the call as it was', async () => {
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    const [from, to] = (await farm.session(id)).legs.map((leg) => leg.id) as [string, string];
    await farm.report(id, from, 'answered');
    await farm.report(id, to, 'answered');
    farm.refuse.set('conference.room.open', 'room_full');
    const third = await farm.ask('leg.add', { session: id, kind: 'voice', party: 'line_31' });
    expect(third).toMatchObject({ fault: { code: 'room_full' } });
    expect((await farm.session(id)).state).toBe('active');
    await farm.report(id, to, 'ended', 'hangup');
    await farm.world.run(100);
    expect((await farm.session(id)).state).toBe('ended');
  });

  it('a refused leg ends alone', async () => {
    const id = await conference('line_11', 'line_21');
    await farm.report(id, (await farm.session(id)).legs[0]!.id, 'answered');
    await farm.report(id, (await farm.session(id)).legs[1]!.id, 'ended', 'callee_declined');
    farm.refuse.set('media.prepare', 'media_item_unknown');
    const wrong = { session: id, kind: 'media', item: 'none', party: 'line_31' } as const;
    expect(await farm.ask('leg.add', wrong)).toMatchObject({ fault: { code: 'media_item_unknown' } });
    farm.refuse.set('device.wake', 'gateway_offline');
    const wake = { session: id, kind: 'device', home: 'home_1', device: 'dev_1' } as const;
    expect(await farm.ask('leg.add', wake)).toMatchObject({ fault: { code: 'gateway_offline' } });
    const session = await farm.session(id);
    expect(session.state).toBe('active');
    expect(session.legs.map((leg) => [leg.state, leg.reason])).toEqual([
      ['up', undefined],
      ['ended', 'callee_declined'],
      ['ended', 'media_item_unknown'],
      ['ended', 'gateway_offline'],
    ]);
  });

  it('an ended session takes no leg; an unknown leg is not found; removing twice is harmless', async () => {
    const id = await conference('line_11', 'line_21');
    const leg = (await farm.session(id)).legs[1]!.id;
    await farm.get('leg.remove', { session: id, leg });
    await farm.get('leg.remove', { session: id, leg });
    expect(await farm.ask('leg.remove', { session: id, leg: 'leg_none' })).toMatchObject(notFound);
    await farm.get('session.end', { session: id });
    await farm.get('session.end', { session: id });
    expect(await farm.ask('leg.add', { session: id, kind: 'voice', party: 'line_31' })).toMatchObject({
      fault: { code: 'conflict' },
    });
  });

  it(`are ${LEGS_PER_SESSION} at the most`, async () => {
    const id = await conference('line_11', 'line_21');
    for (let n = 2; n < LEGS_PER_SESSION; n++) await farm.get('leg.add', { session: id, kind: 'device' });
    expect(await farm.ask('leg.add', { session: id, kind: 'device' })).toMatchObject({
      fault: { code: 'limit_reached' },
    });
  });
});

describe('sessions of a home', () => {
  it(`are ${SESSIONS_PER_HOME} at once; one more is refused, and one that ended makes room`, async () => {
    const play = () => farm.ask('media.play', { to: 'line_11', item: 'morning-birds' });
    await farm.store.commit([line('line_19', 'home_1', '+15550100019', 'user19', 'unmetered')]);
    const ids: string[] = [];
    for (let n = 0; n < SESSIONS_PER_HOME; n++) {
      const { id } = await farm.get('media.play', { to: 'line_19', item: 'morning-birds' });
      ids.push(id);
    }
    expect(await play()).toMatchObject({ ok: false, fault: { code: 'limit_reached' } });
    const call = { call: 'c', callId: 'c@x', line: 'line_11', to: '+15550100021', at: 0, direct: false };
    expect(await farm.ask('session.route', call)).toMatchObject({ fault: { code: 'limit_reached' } });
    // A line for load tests has no caps.
    expect(await farm.ask('session.route', { ...call, line: 'line_19' })).toMatchObject({ ok: true });
    await farm.get('session.end', { session: ids[0]! });
    await farm.get('session.end', { session: ids[1]! });
    await farm.world.run(100);
    expect(await play()).toMatchObject({ ok: true });
  });

  it(`are ${SESSIONS} in all`, () => {
    const plan = { kind: 'call' as const, homes: ['home_1'], legs: [] };
    const crowd = (size: number) => ({ lives: { size }, liveOf: () => 0 }) as unknown as Runtime;
    expect(overLimit(crowd(SESSIONS - 1), plan)).toBeUndefined();
    expect(overLimit(crowd(SESSIONS), plan)).toMatchObject({ code: 'limit_reached' });
  });

  it('are listed newest first, page by page, living ones alone when asked so', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) {
      ids.push((await farm.get('call.create', { from: 'line_11', to: 'line_21' })).id);
      await farm.world.run(n % 2 === 0 ? 1 : 0);
    }
    await farm.get('session.end', { session: ids[0]! });
    const seen: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await farm.get('session.list', { limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...page.items.map((one) => one.id));
      after = page.next;
      if (after === undefined) break;
    }
    expect(seen.toSorted()).toEqual(ids.toSorted());
    // Newest first; within one millisecond in any order, and none twice.
    expect([seen.slice(0, 2).toSorted(), seen.at(-1)]).toEqual([ids.slice(3).toSorted(), ids[0]]);
    expect((await farm.get('session.list', { live: true })).items.map((one) => one.id)).not.toContain(ids[0]);
    const strange = await farm.ask('session.list', { after: 'nonsense' });
    expect(strange.ok).toBe(true);
  });
});

describe('events', () => {
  it('resume after a row, and carry the cause', async () => {
    const hints: number[] = [];
    farm.bus.subscribe('session.changed', ({ seq }) => hints.push(seq));
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    await farm.get('session.end', { session: id });
    await farm.world.run(100);
    const all = (await farm.get('session.events', { session: id })).items;
    const types = ['created', 'reserved', 'instructed', 'opened', 'noted', 'noted', 'ending', 'ended'];
    expect(all.map((row) => row.type)).toEqual(types);
    expect(all.map((row) => row.seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(hints.at(-1)).toBe(8);
    expect((await farm.get('session.events', { session: id, after: 3 })).items).toEqual(all.slice(3));
    expect(all[6]?.data).toMatchObject({ cause: 'api' });
  });

  it(`come ${EVENTS_AT_ONCE} at a time`, async () => {
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    const row = (seq: number) =>
      sql(
        "INSERT INTO journal (session, seq, position, at, type, leg, cause, data) VALUES (?, ?, ?, 0, 'noted', 'x', NULL, '{}')",
        id,
        seq,
        seq + 1_000_000,
      );
    await farm.world.run(100);
    const { seq } = (await farm.get('session.events', { session: id })).items.at(-1)!;
    const more = EVENTS_AT_ONCE + 1 - seq;
    await farm.store.commit(Array.from({ length: more }, (_, n) => row(seq + 1 + n)));
    const first = await farm.get('session.events', { session: id });
    expect([first.items.length, first.next]).toEqual([EVENTS_AT_ONCE, String(EVENTS_AT_ONCE)]);
    const rest = await farm.get('session.events', { session: id, after: EVENTS_AT_ONCE });
    expect([rest.items.length, rest.next]).toEqual([1, undefined]);
  });
});
