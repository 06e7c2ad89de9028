/** Phones that watch their home's lines: busy lamps (RFC 4235) and waiting messages (RFC 3842). */
import { afterEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import type { Phone } from '#simulator/phone.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator?.stop());

/** Two lines of one home, and one of another. */
async function lines(seed: number): Promise<[Line, Line, Line]> {
  operator = await Operator.start(seed);
  const [home, other] = [await operator.home('home_1'), await operator.home('home_2')];
  return [await operator.line(home, 1), await operator.line(home, 2), await operator.line(other, 3)];
}

const watch = (phone: Phone, event: string, line: Line) =>
  operator.world.settle(phone.watches.start(event, line.number));
const states = (phone: Phone) => phone.watches.notified.map(({ body }) => /<state>(\w+)</.exec(body)?.[1] ?? 'none');

describe('the calls of another line of the home', () => {
  test('are shown from ringing to the end, each once, with the dialog of the phone and who calls', async () => {
    const [a, b, c] = await lines(1);
    const [desk, hall, outside] = [
      await operator.ready(a),
      await operator.ready(b, { answerAfter: 2_000 }),
      await operator.ready(c),
    ];
    expect(await watch(desk, 'dialog', b)).toBe(200);
    await operator.world.run(100);
    const call = await outside.dial(b.number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    await operator.world.run(100);
    call.hangup();
    await operator.world.run(1_000);
    expect(states(desk).filter((one, i, all) => one !== all[i - 1])).toEqual([
      'none',
      'early',
      'confirmed',
      'terminated',
    ]);
    const versions = desk.watches.notified.map(({ body }) => Number(/version="(\d+)"/.exec(body)?.[1]));
    expect(versions).toEqual(versions.map((_, i) => i));
    const shown = desk.watches.notified.find(({ body }) => body.includes('confirmed'))?.body ?? '';
    expect(shown).toContain(`call-id="${hall.calls[0]?.callId}"`);
    expect(shown).toContain(`<remote><identity display="Phone 3">sip:${c.number}@`);
    expect(shown).toContain('direction="recipient"');
  });

  test('that withhold their number are shown without it; its own calls are those of an initiator', async () => {
    const [a, b, c] = await lines(2);
    const [desk, hall, outside] = [await operator.ready(a), await operator.ready(b), await operator.ready(c)];
    await watch(desk, 'dialog', b);
    const call = await outside.dial(b.number, [['Privacy', 'id']]);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    await operator.world.run(100);
    expect(desk.watches.notified.at(-1)?.body).not.toContain('<remote>');
    call.hangup();
    await operator.world.run(1_000);
    const out = await hall.dial(c.number);
    await operator.world.until(() => out.state === 'up', 6_000, 'the answer');
    await operator.world.run(100);
    expect(desk.watches.notified.at(-1)?.body).toContain('direction="initiator"><state>confirmed</state>');
  });

  test('are nobody else’s business: 404 as for a line that does not exist; an unknown package is 489', async () => {
    const [a, b, c] = await lines(3);
    const [outside] = [await operator.ready(c), await operator.ready(a)];
    expect(await watch(outside, 'dialog', b)).toBe(404);
    expect(await watch(outside, 'dialog', { ...b, number: '+15550999999' })).toBe(404);
    expect(await watch(outside, 'presence', c)).toBe(489);
    expect(await watch(outside, 'message-summary', a)).toBe(404);
  });

  test('are no longer shown once the line is gone, and after the connection of who watched', async () => {
    const [a, b] = await lines(4);
    const desk = await operator.ready(a);
    await operator.ready(b);
    await watch(desk, 'dialog', b);
    await operator.world.run(100);
    await operator.store.commit([sql('DELETE FROM line WHERE id = ?', b.id)]);
    operator.bus.publish('lines.changed', { home: b.home });
    await operator.world.run(100);
    expect(desk.watches.notified.at(-1)?.header('Subscription-State')).toBe('terminated;reason=noresource');
  });
});

describe('waiting messages', () => {
  test('are counted for the line itself, and told when that changes', async () => {
    const [a, b] = await lines(5);
    const [desk, hall] = [await operator.ready(a), await operator.ready(b)];
    expect(await watch(hall, 'message-summary', a)).toBe(403);
    expect(await watch(desk, 'message-summary', a)).toBe(200);
    await operator.world.run(100);
    expect(desk.watches.notified.at(-1)?.body).toContain('Messages-Waiting: no');
    const row = (id: string, state: string) =>
      sql(
        'INSERT INTO message_recipient (message, n, party, line, home, state, expires_at) VALUES (?, 0, ?, ?, ?, ?, 0)',
        ...[id, a.number, a.id, a.home, state],
      );
    await operator.store.commit([
      row('m1', 'delivered'),
      row('m2', 'waiting'),
      row('m3', 'read'),
      row('m4', 'expired'),
    ]);
    operator.bus.publish('messages.changed', { line: a.id });
    await operator.world.run(100);
    expect(desk.watches.notified.at(-1)?.body).toMatch(/Messages-Waiting: yes\r\n[\s\S]*Text-Message: 2\/1 \(0\/0\)/);
    expect(desk.watches.notified).toHaveLength(2);
  });
});
