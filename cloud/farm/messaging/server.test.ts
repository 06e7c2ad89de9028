/** The messaging server's resource, groups and limits, in a whole cloud on the virtual world. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { notProblem } from '../../../test/api/fixture.ts';
import { MessagingRig, texts } from '../../../test/support/messaging.ts';
import { GROUPS_LIMIT } from './groups.ts';
import { HOME_RATE, LINE_RATE, QUEUE_LIMIT } from './intake.ts';

let rig: MessagingRig;
beforeEach(async () => {
  rig = await MessagingRig.start();
});
afterEach(() => rig.cloud.stop());

describe('limits and refusals', () => {
  const API: readonly (readonly [string, object, number, string?])[] = [
    ['nobody there', { to: '+15559999999', text: 'x' }, 404, 'callee_unknown'],
    ['another operator’s address', { to: 'sip:bob@example.org', text: 'x' }, 404, 'callee_unknown'],
    ['no such group', { group: 'grp_none', text: 'x' }, 404, 'callee_unknown'],
    ['neither party nor group', { text: 'x' }, 400],
    ['both', { to: '+15559999999', group: 'grp_1', text: 'x' }, 400],
    ['neither text nor body', { to: '+15559999999' }, 400],
    ['an empty text', { to: '+15559999999', text: '' }, 400],
    ['10,241 octets', { to: '+15559999999', text: `${'é'.repeat(5_120)}x` }, 413, 'too_large'],
    ['a content of our own', { to: '+15559999999', body: 'x', contentType: 'message/cpim' }, 415, 'message_content'],
    ['31 days', { to: '+15559999999', text: 'x', expiresIn: 31 * 86_400_000 }, 400],
  ];
  test('by the API', async () => {
    for (const [name, body, status, code] of API) {
      const got = await rig.cloud.ask({ method: 'POST', url: '/v1/messages', body: { from: rig.ada.id, ...body } });
      expect([got.status, notProblem(got, code as never)], name).toEqual([status, undefined]);
    }
  });

  const SIP: readonly (readonly [string, string, { readonly type?: string; readonly to?: string }, number])[] = [
    ['nobody there', 'x', { to: '+15559999999' }, 404],
    ['another kind of content', 'x', { type: 'image/png' }, 415],
    ['another charset', 'x', { type: 'text/plain;charset=utf-16' }, 415],
    ['octets that are no UTF-8', '\xff\xfe', {}, 415],
    ['no message/cpim', 'x', { type: 'message/cpim' }, 400],
    ['10,241 octets', 'x'.repeat(10_241), {}, 513],
    ['more than is looked at', 'x'.repeat(16_385), {}, 513],
  ];
  test('to a phone', async () => {
    const a = await rig.phone(rig.ada);
    for (const [name, body, { type = 'text/plain', to = rig.bob.number }, status] of SIP)
      expect(await rig.settle(a.messages.raw(to, type, body)), name).toBe(status);
  });

  test('a phone speaks for its own line alone', async () => {
    const a = await rig.phone(rig.ada);
    expect(await rig.settle(a.messages.send(rig.bob.number, 'me'))).toBe(202);
    expect(
      await rig.settle(a.messages.raw(rig.bob.number, 'text/plain', 'not me', `<sip:${rig.bob.number}@hearthline>`)),
    ).toBe(403);
    expect((await rig.list(rig.home)).map(({ text }) => text)).toEqual(['me']);
  });

  test('a line, and a home, may send so many and then waits', async () => {
    const a = await rig.phone(rig.ada);
    for (let n = 0; n < LINE_RATE.burst; n++)
      await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: `${n}` });
    const got = await rig.cloud.ask({
      method: 'POST',
      url: '/v1/messages',
      body: { from: rig.ada.id, to: rig.bob.number, text: 'one more' },
    });
    expect([got.status, notProblem(got, 'rate_limited'), Number(got.headers['retry-after']) > 0]).toEqual([
      429,
      undefined,
      true,
    ]);
    expect(await rig.settle(a.messages.send(rig.bob.number, 'one more'))).toBe(503);
    const lines = await Promise.all(
      [1, 2, 3].map(async () => (await rig.cloud.call('line.create', { home: rig.home })).id),
    );
    let sent = LINE_RATE.burst;
    for (; sent < HOME_RATE.burst * 2; sent++) {
      const body = { from: lines[sent % 3], to: rig.bob.number, text: 'x' };
      if ((await rig.cloud.ask({ method: 'POST', url: '/v1/messages', body })).status === 429) break;
    }
    expect(sent).toBeGreaterThanOrEqual(HOME_RATE.burst);
    expect(sent).toBeLessThan(HOME_RATE.burst * 1.5);
  });

  test(`more than ${QUEUE_LIMIT} messages do not wait for a line`, async () => {
    const { id } = await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'x' });
    await rig.cloud.store.commit(
      Array.from({ length: QUEUE_LIMIT - 1 }, (_, n) =>
        sql(
          "INSERT INTO message_copy (message, line, device, position, state, expires_at) VALUES (?, ?, '', ?, 'waiting', 9e15)",
          ...[`${id}.${n}`, rig.bob.id, 1_000 + n],
        ),
      ),
    );
    const got = await rig.cloud.ask({
      method: 'POST',
      url: '/v1/messages',
      body: { from: rig.ada.id, to: rig.bob.number, text: 'x' },
    });
    expect([got.status, notProblem(got, 'queue_full')]).toEqual([409, undefined]);
  });
});

test('while the server is stopped both ways in say so, and afterwards what waited goes on', async () => {
  const [a, b] = [await rig.phone(rig.ada), await rig.phone(rig.bob, 'b')];
  await rig.settle(b.register(0));
  await rig.cloud.world.run(100);
  await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'before' });
  await rig.cloud.call('farm.stop', { server: 'messaging' });
  const body = { from: rig.ada.id, to: rig.bob.number, text: 'x' };
  const got = await rig.cloud.ask({ method: 'POST', url: '/v1/messages', body });
  expect([got.status, notProblem(got, 'server_unavailable'), got.text.includes('messaging')]).toEqual([
    503,
    undefined,
    true,
  ]);
  expect(await rig.settle(a.messages.send(rig.bob.number, 'x'))).toBe(503);
  await rig.settle(b.register());
  await rig.cloud.call('farm.start', { server: 'messaging' });
  await rig.cloud.world.run(1_000);
  expect(texts(b)).toEqual(['before']);
});

describe('groups', () => {
  test('are made, changed and removed by their home; a message goes to all others, each home sees its own', async () => {
    const cat = await rig.cloud.call('line.create', { home: rig.other });
    const [a, b, c] = [await rig.phone(rig.ada), await rig.phone(rig.bob), await rig.phone(cat)];
    const members = [rig.ada.id, rig.bob.number, rig.bob.number];
    const { id: group } = await rig.cloud.call('group.create', { home: rig.home, name: 'Family', members });
    expect(
      await rig.cloud.call('group.update', { group, members: [rig.ada.id, rig.bob.number, cat.number] }),
    ).toMatchObject({
      name: 'Family',
      members: [rig.ada.id, rig.bob.number, cat.number],
    });
    expect((await rig.cloud.call('group.list', { home: rig.home })).items).toHaveLength(1);
    expect(await rig.settle(b.messages.send(group, 'hello all'))).toBe(202);
    await rig.cloud.world.run(500);
    expect([texts(a), texts(b), texts(c)]).toEqual([['hello all'], [], ['hello all']]);
    const mine = await rig.cloud.subscriber('ada', [rig.home]);
    const { items } = await rig.cloud.call('message.list', {}, mine);
    expect(items).toMatchObject([{ group, recipients: [{ party: rig.ada.number }] }]);
    await rig.cloud.ask({ method: 'DELETE', url: `/v1/groups/${group}` });
    expect(await rig.settle(b.messages.send(group, 'still there?'))).toBe(404);
  });

  test('who does not belong to a group cannot write to it', async () => {
    const cat = await rig.cloud.call('line.create', { home: rig.other });
    const c = await rig.phone(cat);
    const { id } = await rig.cloud.call('group.create', {
      home: rig.home,
      name: 'Two',
      members: [rig.ada.id, rig.bob.id],
    });
    expect(await rig.settle(c.messages.send(id, 'let me in'))).toBe(404);
  });

  test(`a home has at most ${GROUPS_LIMIT}, and one at most 64 members`, async () => {
    const body = { home: rig.home, name: 'x', members: Array.from({ length: 65 }, (_, n) => `+1555010${1000 + n}`) };
    expect((await rig.cloud.ask({ method: 'POST', url: '/v1/groups', body })).status).toBe(400);
    for (let n = 0; n < GROUPS_LIMIT; n++)
      await rig.cloud.call('group.create', { home: rig.home, name: `${n}`, members: body.members.slice(0, 64) });
    const got = await rig.cloud.ask({
      method: 'POST',
      url: '/v1/groups',
      body: { home: rig.home, name: 'x', members: [rig.ada.id] },
    });
    expect([got.status, notProblem(got, 'limit_reached')]).toEqual([409, undefined]);
    const first = await rig.cloud.call('group.list', { home: rig.home, limit: 60 });
    const rest = await rig.cloud.call('group.list', {
      home: rig.home,
      limit: 60,
      ...(first.next ? { after: first.next } : {}),
    });
    expect([first.items.length, rest.items.length, rest.next]).toEqual([60, GROUPS_LIMIT - 60, undefined]);
  });
});

describe('the resource', () => {
  test('the same Idempotency-Key is one message; lists have pages; a deleted one is gone for that home alone', async () => {
    const ask = () =>
      rig.cloud.ask({
        method: 'POST',
        url: '/v1/messages',
        headers: { 'idempotency-key': 'k1' },
        body: { from: rig.ada.id, to: rig.bob.number, text: 'one' },
      });
    const [first, second] = [await ask(), await ask()];
    expect([first.status, second.body.id]).toEqual([201, first.body.id]);
    for (const text of ['two', 'three'])
      await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text });
    const page = await rig.cloud.call('message.list', { home: rig.home, limit: 2 });
    const rest = await rig.cloud.call('message.list', {
      home: rig.home,
      limit: 2,
      ...(page.next ? { after: page.next } : {}),
    });
    expect([...page.items, ...rest.items].map(({ text }) => text)).toEqual(['three', 'two', 'one']);
    const reader = await rig.cloud.subscriber('bea', [rig.other]);
    const url = `/v1/messages/${first.body.id}`;
    expect((await rig.cloud.ask({ method: 'DELETE', url, token: reader })).status).toBe(204);
    expect((await rig.cloud.ask({ url, token: reader })).status).toBe(404);
    expect([(await rig.list(rig.home)).length, (await rig.list(rig.other)).length]).toEqual([3, 2]);
  });

  test('another home cannot send from a line, nor see, read or delete what is not its own', async () => {
    const { id: message } = await rig.cloud.call('message.send', {
      from: rig.ada.id,
      to: rig.ada.number,
      text: 'note to self',
    });
    const token = await rig.cloud.subscriber('bea', [rig.other]);
    const from = { from: rig.ada.id, to: rig.bob.number, text: 'x' };
    expect((await rig.cloud.ask({ method: 'POST', url: '/v1/messages', body: from, token })).status).toBe(404);
    for (const [method, url] of [
      ['GET', `/v1/messages/${message}`],
      ['POST', `/v1/messages/${message}/read`],
      ['DELETE', `/v1/messages/${message}`],
    ] as const)
      expect((await rig.cloud.ask({ method, url, token })).status).toBe(404);
    expect(await rig.cloud.call('message.get', { message })).toMatchObject({ state: 'accepted' });
  });
});

describe('an address outside', () => {
  const mails = async (mailbox: string) =>
    (await rig.cloud.call('mail.list', { mailbox, folder: 'inbox' })).items.map(({ subject }) => subject);

  test('a message to mailto: goes out as a mail of the sender’s home, once; without a mailbox it says why not', async () => {
    const box = await rig.cloud.call('mailbox.create', { home: rig.other, address: 'oak' });
    const send = () =>
      rig.cloud.call('message.send', { from: rig.ada.id, to: `mailto:${box.address}`, text: 'by mail\nand more' });
    const { id: failed } = await send();
    await rig.cloud.world.run(1_000);
    expect(await rig.cloud.call('message.get', { message: failed })).toMatchObject({
      state: 'failed',
      recipients: [{ party: `mailto:${box.address}`, reason: 'mailbox_missing' }],
    });
    await rig.cloud.call('mailbox.create', { home: rig.home, address: 'elm' });
    const { id: message } = await send();
    await rig.cloud.world.run(60_000);
    expect(await rig.cloud.call('message.get', { message })).toMatchObject({ state: 'delivered' });
    expect(await mails(box.id)).toEqual(['Ada: by mail']);
  });
});
