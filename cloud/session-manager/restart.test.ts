import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { sleep } from '#shared/kernel/time.ts';
import { createFarm, type Farm } from '#test/support/session-farm.ts';
import { readRows } from './journal.ts';
import { SELF } from './outbox.ts';

let farm: Farm;
beforeEach(async () => {
  farm = await createFarm([billing, qos]);
});
afterEach(() => farm.end());

async function phoneCall() {
  const call = { call: 'chn_1', callId: 'a@b', line: 'line_11', to: '+15550100021', at: 0, direct: false };
  const routed = await farm.get('session.route', call);
  if (routed.do !== 'ring') throw new Error('expected ring');
  const callee = routed.targets[0]!.leg;
  farm.hold(routed.session, routed.callerLeg);
  farm.hold(routed.session, callee);
  return { ...routed, callee };
}

describe('the session manager goes away and comes back', () => {
  it('a call goes on, and ends by the phones', async () => {
    const { session, callee, callerLeg } = await phoneCall();
    await farm.report(session, callee, 'answered');
    await farm.restart();
    await farm.world.run(100_000);
    expect((await farm.session(session)).state).toBe('active');
    await farm.report(session, callerLeg, 'ended', 'hangup');
    expect(await farm.session(session)).toMatchObject({ state: 'ended', reason: 'hangup' });
    expect((await farm.get('cdr.list', { session })).items).toHaveLength(2);
  });

  it('a call that ended meanwhile is lost 30 s after the restart, not at it, with one record per leg', async () => {
    const { session, callee } = await phoneCall();
    await farm.report(session, callee, 'answered');
    farm.channels.clear();
    await farm.restart();
    await farm.world.run(29_000);
    expect((await farm.session(session)).state).toBe('active');
    await farm.world.run(3_000);
    expect(await farm.session(session)).toMatchObject({ state: 'ended', reason: 'lost' });
    expect((await farm.get('cdr.list', { session })).items.map((cdr) => cdr.reason)).toEqual(['lost', 'lost']);
  });

  it('a call that is paid for in advance goes on as long as there is money, and no longer', async () => {
    await farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 100_000 });
    const { session, callee } = await phoneCall();
    await farm.report(session, callee, 'answered');
    await farm.world.run(400_000);
    await farm.restart();
    await farm.world.run(190_000);
    expect((await farm.session(session)).state).toBe('active');
    await farm.world.run(20_000);
    expect(await farm.session(session)).toMatchObject({ state: 'ended', reason: 'insufficient_credit' });
    expect((await farm.get('cdr.list', { session })).items.map((cdr) => cdr.price).toSorted()).toEqual([0, 100_000]);
  });

  it('while the softswitch is away nothing is taken for lost', async () => {
    const { session, callee } = await phoneCall();
    await farm.report(session, callee, 'answered');
    await farm.stopServer('softswitch');
    await farm.restart();
    await farm.world.run(200_000);
    expect((await farm.session(session)).state).toBe('active');
  });

  it('a call by the API goes on where it stood: `to` is rung once `from` has answered', async () => {
    const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
    const [from, to] = (await farm.session(id)).legs;
    await farm.restart();
    await farm.world.run(1_000);
    await farm.report(id, from!.id, 'answered');
    await farm.report(id, to!.id, 'answered');
    expect((await farm.session(id)).state).toBe('active');
    expect(farm.asked.filter((one) => one.verb === 'channel.open').map((one) => one.request.leg)).toEqual([
      from!.id,
      to!.id,
    ]);
  });

  it('a session that was ending ends, even if its server stays away', async () => {
    const { id } = await farm.get('media.play', { to: 'line_11', item: 'morning-birds' });
    farm.refuse.set('media.stop', 'server_unavailable');
    await farm.get('session.end', { session: id });
    await farm.restart();
    await farm.world.run(25_000);
    expect((await farm.session(id)).state).toBe('ending');
    await farm.world.run(6_000);
    expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'api' });
  });

  it('a channel that nobody wants is hung up; a call made without us is left alone', async () => {
    await farm.stopServer('session-manager');
    farm.hold('ses_gone', 'leg_gone');
    farm.hold('ses_auto', 'leg_auto', true);
    await farm.restart();
    await farm.world.run(1_000);
    expect([...farm.channels.keys()]).toEqual(['ses_auto leg_auto']);
  });

  it('an answer that comes as its session ends is hung up at once', async () => {
    const { session, callee } = await phoneCall();
    await farm.get('session.end', { session });
    await farm.world.run(10);
    farm.hold(session, callee);
    const late = await farm.ask('leg.report', { session, leg: callee, event: 'answered', at: 0 }, SELF);
    expect(late).toMatchObject({ fault: { code: 'not_found' } });
    expect(farm.channels.size).toBe(0);
  });
});

describe('a server goes away and comes back', () => {
  it('the session manager reserves again for the legs that run', async () => {
    await farm.world.run(2_000);
    const { session, callee } = await phoneCall();
    await farm.report(session, callee, 'answered');
    expect((await farm.get('qos.list', {})).items).toHaveLength(2);
    await farm.stopServer('qos');
    await farm.start(qos);
    expect((await farm.get('qos.list', {})).items).toHaveLength(0);
    farm.bus.publish('farm.changed', { server: 'qos', state: 'running' });
    await farm.world.run(1_000);
    expect((await farm.get('qos.list', {})).items).toHaveLength(2);
  });

  it('a phone’s call needs neither qos nor, paying afterwards, billing', async () => {
    await farm.stopServer('qos');
    await farm.stopServer('billing');
    const { session, callee } = await phoneCall();
    await farm.report(session, callee, 'answered');
    expect((await farm.session(session)).legs[0]?.dscp).toContain('the qos server is not running');
    await farm.report(session, callee, 'ended', 'hangup');
    await farm.start(billing);
    expect((await farm.get('cdr.list', { session })).items).toHaveLength(2);
  });
});

describe('what a phone waits for', () => {
  /** A disk that takes 20 ms for a commit. */
  function slowDisk(): void {
    const { commit } = farm.store;
    Object.assign(farm.store, {
      commit: async (statements: never) => {
        await sleep(farm.host.clock, 20);
        return commit(statements);
      },
    });
  }
  const rows = async (id: string) => (await readRows(farm.store, id, 0, 100)).map((row) => row.type);

  it('paying afterwards: for the disk only when answered and when ended', async () => {
    slowDisk();
    const { session, callee } = await phoneCall();
    expect(farm.world.now).toBe(0);
    await farm.ask('leg.report', { session, leg: callee, event: 'ringing', at: 0 }, SELF);
    expect(farm.world.now).toBe(0);
    await farm.ask('leg.report', { session, leg: callee, event: 'answered', at: 0 }, SELF);
    expect([farm.world.now, await rows(session)]).toEqual([20, ['created', 'ringing', 'answered']]);
    const end = await farm.ask('leg.report', { session, leg: callee, event: 'ended', at: 0 }, SELF);
    expect([end, (await rows(session)).at(-1)]).toEqual([{ ok: true, value: { over: true } }, 'ended']);
  });

  it('paying afterwards: a call that only rings is written a moment later, or when the part stops', async () => {
    // Nothing is marked then, so nobody has to be told anything.
    await farm.stopServer('qos');
    const { session, callee } = await phoneCall();
    await farm.ask('leg.report', { session, leg: callee, event: 'ringing', at: 0 }, SELF);
    await farm.world.run(99);
    expect(await rows(session)).toEqual([]);
    expect((await farm.session(session)).legs[1]?.state).toBe('ringing');
    await farm.world.run(1);
    expect(await rows(session)).toEqual(['created', 'ringing']);
    const other = await phoneCall();
    await farm.restart();
    expect((await rows(other.session))[0]).toBe('created');
  });

  it('paying in advance: for the reservation, which stands in the journal', async () => {
    await farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 1_000_000 });
    slowDisk();
    const { session } = await phoneCall();
    expect(await rows(session)).toEqual(['created', 'reserved']);
  });
});

describe('voice.report', () => {
  const facts = {
    callId: 'house@gw',
    from: '+15550100011',
    to: '+15550100012',
    startedAt: 1_000,
    answeredAt: 3_000,
    endedAt: 64_000,
    reason: 'hangup',
  };
  const gateway = (home: string): Context => ({ principal: { kind: 'gateway', gateway: 'gw_1', home } });

  it('is folded exactly once, however often and by whatever key it is told', async () => {
    const first = await farm.get('voice.report', facts, gateway('home_1'));
    const again = { ...gateway('home_1'), idempotency: { scope: 'gw', key: 'k', bodyHash: 'h' } };
    expect(await farm.get('voice.report', facts, again)).toEqual(first);
    await farm.restart();
    expect(await farm.get('voice.report', facts, gateway('home_1'))).toEqual(first);
    const session = await farm.session(first.session);
    expect(session).toMatchObject({ kind: 'house-call', state: 'ended', reason: 'hangup', createdAt: 1_000 });
    expect(session.legs.map((leg) => [leg.role, leg.home, leg.state, leg.answeredAt])).toEqual([
      ['caller', 'home_1', 'ended', 3_000],
      ['callee', 'home_1', 'ended', 3_000],
    ]);
    const cdrs = (await farm.get('cdr.list', {})).items;
    expect(cdrs.map((cdr) => [cdr.seconds, cdr.price])).toEqual([
      [61, 0],
      [61, 0],
    ]);
  });

  it('belongs to the home of the gateway that tells it, whatever it says', async () => {
    const one = await farm.get('voice.report', { ...facts, home: 'home_3' }, gateway('home_1'));
    const two = await farm.get('voice.report', facts, gateway('home_2'));
    expect(one.session).not.toBe(two.session);
    expect((await farm.get('session.list', { home: 'home_3' })).items).toEqual([]);
  });

  it('makes no other home pay, and shows itself to none', async () => {
    const theirs = { ...facts, from: '+15550100021', to: '+15550100031' };
    const { session } = await farm.get('voice.report', theirs, gateway('home_1'));
    expect((await farm.get('cdr.list', { session })).items.map((cdr) => [cdr.price, cdr.home])).toEqual([
      [0, undefined],
      [0, undefined],
    ]);
    for (const home of ['home_2', 'home_3']) {
      expect((await farm.get('session.list', { home })).items).toEqual([]);
      expect((await farm.get('cdr.list', { home })).items).toEqual([]);
    }
  });

  it('an unanswered call and times that run backwards make a record all the same', async () => {
    const { answeredAt: _, ...unanswered } = facts;
    await farm.get('voice.report', { ...unanswered, callId: 'x', reason: 'callee_busy' }, gateway('home_1'));
    await farm.get('voice.report', { ...facts, callId: 'y', answeredAt: 500, endedAt: 100 }, gateway('home_1'));
    const cdrs = (await farm.get('cdr.list', {})).items;
    expect(cdrs).toHaveLength(4);
    for (const cdr of cdrs) expect(cdr.end).toBeGreaterThanOrEqual(cdr.answer ?? cdr.start);
  });

  it('a call between homes that the softswitch made alone is paid by the caller', async () => {
    const { session } = await farm.get('voice.report', { ...facts, to: '+15550100021' }, SELF);
    expect((await farm.get('cdr.list', { session })).items.map((cdr) => cdr.price).toSorted()).toEqual([0, 10_167]);
  });
});

it('a call whose journal fails once goes on, and is cut off when its money is used up', async () => {
  await farm.get('balance.set', { home: 'home_1', mode: 'prepaid', add: 20_000 });
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
  for (const leg of (await farm.session(id)).legs) await farm.report(id, leg.id, 'answered');
  const { commit } = farm.store;
  const once: typeof commit = () => {
    Object.assign(farm.store, { commit });
    return Promise.reject(new Error('database or disk is full'));
  };
  Object.assign(farm.store, { commit: once });
  const [leg] = (await farm.session(id)).legs;
  farm.bus.publish('leg.digit', { session: id, leg: leg?.id ?? '', digit: '1', duration: 100 });
  await farm.world.run(100_000);
  expect((await farm.session(id)).state).toBe('active');
  await farm.world.run(50_000);
  expect(await farm.session(id)).toMatchObject({ state: 'ended', reason: 'insufficient_credit' });
});

it('a session whose last row the disk did not take ends all the same', async () => {
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
  for (const leg of (await farm.session(id)).legs) await farm.report(id, leg.id, 'answered');
  const { commit } = farm.store;
  const once: typeof commit = (statements) => {
    if (!statements.some(({ sql, params }) => sql.includes('INTO journal') && params.includes('ended')))
      return commit(statements);
    Object.assign(farm.store, { commit });
    return Promise.reject(new Error('database or disk is full'));
  };
  Object.assign(farm.store, { commit: once });
  await farm.ask('session.end', { session: id });
  await farm.world.run(100);
  expect(farm.store.commit).toBe(commit);
  await farm.world.run(40_000);
  expect((await farm.session(id)).state).toBe('ended');
});

it('a session of which two rows fail at one moment is taken up once', async () => {
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
  const [leg] = (await farm.session(id)).legs;
  await farm.report(id, leg?.id ?? '', 'answered');
  const { commit } = farm.store;
  Object.assign(farm.store, { commit: () => Promise.reject(new Error('database or disk is full')) });
  for (const digit of ['1', '2', '3'])
    farm.bus.publish('leg.digit', { session: id, leg: leg?.id ?? '', digit, duration: 1 });
  await farm.world.run(10);
  Object.assign(farm.store, { commit });
  await farm.get('session.end', { session: id });
  await farm.world.run(1_000);
  // Every place of the home is free again.
  const calls = await Promise.all(
    Array.from({ length: 64 }, () => farm.bus.request('media.play', { to: 'line_11', item: 'morning-birds' }, SELF)),
  );
  expect(calls.filter((one) => !one.ok && one.fault.code === 'limit_reached')).toEqual([]);
});
