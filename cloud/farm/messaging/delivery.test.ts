/** From phone to phone, in a whole cloud on the virtual world: once for each, in order, whatever is off in between. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { MessagingRig, texts } from '../../../test/support/messaging.ts';
import { KEPT } from './expiry.ts';

let rig: MessagingRig;
beforeEach(async () => {
  rig = await MessagingRig.start();
});
afterEach(() => rig.cloud.stop());

describe('from phone to phone', () => {
  test('a text goes over, its sender is answered 202, and the message is on both homes’ lists', async () => {
    const [a, b] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    expect(await rig.settle(a.messages.send(rig.bob.number, 'Hallo Bøb ☎'))).toBe(202);
    await rig.cloud.world.run(500);
    expect(b.messages.shown).toMatchObject([{ text: 'Hallo Bøb ☎', from: `sip:${rig.ada.number}@hearthline` }]);
    for (const one of [rig.home, rig.other]) {
      expect(await rig.list(one)).toMatchObject([
        {
          text: 'Hallo Bøb ☎',
          state: 'delivered',
          from: { line: rig.ada.id },
          recipients: [{ line: rig.bob.id, devices: 1 }],
        },
      ]);
      expect(await rig.events(one)).toEqual([
        ['accepted', undefined],
        ['delivered', undefined],
      ]);
    }
  });

  test.each([
    ['the same Message-ID', { id: 'x-1' }],
    ['the same Call-ID and CSeq', { callId: 'again@phone' }],
  ])('%s is the same message, however often it is sent', async (_name, options) => {
    const [a, b] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    for (let n = 0; n < 3; n++) expect(await rig.settle(a.messages.send(rig.bob.number, 'once', options))).toBe(202);
    await rig.cloud.world.run(40_000);
    expect([texts(b), b.messages.heard]).toEqual([['once'], 1]);
    expect(await rig.list(rig.home)).toHaveLength(1);
  });

  test('two phones of the callee: each gets it once, and the sender hears of delivery and reading once', async () => {
    const [a, b, c] = [await rig.phone(rig.ada), await rig.phone(rig.bob, 'b'), await rig.phone(rig.bob, 'c')];
    await rig.settle(
      a.messages.send(rig.bob.number, 'both', { id: 'm-1', receipts: ['positive-delivery', 'display'] }),
    );
    await rig.cloud.world.run(500);
    for (const phone of [b, c]) for (const one of phone.messages.shown) await rig.settle(phone.messages.read(one));
    await rig.cloud.world.run(500);
    expect([texts(b), texts(c)]).toEqual([['both'], ['both']]);
    expect(a.messages.receipts).toEqual([
      { id: 'm-1', status: 'delivered' },
      { id: 'm-1', status: 'displayed' },
    ]);
    expect(await rig.list(rig.home)).toMatchObject([{ state: 'read', recipients: [{ devices: 2 }] }]);
  });

  test('reading by the API tells the sender’s phone too', async () => {
    const [a] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    await rig.settle(a.messages.send(rig.bob.number, 'look', { id: 'm-2', receipts: ['display'] }));
    await rig.cloud.world.run(500);
    const [{ id: message } = { id: '' }] = await rig.list(rig.other);
    const reader = await rig.cloud.subscriber('bea', [rig.other]);
    expect(await rig.cloud.call('message.read', { message }, reader)).toMatchObject({ state: 'read' });
    await rig.cloud.world.run(500);
    expect(a.messages.receipts).toEqual([{ id: 'm-2', status: 'displayed' }]);
    expect((await rig.events(rig.home)).map(([type]) => type)).toEqual(['accepted', 'delivered', 'read']);
  });

  test('only a phone of the callee can say that it was read', async () => {
    const [a] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    const eve = await rig.phone(await rig.cloud.call('line.create', { home: rig.home }));
    await rig.settle(a.messages.send(rig.bob.number, 'secret', { id: 'm-3', receipts: ['display'] }));
    await rig.cloud.world.run(500);
    const [{ id } = { id: '' }] = await rig.list(rig.home);
    expect(
      await rig.settle(
        eve.messages.read({ text: '', from: `sip:${rig.ada.number}@hearthline`, id, wantsDisplay: true }),
      ),
    ).toBe(404);
    expect(await rig.list(rig.home)).toMatchObject([{ state: 'delivered' }]);
  });
});

describe('what phones do with messages', () => {
  test('one that takes plain text only gets plain text, and still counts as delivered', async () => {
    const [a, b] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    b.messages.manner = 'plain';
    for (const id of ['p-1', 'p-2'])
      await rig.settle(a.messages.send(rig.bob.number, id, { id, receipts: ['positive-delivery'] }));
    await rig.cloud.world.run(500);
    expect(texts(b)).toEqual(['p-1', 'p-2']);
    // The first try of the first message was CPIM; then the phone was known.
    expect(b.messages.heard).toBe(3);
    expect(a.messages.receipts.map(({ id }) => id)).toEqual(['p-1', 'p-2']);
  });

  test('one that refuses ends it with its status; one that fails is tried again, in order', async () => {
    const [a, b] = [await rig.phone(rig.ada), await rig.phone(rig.bob)];
    b.messages.manner = 'refuse';
    await rig.settle(a.messages.send(rig.bob.number, 'no'));
    await rig.cloud.world.run(500);
    expect(await rig.list(rig.home)).toMatchObject([
      { state: 'failed', recipients: [{ reason: 'message_refused 603' }] },
    ]);
    b.messages.manner = 'fail';
    for (const text of ['first', 'second']) await rig.settle(a.messages.send(rig.bob.number, text));
    await rig.cloud.world.run(8_000);
    expect(texts(b)).toEqual([]);
    b.messages.manner = 'take';
    await rig.cloud.world.run(60_000);
    expect(texts(b)).toEqual(['first', 'second']);
    expect((await rig.events(rig.other)).filter(([type]) => type === 'failed')).toEqual([
      ['failed', 'message_refused 603'],
    ]);
  });

  test('what is too large for a datagram is not sent over UDP, and is over TCP', async () => {
    await rig.phone(rig.bob);
    const text = 'x'.repeat(1_300);
    await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text });
    await rig.cloud.world.run(500);
    expect(await rig.list(rig.home)).toMatchObject([{ state: 'failed', recipients: [{ reason: 'too_large 513' }] }]);
    const cat = await rig.cloud.call('line.create', { home: rig.other });
    const server = rig.cloud.cloud.config.bound.sipTcp ?? { host: '', port: 0 };
    const c = await rig.phone(cat, undefined, { protocol: 'tcp', server });
    await rig.cloud.call('message.send', { from: rig.ada.id, to: cat.number, text });
    await rig.cloud.world.run(500);
    expect(texts(c)).toEqual([text]);
  });

  test('a phone known by its contact alone that comes back elsewhere inherits what waits', async () => {
    const b = await rig.phone(rig.bob);
    await rig.settle(b.close());
    await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'for whoever comes' });
    await rig.cloud.world.run(40_000);
    const again = await rig.phone(rig.bob);
    // The old contact counts until its registration has run out.
    await rig.cloud.world.run(400_000);
    expect(texts(again)).toEqual(['for whoever comes']);
    expect(await rig.list(rig.other)).toMatchObject([{ state: 'delivered', recipients: [{ devices: 1 }] }]);
  });
});

describe('waiting', () => {
  test('without a phone it waits for the first that comes, and expires with its reason when none does', async () => {
    await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'short', expiresIn: 1_000 });
    await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'long' });
    await rig.cloud.world.run(15_000);
    const b = await rig.phone(rig.bob, 'b');
    await rig.cloud.world.run(1_000);
    expect(texts(b)).toEqual(['long']);
    const [, short] = await rig.list(rig.home);
    expect(short).toMatchObject({ state: 'expired', recipients: [{ reason: 'message_expired', devices: 0 }] });
    expect((await rig.events(rig.other)).filter(([type]) => type === 'expired')).toEqual([
      ['expired', 'message_expired'],
    ]);
    const c = await rig.phone(rig.bob, 'c');
    await rig.cloud.world.run(1_000);
    // It had been delivered before this phone was ever seen.
    expect(texts(c)).toEqual([]);
  });

  test('Expires of a MESSAGE bounds its wait (RFC 3428 section 4)', async () => {
    const a = await rig.phone(rig.ada);
    expect(await rig.settle(a.messages.send(rig.bob.number, 'hurry', { expires: 5 }))).toBe(202);
    await rig.cloud.world.run(20_000);
    expect(await rig.list(rig.home)).toMatchObject([{ state: 'expired' }]);
  });

  test('… from when it was sent, where that is said (section 7)', async () => {
    const a = await rig.phone(rig.ada);
    const date = new Date(rig.cloud.world.host('clock', ['10.9.0.1']).clock.wall() - 290_000).toUTCString();
    expect(await rig.settle(a.messages.send(rig.bob.number, 'old news', { expires: 300, date }))).toBe(202);
    await rig.cloud.world.run(25_000);
    expect(await rig.list(rig.home)).toMatchObject([{ state: 'expired' }]);
  });

  test('messages are kept for 90 days and then forgotten', async () => {
    await rig.cloud.call('message.send', { from: rig.ada.id, to: rig.bob.number, text: 'old' });
    const { store } = rig.cloud;
    await store.commit([sql('UPDATE message SET created_at = created_at - ?', KEPT + 1)]);
    await rig.cloud.world.run(15_000);
    expect(await rig.list(rig.home)).toEqual([]);
    for (const table of ['message', 'message_copy', 'message_recipient', 'message_home'])
      expect(await store.all(`SELECT * FROM ${table}`)).toEqual([]);
  });
});
