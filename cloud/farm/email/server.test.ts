import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { MailRig, OPERATOR, subscriber } from '../../../test/support/mail-rig.ts';
import { MAILBOXES_PER_HOME } from './mailboxes.ts';
import { RECIPIENT_RATE } from './send.ts';

let rig: MailRig;
let elm: VerbReply<'mailbox.create'>;
let oak: VerbReply<'mailbox.create'>;

beforeEach(async () => {
  rig = await MailRig.open();
  elm = await rig.get('mailbox.create', { home: 'home_1', address: 'elm', name: 'Elm Street' });
  oak = await rig.get('mailbox.create', { home: 'home_2', address: 'oak' });
});
afterEach(() => rig.close());

const inbox = (mailbox: string) => rig.get('mail.list', { mailbox, folder: 'inbox' });

describe('mailboxes', () => {
  it('a home’s has the address that was asked for, a line’s its number with and without plus', async () => {
    expect(elm).toMatchObject({ address: 'elm@hearthline', kind: 'home', notices: true, used: 0, unseen: 0 });
    const line = await rig.get('mailbox.create', { home: 'home_1', line: 'line_1' });
    expect(line.addresses).toEqual(['+15550100001@hearthline', '15550100001@hearthline']);
    expect((await rig.get('mailbox.get', { mailbox: line.id })).addresses).toEqual(line.addresses);
    const listed = (await rig.get('mailbox.list', { home: 'home_1' })).items.map(({ id }) => id);
    expect(listed.sort()).toEqual([elm.id, line.id].sort());
  });

  it('an address is given once, reserved ones never, and without one the home’s name is taken', async () => {
    for (const address of ['elm', 'postmaster', 'app'])
      expect(await rig.ask('mailbox.create', { home: 'home_1', address })).toMatchObject({
        fault: { code: 'mail_address_taken' },
      });
    expect((await rig.get('mailbox.create', { home: 'home_1' })).address).toBe('h@hearthline');
    expect((await rig.get('mailbox.create', { home: 'home_2' })).address).toBe('h-2@hearthline');
    await rig.get('mailbox.create', { home: 'home_1', line: 'line_1' });
    expect(await rig.ask('mailbox.create', { home: 'home_1', line: 'line_1' })).toMatchObject({
      fault: { code: 'mail_address_taken', pointer: '/line' },
    });
  });

  it('another home’s line gets none, and a home no more than its number of them', async () => {
    expect(await rig.ask('mailbox.create', { home: 'home_1', line: 'line_2' })).toMatchObject({
      fault: { code: 'not_found' },
    });
    for (let i = 1; i < MAILBOXES_PER_HOME; i++) await rig.get('mailbox.create', { home: 'home_1', address: `b${i}` });
    expect(await rig.ask('mailbox.create', { home: 'home_1', address: 'more' })).toMatchObject({
      fault: { code: 'limit_reached' },
    });
  });

  it('a changed name and notices stay; a new password ends the old one', async () => {
    await rig.get('mailbox.set', { mailbox: elm.id, name: 'Elm', notices: false });
    expect(await rig.get('mailbox.get', { mailbox: elm.id })).toMatchObject({ name: 'Elm', notices: false });
    const renewed = await rig.get('mailbox.password', { mailbox: elm.id });
    expect(renewed.smtp.password).not.toBe(elm.smtp.password);
  });

  it('the addresses of a line end with the line, its mails stay', async () => {
    const line = await rig.get('mailbox.create', { home: 'home_1', line: 'line_1' });
    await rig.get('mail.send', { mailbox: oak.id, to: [line.address], subject: 's', text: 't' });
    await rig.removeLine('line_1');
    expect(await rig.get('mailbox.get', { mailbox: line.id })).toMatchObject({ addresses: [], unseen: 1 });
  });
});

describe('mail between homes', () => {
  it('arrives at once, with text, attachments and events; the sender keeps a copy', async () => {
    const content = Buffer.from('a sound').toString('base64');
    const sent = await rig.get('mail.send', {
      mailbox: elm.id,
      to: ['Oak@hearthline'],
      subject: 'Grüße',
      text: 'Hällo\nsecond line',
      html: '<b>Hi</b>',
      attachments: [{ name: 'täst.wav', type: 'audio/wav', content }],
    });
    expect(sent.state).toBe('delivered');
    const [summary] = (await inbox(oak.id)).items;
    expect(summary).toMatchObject({ from: 'elm@hearthline', subject: 'Grüße', seen: false, home: 'home_2' });
    const mail = await rig.get('mail.get', { mail: summary?.id ?? '' });
    expect(mail).toMatchObject({
      text: 'Hällo\nsecond line',
      html: expect.stringContaining('<b>Hi</b>'),
      cut: false,
      messageId: sent.messageId,
    });
    expect(mail.attachments).toEqual([{ id: 'att_1', name: 'täst.wav', type: 'audio/wav', size: 7 }]);
    const part = await rig.get('mail.attachment', { mail: mail.id, attachment: 'att_1' });
    expect(part.content).toBe(content);
    const copy = await rig.get('mail.get', { mail: sent.id });
    expect(copy).toMatchObject({ folder: 'sent', recipients: [{ address: 'Oak@hearthline', state: 'delivered' }] });
    expect(await rig.events()).toEqual([
      ['home.mail.v1.delivered', 'home_1', sent.id],
      ['home.mail.v1.received', 'home_2', mail.id],
    ]);
  });

  it('is marked, counted and deleted; its octets go with the last copy', async () => {
    const sent = await rig.get('mail.send', { mailbox: elm.id, to: ['oak@hearthline'], subject: 's', text: 't' });
    const [{ id } = { id: '' }] = (await inbox(oak.id)).items;
    expect(await rig.get('mail.mark', { mail: id, seen: true })).toMatchObject({ seen: true });
    expect(await rig.get('mailbox.get', { mailbox: oak.id })).toMatchObject({ unseen: 0 });
    expect((await rig.get('mailbox.get', { mailbox: oak.id })).used).toBeGreaterThan(100);
    await rig.get('mail.delete', { mail: id });
    expect(await rig.get('mailbox.get', { mailbox: oak.id })).toMatchObject({ used: 0 });
    expect(await rig.count('mail_raw')).toBe(1);
    await rig.get('mail.delete', { mail: sent.id });
    expect([await rig.count('mail_raw'), await rig.count('mail'), await rig.count('mail_recipient')]).toEqual([
      0, 0, 0,
    ]);
  });

  it('goes to a sub-address and once to a mailbox that several recipients name', async () => {
    await rig.get('mail.send', {
      mailbox: elm.id,
      to: ['oak@hearthline', 'oak+x@HEARTHLINE'],
      subject: 's',
      text: 't',
    });
    expect((await inbox(oak.id)).items).toHaveLength(1);
  });

  it('pages by cursor, newest first', async () => {
    for (let i = 0; i < 5; i++) {
      await rig.get('mail.send', { mailbox: elm.id, to: ['oak@hearthline'], subject: `${i}`, text: 't' });
      await rig.world.run(5);
    }
    const first = await rig.get('mail.list', { mailbox: oak.id, limit: 3 });
    const second = await rig.get('mail.list', { mailbox: oak.id, limit: 3, after: first.next ?? '' });
    expect([...first.items, ...second.items].map(({ subject }) => subject)).toEqual(['4', '3', '2', '1', '0']);
    expect(second.next).toBeUndefined();
  });

  it('from a home goes out of its own mailbox; without any it is refused', async () => {
    const sent = await rig.get('mail.send', { home: 'home_1', to: ['oak@hearthline'], subject: 's', text: 't' });
    expect(await rig.get('mail.get', { mail: sent.id })).toMatchObject({ from: 'elm@hearthline' });
    expect(
      await rig.ask('mail.send', { home: 'home_3', to: ['oak@hearthline'], subject: 's', text: 't' }),
    ).toMatchObject({ fault: { code: 'mailbox_missing' } });
  });

  it.each([
    ['an unknown mailbox', 'nobody@hearthline', 'mail_recipient_unknown'],
    ['another domain without a route', 'a@example.org', 'mail_no_route'],
    ['no address', 'a@b..c', 'mail_address_invalid'],
  ])('%s: refused, and nothing of it is kept', async (_what, address, code) => {
    const request = { mailbox: elm.id, to: ['oak@hearthline', address], subject: 's', text: 't' };
    expect(await rig.ask('mail.send', request)).toMatchObject({ fault: { code } });
    expect(await rig.count('mail_raw')).toBe(0);
  });

  it('a mailbox without room refuses, whoever sends', async () => {
    await rig.fill(oak.id);
    const request = { mailbox: elm.id, to: ['oak@hearthline'], subject: 's', text: 't' };
    expect(await rig.ask('mail.send', request)).toMatchObject({ fault: { code: 'mailbox_full' } });
    expect(await rig.count('mail')).toBe(0);
  });

  it('a mailbox that writes to itself needs room for two copies', async () => {
    await rig.fill(elm.id, 1_500);
    const request = { mailbox: elm.id, to: ['elm@hearthline'], subject: 's', text: 'x'.repeat(800) };
    expect(await rig.ask('mail.send', request)).toMatchObject({ fault: { code: 'mailbox_full' } });
  });

  it('of two mails at once that do not both fit, one is refused', async () => {
    const text = 'x'.repeat(800);
    await rig.fill(oak.id, 1_500);
    const request = (subject: string) => ({ mailbox: elm.id, to: ['oak@hearthline'], subject, text });
    const both = [
      rig.bus.request('mail.send', request('a'), OPERATOR),
      rig.bus.request('mail.send', request('b'), OPERATOR),
    ];
    const outcomes = await rig.world.settle(Promise.all(both));
    expect(outcomes.map((one) => (one.ok ? 'sent' : one.fault.code)).sort()).toEqual(['mailbox_full', 'sent']);
    expect(await rig.count('mail_raw')).toBe(1);
  });

  it('a mailbox writes to so many recipients an hour and no more', async () => {
    const to = ['oak@hearthline'];
    for (let i = 0; i < RECIPIENT_RATE.burst; i++)
      await rig.get('mail.send', { mailbox: elm.id, to, subject: 's', text: 't' });
    const refused = await rig.ask('mail.send', { mailbox: elm.id, to, subject: 's', text: 't' });
    expect(refused).toMatchObject({ fault: { code: 'rate_limited', retryAfter: expect.any(Number) } });
    expect(await rig.ask('mail.send', { mailbox: oak.id, to, subject: 's', text: 't' })).toMatchObject({ ok: true });
  });

  it('the same key sends once', async () => {
    const context = { ...OPERATOR, idempotency: { scope: 's', key: 'k', bodyHash: 'h' } };
    const request = { mailbox: elm.id, to: ['oak@hearthline'], subject: 's', text: 't' };
    const [a, b] = [await rig.get('mail.send', request, context), await rig.get('mail.send', request, context)];
    expect(b).toEqual(a);
    expect((await inbox(oak.id)).items).toHaveLength(1);
  });
});

describe('who sees what', () => {
  it('a subscriber sees its own home’s mailboxes and mails, the operator all, postmaster’s too', async () => {
    const sent = await rig.get('mail.send', {
      mailbox: elm.id,
      to: ['oak@hearthline', 'postmaster@hearthline'],
      subject: 's',
      text: 't',
    });
    const ada = subscriber('home_1');
    expect((await rig.get('mailbox.list', {}, ada)).items.map(({ id }) => id)).toEqual([elm.id]);
    expect((await rig.get('mail.list', {}, ada)).items.map(({ id }) => id)).toEqual([sent.id]);
    expect((await rig.get('mail.list', {})).items).toHaveLength(3);
    const [theirs] = (await inbox(oak.id)).items;
    for (const verb of ['mail.get', 'mail.delete'] as const)
      expect(await rig.ask(verb, { mail: theirs?.id ?? '' }, ada)).toMatchObject({ fault: { code: 'not_found' } });
    expect(
      await rig.ask('mail.send', { mailbox: oak.id, to: ['elm@hearthline'], subject: '', text: '' }, ada),
    ).toMatchObject({ fault: { code: 'not_found' } });
    expect(await rig.ask('mail.list', { mailbox: oak.id }, ada)).toMatchObject({ fault: { code: 'not_found' } });
    expect(await rig.ask('mailbox.list', { home: 'home_2' }, ada)).toMatchObject({ fault: { code: 'not_found' } });
  });
});

describe('an application’s address', () => {
  it('starts it: the event has the install as its subject, the mail is kept for the home', async () => {
    const made = await rig.get('mail.tag.create', { home: 'home_1', subject: 'ins_7', tag: 'bell' });
    expect(made).toMatchObject({ tag: 'bell', address: 'app+bell@hearthline' });
    expect(await rig.get('mail.tag.create', { home: 'home_1', subject: 'ins_7', tag: 'bell' })).toEqual(made);
    expect(await rig.ask('mail.tag.create', { home: 'home_2', subject: 'ins_8', tag: 'bell' })).toMatchObject({
      fault: { code: 'mail_address_taken' },
    });
    await rig.get('mail.send', { mailbox: oak.id, to: [made.address], subject: 'Ring', text: 'now' });
    const [mail] = (await inbox(made.mailbox)).items;
    expect(await rig.lastEvent('home.mail.v1.received')).toMatchObject({
      home: 'home_1',
      subject: 'ins_7',
      data: { mail: mail?.id, tag: 'bell', application: 'ins_7', subject: 'Ring', from: 'oak@hearthline' },
    });
    await rig.get('mail.tag.remove', { tag: 'bell' });
    await rig.get('mail.tag.remove', { tag: 'bell' });
    expect(await rig.ask('mail.send', { mailbox: oak.id, to: [made.address], subject: '', text: '' })).toMatchObject({
      fault: { code: 'mail_recipient_unknown' },
    });
    expect(await rig.ask('mail.get', { mail: mail?.id ?? '' })).toMatchObject({ fault: { code: 'not_found' } });
  });
});
