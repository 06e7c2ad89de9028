/** Many calls over a bad network: whatever is lost, doubled or late, every call ends on all sides and nothing is left. */
import { afterAll, afterEach, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { Seeded, streamOf } from '#simulator/random.ts';
import { Operator } from './operator.ts';

const CALLS = 60;
let operator: Operator;
afterEach(() => operator?.stop());
/** How calls of any seed ended. */
const reasons = new Set<string>();
afterAll(() => {
  expect([...reasons]).toEqual(expect.arrayContaining(['callee_busy', 'callee_declined', 'cancelled', 'hangup']));
});

test.each([1, 2, 3])('seed %i', async (seed) => {
  operator = await Operator.start(seed);
  const { world } = operator;
  const dice = new Seeded(seed, streamOf('calls'));
  const home = await operator.home('home_a');
  const numbers: string[] = [];
  const phones: Phone[] = [];
  for (let i = 1; i <= 6; i++) {
    const line = await operator.line(home, i, { class: 'unmetered' });
    numbers.push(line.number);
    phones.push(await operator.ready(line, { answerAfter: 200 * i, ...(i % 2 && { believes: '192.168.1.9' }) }));
  }
  world.link({ loss: 0.1, delay: 20, jitter: 40, duplicate: 0.1 });
  const calls: PhoneCall[] = [];
  for (let i = 0; i < CALLS; i++) {
    const pick = <T>(from: readonly T[]): T => from[Math.floor(dice.fraction() * from.length)] as T;
    const callee = pick(phones);
    callee.manner = pick(['answer', 'answer', 'answer', 'ring', 'busy', 'decline']);
    const call = await pick(phones).dial(pick([...numbers, '+15550109999', '700']));
    calls.push(call);
    const act = pick(['hold', 'hangup', 'wait']);
    await world.run(dice.fraction() * 1_500);
    if (act === 'hold') call.hold(true);
    if (act === 'hangup') call.hangup();
    const other = pick(calls);
    if (dice.fraction() < 0.4) other.hangup();
  }
  await world.run(5_000);
  for (const phone of phones) for (const call of phone.calls) call.hangup();
  // Longer than any ringing, retransmission and question.
  await world.run(400_000);
  for (const phone of phones) expect(phone.calls.map((call) => call.state)).not.toContain('up');
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
  expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  expect(await operator.store.all('SELECT * FROM channel')).toEqual([]);
  expect(await operator.store.all('SELECT * FROM spool')).toEqual([]);
  expect(operator.running.get('softswitch')?.health().legs).toBe(0);
  const { items } = await operator.ask('session.list', { live: true });
  expect(items).toEqual([]);
  const cdrs = await operator.store.all<{ session: string; n: number }>(
    'SELECT session, COUNT(*) AS n FROM cdr GROUP BY session',
  );
  const ended = await operator.store.all<{ reason: string }>('SELECT DISTINCT reason FROM cdr');
  for (const { reason } of ended) reasons.add(reason);
  expect(cdrs.every((one) => one.n === 2 || one.n === 1)).toBe(true);
});
