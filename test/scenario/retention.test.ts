/** A cloud that runs for more than a year: what is old goes, and nothing is billed twice, whoever comes back after however long. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import type { Part } from '#cloud/bus/part.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { oamp } from '#cloud/farm/oamp/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { makeConfig } from '../support/edge.ts';
import { createFarm, type Farm } from '../support/session-farm.ts';

const [HOUR, DAY] = [3_600_000, 86_400_000];
/** Two passes of what removes. */
const PASSES = 2 * HOUR + 600_000;

describe('a year', () => {
  let farm: Farm;
  /** The oamp server; what it tells gateways takes more settings than the others need. */
  let management: Part;
  beforeEach(async () => {
    farm = await createFarm([billing, qos]);
    const config = await makeConfig(farm.host, '10.0.0.1', 8883);
    management = { ...oamp, start: (context) => oamp.start({ ...context, config }) };
    await farm.start(management);
  });
  afterEach(() => farm.end());

  const GATEWAY: Context = { principal: { kind: 'gateway', gateway: 'gw_1', home: 'home_1' } };
  const count = async (table: string) =>
    (await farm.store.one<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`))?.n ?? -1;
  const balance = async () => (await farm.get('balance.get', { home: 'home_1' })).balance;
  const hello = (first: number, last: number) =>
    farm.get(
      'gateway.hello',
      { version: '1', profile: 'residential-gateway', applied: {}, outbox: { first, last, lost: 0 } },
      GATEWAY,
    );

  /** So many days in which nothing happens, and the servers rest; then they run for two passes. */
  async function later(days: number): Promise<void> {
    for (const part of ['oamp', 'billing', 'session-manager'] as const) await farm.stopServer(part);
    await farm.world.run(days * DAY);
    await farm.start(billing);
    await farm.restart();
    await farm.start(management);
    await farm.world.run(PASSES);
  }

  /** A phone call of home 1 to the outside, answered and ended. */
  async function call(n: number): Promise<string> {
    const asked = { call: `chn_${n}`, callId: `c${n}@x`, line: 'line_11', to: '+15550100021', at: 0, direct: false };
    const routed = await farm.get('session.route', asked);
    if (routed.do !== 'ring') throw new Error(routed.do);
    const callee = routed.targets[0]?.leg ?? '';
    await farm.report(routed.session, callee, 'answered');
    await farm.world.run(60_000);
    await farm.report(routed.session, routed.callerLeg, 'ended');
    await farm.world.run(1_000);
    return routed.session;
  }

  const facts = (id: string): VerbRequest<'voice.report'> => {
    const at = farm.host.clock.wall();
    const [startedAt, answeredAt, endedAt] = [at - 120_000, at - 110_000, at - 50_000];
    return { callId: id, from: '+15550100011', to: '+15550999999', startedAt, answeredAt, endedAt, reason: 'hangup' };
  };
  /** A gateway tells a call under an id of its outbox. */
  const tell = (report: VerbRequest<'voice.report'>, key: string) =>
    farm.get('voice.report', report, { ...GATEWAY, idempotency: { scope: 'gw:gw_1', key, bodyHash: 'h' } });

  it('leaves 90 days of sessions and 400 of records, of a call a month', async () => {
    const made: string[] = [];
    for (let month = 0; month < 16; month++) {
      made.push(await call(month));
      await later(30);
    }
    const left = (await farm.get('session.list', {})).items.map(({ id }) => id).toSorted();
    // The last is 30 days old: 30 and 60 days, and what is just a little older than 90 has gone.
    expect(left).toEqual(made.slice(-2).toSorted());
    const records = (await farm.get('cdr.list', {})).items.map(({ session }) => session);
    expect(new Set(records)).toEqual(new Set(made.slice(-13)));
    expect(records).toHaveLength(26);
    for (const table of ['journal', 'session_home'])
      expect(await farm.store.all(`SELECT 1 FROM ${table} WHERE session NOT IN (SELECT id FROM session)`)).toEqual([]);
    expect((await farm.get('retention.get', {})).sessions).toMatchObject({ removed: 14, needed: 0 });
    expect(await farm.ask('session.get', { session: made[0] ?? '' })).toMatchObject({ fault: { code: 'not_found' } });
  });

  it('bills what comes after a silence of years, in which all was removed', async () => {
    for (let n = 0; n < 3; n++) await call(n);
    await later(2_000);
    expect([await count('cdr'), await count('session')]).toEqual([0, 1]);
    await call(9);
    expect(await count('cdr')).toBe(2);
    expect(await count('journal')).toBeGreaterThan(1);
  });

  it('bills a call of a house once, that its gateway tells again after a cut of 14 months', async () => {
    await hello(1, 0);
    const report = facts('house-1');
    await tell(report, 'msg_1');
    await farm.world.run(1_000);
    const [paid, records] = [await balance(), await count('cdr')];
    expect(paid).toBeLessThan(0);
    expect(records).toBe(2);
    // Others call meanwhile; our answer never came to the gateway, which is cut off.
    for (let month = 0; month < 14; month++) {
      await call(month);
      await later(30);
    }
    const before = await balance();
    expect((await farm.get('retention.get', {})).sessions).toMatchObject({ needed: 1 });
    await hello(1, 9);
    await tell(report, 'msg_1');
    // The same from the part of its disk that is written before the outbox is.
    await tell(report, 'msg_2');
    await farm.world.run(10_000);
    expect(await balance()).toBe(before);
    expect((await farm.get('cdr.list', {})).items.filter(({ to }) => to === '+15550999999')).toHaveLength(0);
    // Once it has said twice that it holds nothing of then, the session may go.
    await hello(10, 11);
    await hello(11, 12);
    await later(1);
    expect((await farm.get('retention.get', {})).sessions).toMatchObject({ needed: 1 });
    await hello(12, 13);
    await hello(13, 14);
    await later(1);
    expect((await farm.get('retention.get', {})).sessions).toMatchObject({ needed: 0 });
  });

  it('takes a call that a house tells for the first time after a cut of 14 months', async () => {
    await hello(1, 0);
    const report = facts('house-2');
    await later(420);
    await hello(1, 3);
    const before = await balance();
    await tell(report, 'msg_2');
    await farm.world.run(10_000);
    expect(await balance()).toBeLessThan(before);
    const paid = await balance();
    await farm.world.run(PASSES);
    await tell(report, 'msg_2');
    await tell(report, 'msg_3');
    await farm.world.run(10_000);
    expect(await balance()).toBe(paid);
  });
});
