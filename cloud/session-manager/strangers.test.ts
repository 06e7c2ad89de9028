/** What a home may do with, and learn of, a session that another home began. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { sql } from '#cloud/store/store.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { createFarm, type Farm, OPERATOR, subscriber } from '#test/support/session-farm.ts';

let farm: Farm;
beforeEach(async () => {
  farm = await createFarm([billing, qos]);
});
afterEach(() => farm.end());

const [host, guest] = [subscriber('home_1'), subscriber('home_2')];
const forbidden = { ok: false, fault: { code: 'forbidden' } };

/** A conference of three homes that `home_1` began, everybody in it. */
async function conference(): Promise<{ id: string; legs: VerbReply<'session.get'>['legs'] }> {
  const participants = ['line_11', 'line_21', 'line_31'];
  const { id } = await farm.get('conference.create', { participants }, host);
  const { legs } = await farm.session(id);
  for (const leg of legs) await farm.report(id, leg.id, 'answered');
  return { id, legs };
}

describe('who pays', () => {
  it('for a conference is who asked for it, whoever is named first', async () => {
    const { id } = await farm.get('conference.create', { participants: ['line_11', 'line_31', 'line_21'] }, guest);
    const paying = farm.store.all<{ payer: string | null }>(
      "SELECT DISTINCT json_extract(value, '$.payer') AS payer FROM journal, json_each(journal.data, '$.legs') WHERE journal.session = ? AND journal.type IN ('created', 'several')",
      [id],
    );
    expect(await paying).toEqual([{ payer: 'home_2' }]);
    expect((await farm.session(id)).legs.map(({ home }) => home)).toEqual(['home_2', 'home_1', 'home_3']);
  });

  it('for an operator’s conference is the first participant', async () => {
    const { id } = await farm.get('conference.create', { participants: ['line_31', 'line_11'] }, OPERATOR);
    expect((await farm.session(id)).legs[0]?.home).toBe('home_3');
  });

  it('for a further party is asked of nobody who did not invite', async () => {
    const { id } = await conference();
    const voice = { session: id, kind: 'voice', party: 'line_32' } as const;
    expect(await farm.ask('leg.add', voice, guest)).toMatchObject(forbidden);
    const music = { session: id, kind: 'media', item: 'morning-birds' } as const;
    expect(await farm.ask('leg.add', music, guest)).toMatchObject(forbidden);
    expect((await farm.session(id)).legs).toHaveLength(3);
    expect(await farm.ask('leg.add', { ...music, party: 'line_21' }, guest)).toMatchObject({ ok: true });
    expect(await farm.ask('leg.add', voice, host)).toMatchObject({ ok: true });
  });
});

describe('a guest of a conference', () => {
  it('leaves it by ending it, and the others go on', async () => {
    const { id, legs } = await conference();
    expect(await farm.get('session.end', { session: id }, guest)).toEqual({ id, state: 'active' });
    const after = await farm.session(id);
    expect(after.legs.map(({ state, reason }) => [state, reason])).toEqual([
      ['up', undefined],
      ['ended', 'api'],
      ['up', undefined],
    ]);
    expect(await farm.ask('leg.remove', { session: id, leg: legs[2]?.id ?? '' }, guest)).toMatchObject(forbidden);
    expect(await farm.ask('leg.remove', { session: id, leg: legs[0]?.id ?? '' }, guest)).toMatchObject(forbidden);
    expect(await farm.ask('leg.remove', { session: id, leg: legs[2]?.id ?? '' }, host)).toMatchObject({ ok: true });
    expect(await farm.ask('session.end', { session: id }, host)).toMatchObject({ ok: true });
  });

  it('may leave by its leg alone', async () => {
    const { id, legs } = await conference();
    expect(await farm.ask('leg.remove', { session: id, leg: legs[1]?.id ?? '' }, guest)).toMatchObject({ ok: true });
    expect((await farm.session(id)).legs.map(({ state }) => state)).toEqual(['up', 'ended', 'up']);
  });
});

it('either party of a call ends it', async () => {
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' }, host);
  expect(await farm.get('session.end', { session: id }, guest)).toMatchObject({ id, state: 'ending' });
  await farm.world.run(100);
  expect((await farm.session(id)).state).toBe('ended');
});

describe('a withheld number', () => {
  const CALLER = /line_11|home_1|gw_1|0100011|user11|call-leg/;
  const route = (to: string) => ({
    ...{ call: 'chn_1', callId: 'call-leg@caller', line: 'line_11', to, direct: false, hidden: true },
    at: farm.host.clock.wall(),
  });
  /** All that a subscriber can read of a session. */
  async function readable(session: string, who = guest): Promise<string> {
    const [one, all, rows, records] = [
      await farm.get('session.get', { session }, who),
      await farm.get('session.list', {}, who),
      await farm.get('session.events', { session }, who),
      await farm.get('cdr.list', { session }, who),
    ];
    expect([all.items.length, rows.items.length > 0]).toEqual([1, true]);
    return JSON.stringify([one, all, rows, records]);
  }

  it('is nowhere to be read at the other home, and everywhere at the own one', async () => {
    const routed = await farm.get('session.route', route('+15550100021'));
    const [callee] = routed.do === 'ring' ? routed.targets : [];
    await farm.report(routed.session, callee?.leg ?? '', 'ringing');
    await farm.report(routed.session, callee?.leg ?? '', 'answered');
    expect(await readable(routed.session)).not.toMatch(CALLER);
    await farm.report(routed.session, callee?.leg ?? '', 'ended', 'hangup');
    await farm.world.run(100);
    const read = await readable(routed.session);
    expect(read).not.toMatch(CALLER);
    expect(read).toContain('"request":{"to":"+15550100021","hidden":true}');
    for (const who of [host, OPERATOR]) expect(await readable(routed.session, who)).toMatch(/line_11.*0100011/);
  });

  it('is not told to an application of another home', async () => {
    await farm.get('call-route.create', { home: 'home_2', match: '+15550100021', application: 'app_2' }, guest);
    const { session } = await farm.get('session.route', route('+15550100021'));
    const [event] = await farm.store.all<{ data: string }>(
      "SELECT data FROM event WHERE type = 'home.call.v1.incoming'",
    );
    expect(JSON.parse(event?.data ?? '')).toMatchObject({ from: 'anonymous', to: '+15550100021' });
    expect(await readable(session)).not.toMatch(CALLER);
  });

  it('stays withheld where the session manager was away', async () => {
    const call = { callId: 'x@y', from: '+15550100011', to: '+15550100021', startedAt: 1, answeredAt: 2, endedAt: 3 };
    const told = { ...call, home: 'home_1', reason: 'hangup', hidden: true };
    const { session } = await farm.get('voice.report', told, { principal: { kind: 'part', part: 'softswitch' } });
    await farm.world.run(100);
    expect(await readable(session)).not.toMatch(CALLER);
  });
});

it('a call outside that was switched while the session manager was away is paid for, however it was dialled', async () => {
  const trunk = { name: 'T', host: '192.0.2.1', mode: 'address' };
  await farm.store.commit([
    sql("INSERT INTO trunk (id, body, created_at) VALUES ('trk_1', ?, 0)", JSON.stringify(trunk)),
  ]);
  const call = { callId: 'x@y', home: 'home_1', from: '+15550100011', startedAt: 0, answeredAt: 0, endedAt: 60_000 };
  const told = { ...call, to: '011442071838750', reason: 'hangup' };
  const { session } = await farm.get('voice.report', told, { principal: { kind: 'part', part: 'softswitch' } });
  const { items } = await farm.get('cdr.list', { session });
  expect(items.find(({ home }) => home === undefined)).toMatchObject({ to: '+442071838750', price: 90_000 });
});

it('of two transfers of a call at one moment one is refused', async () => {
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' }, host);
  const [, callee] = (await farm.session(id)).legs;
  for (const leg of (await farm.session(id)).legs) await farm.report(id, leg.id, 'answered');
  const send = (to: string) => farm.bus.request('call.transfer', { session: id, leg: callee?.id ?? '', to }, host);
  const both = await farm.world.settle(Promise.all([send('line_31'), send('line_32')]));
  expect(both).toMatchObject([{ ok: true }, { ok: false, fault: { code: 'conflict' } }]);
  expect((await farm.session(id)).legs).toHaveLength(3);
});
