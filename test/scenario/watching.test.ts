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
      'trying',
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
    out.hangup();
    await operator.world.run(1_000);
    // What opens the bar is not for the other phones of the home.
    await hall.dial(`*33*4711*${c.number}`);
    await operator.world.run(3_000);
    const told = desk.watches.notified.map(({ body }) => body).join();
    expect([told.includes('*33*(hidden)*'), told.includes('4711')]).toEqual([true, false]);
  });

  test('are nobody else’s business: 404 as for a line that does not exist; an unknown package is 489', async () => {
    const [a, b, c] = await lines(3);
    const [outside] = [await operator.ready(c), await operator.ready(a)];
    expect(await watch(outside, 'dialog', b)).toBe(404);
    expect(await watch(outside, 'dialog', { ...b, number: '+15550999999' })).toBe(404);
    expect(await watch(outside, 'presence', c)).toBe(489);
    expect(await watch(outside, 'message-summary', a)).toBe(404);
    // Nobody has the subscription that this would refresh, not even for the own line.
    expect(await operator.world.settle(outside.watches.start('dialog', c.number, 600, 'none'))).toBe(481);
    expect(outside.watches.notified).toEqual([]);
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

describe('a softswitch that starts again', () => {
  const full = (phone: Phone) => phone.watches.notified.at(-1);
  const count = (phone: Phone) => phone.watches.notified.length;
  const restart = async (kill: boolean) => {
    // Killed, it writes nothing more; stopped, it says farewell to nobody either.
    if (kill) operator.world.partition(['cloud']);
    await operator.stopPart('softswitch');
    operator.world.heal();
    await operator.startPart('softswitch');
    await operator.world.run(100);
  };
  test.each([true, false])('goes on telling, with all that is so now, and later changes (killed: %s)', async (kill) => {
    const [a, b, c] = await lines(6);
    const [desk, , outside] = [await operator.ready(a), await operator.ready(b), await operator.ready(c)];
    for (const event of ['dialog', 'message-summary']) await watch(desk, event, event === 'dialog' ? b : a);
    const call = await outside.dial(b.number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    await operator.world.run(500);
    const before = count(desk);
    const left = Number(/expires=(\d+)/.exec(full(desk)?.header('Subscription-State') ?? '')?.[1]);
    await operator.world.run(60_000);
    await restart(kill);
    expect(count(desk)).toBe(before + 2);
    const [lamp] = desk.watches.notified.slice(before).filter(({ body }) => body.includes('dialog-info'));
    expect(lamp?.body).toContain('>confirmed<');
    expect(lamp?.body).toContain('state="full"');
    const now = Number(/expires=(\d+)/.exec(lamp?.header('Subscription-State') ?? '')?.[1]);
    expect(now).toBeLessThan(left - 55);
    call.hangup();
    await operator.world.run(1_000);
    expect(full(desk)?.body).toContain('>terminated<');
    const versions = desk.watches.notified.flatMap(({ body }) => {
      const found = /version="(\d+)"/.exec(body)?.[1];
      return found === undefined ? [] : [Number(found)];
    });
    expect(versions).toEqual([...new Set(versions)].sort((x, y) => x - y));
    for (const event of ['dialog', 'message-summary']) {
      const of = desk.watches.notified.filter((one) => one.header('Event') === event).map(({ cseq }) => cseq.n);
      expect(of).toEqual([...new Set(of)].sort((x, y) => x - y));
    }
    expect((await operator.store.all('SELECT tag FROM subscription')).length).toBe(2);
    await operator.world.run(600_000);
    expect(full(desk)?.header('Subscription-State')).toBe('terminated;reason=timeout');
    await operator.world.run(1_000);
    expect(await operator.store.all('SELECT tag FROM subscription')).toEqual([]);
  });

  test('tells who asked for one call of that one alone (RFC 4235 section 3.2)', async () => {
    const [a, b, c] = await lines(13);
    const [desk, hall, outside] = [await operator.ready(a), await operator.ready(b), await operator.ready(c)];
    const call = await outside.dial(b.number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    const own = hall.calls[0];
    if (own === undefined) throw new Error('no call');
    const { callId, localTag, remoteTag } = hall.dialogOf(own);
    const named = `dialog;call-id="${callId}";to-tag=${localTag};from-tag=${remoteTag}`;
    expect(await watch(desk, named, b)).toBe(200);
    expect(await watch(desk, 'dialog;call-id=other;to-tag=1;from-tag=2', b)).toBe(200);
    await operator.world.run(100);
    const told = () => desk.watches.notified.slice(-2).map(({ body }) => body.split('<dialog ').length - 1);
    expect([told().sort(), desk.watches.notified.at(-1)?.header('Event')]).toEqual([[0, 1], 'dialog']);
    const before = count(desk);
    await restart(true);
    expect(count(desk)).toBe(before + 2);
    expect(told().sort()).toEqual([0, 1]);
  });

  test('and a call that is taken over go on without the number that its caller withholds (RFC 3325 section 7)', async () => {
    const [a, b, c] = await lines(8);
    const [desk, , outside] = [await operator.ready(a), await operator.ready(b), await operator.ready(c)];
    await watch(desk, 'dialog', b);
    const call = await outside.dial(b.number, [['Privacy', 'id']]);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    await operator.world.run(500);
    await restart(true);
    const [{ session = '' } = {}] = (await operator.ask('channel.list', {})).items;
    expect((await operator.ask('channel.part', { session })).legs).toHaveLength(2);
    await watch(desk, 'dialog', b);
    await operator.world.run(500);
    expect(full(desk)?.body).toContain('<state>confirmed</state>');
    expect(desk.watches.notified.filter(({ body }) => body.includes('<remote>'))).toEqual([]);
  });

  test('says nothing to a phone whose connection broke with it, until that subscribes over another', async () => {
    const [a, b] = await lines(7);
    const server = { host: '10.0.0.2', port: operator.config.bound.sipTcp?.port ?? 0 };
    const over = (host: string) => operator.ready(a, { protocol: 'tcp', server, host });
    const desk = await over('10.1.0.71');
    const hall = await operator.ready(b);
    await watch(desk, 'dialog', b);
    await operator.world.run(100);
    const before = desk.watches.notified.length;
    await restart(false);
    const again = await over('10.1.0.72');
    await watch(again, 'dialog', b);
    await hall.dial(a.number);
    await operator.world.run(1_000);
    expect(desk.watches.notified).toHaveLength(before);
    expect(again.watches.notified.at(-1)?.body).toContain('initiator');
  });
});
