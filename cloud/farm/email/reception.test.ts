/** What the two doors let in: every rule once kept and once broken. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { MailRig } from '../../../test/support/mail-rig.ts';
import { HOP_LIMIT } from './octets.ts';
import type { Office } from './parts.ts';
import { type Client, CONNECTION_LIMIT, CONNECTION_RATE, LOGIN_RATE, MAIL_RATE, Reception } from './reception.ts';
import { RECIPIENT_RATE, SendingBudget } from './send.ts';
import { type Checks, UNCHECKED } from './verdict.ts';

let rig: MailRig;
let elm: VerbReply<'mailbox.create'>;
let reception: Reception;
let checks: Checks;
let office: Office;

beforeEach(async () => {
  rig = await MailRig.open();
  elm = await rig.get('mailbox.create', { home: 'home_1', address: 'elm' });
  checks = UNCHECKED;
  office = {
    world: rig.host,
    store: rig.store,
    bus: rig.bus,
    config: {} as Office['config'],
    domain: 'hearthline',
    hasRoute: false,
    wakeQueue: () => undefined,
  };
  reception = new Reception(office, new SendingBudget(), async () => checks);
});
afterEach(() => rig.close());

const outside: Client = { door: 'inbound', source: '192.0.2.1', helo: 'mx.example', secure: false };
const inside = (): Client => ({
  door: 'submission',
  source: '192.0.2.9',
  helo: 'phone',
  secure: true,
  mailbox: elm.id,
});
const octets = (header: string, body = 'text\r\n') => fromLatin1(`${header}\r\n${body}`);
const GOOD = octets('From: a@example.org\r\nSubject: Hi\r\n');
const take = (raw: Uint8Array, client = outside, sender = 'a@example.org', recipients = ['elm@hearthline']) =>
  rig.world.settle(reception.mail(client, { sender, recipients }, raw));
const only = async () => {
  const [mail] = (await rig.get('mail.list', { folder: 'inbox' })).items;
  return rig.get('mail.get', { mail: mail?.id ?? '' });
};
const rawOf = async () => {
  const row = await rig.store.one<{ octets: Uint8Array }>('SELECT octets FROM mail_raw');
  return Buffer.from(row?.octets ?? []).toString('latin1');
};

describe('inbound: who may bring what for whom', () => {
  it.each([
    ['a mailbox', 'elm@hearthline', undefined],
    ['a mailbox in other letters, with a tag', 'Elm+news@HearthLine', undefined],
    ['postmaster', 'postmaster@hearthline', undefined],
    ['postmaster without a domain', 'Postmaster', undefined],
    ['nobody', 'nobody@hearthline', /^5\.1\.1 /],
    ['another domain', 'a@example.org', /^5\.7\.1 Relaying/],
    ['another domain behind ours', 'elm%example.org@hearthline', /^5\.1\.1 /],
    ['a route through us', 'a@example.org@hearthline', /^5\.1\.3 /],
    ['no address', '<>', /^5\.1\.3 /],
  ])('to %s', async (_what, address, why) => {
    const refusal = await rig.world.settle(reception.recipient(outside, address, 0));
    if (why === undefined) expect(refusal).toBeUndefined();
    else expect(refusal?.text).toMatch(why);
  });

  it('an application’s address is known by its tag alone', async () => {
    const { address, mailbox } = await rig.get('mail.tag.create', { home: 'home_1', subject: 'ins_1', tag: 'bell' });
    const asked = (to: string) => rig.world.settle(reception.recipient(outside, to, 0));
    expect(await asked(address)).toBeUndefined();
    expect(await asked('app+other@hearthline')).toMatchObject({ code: 550 });
    expect(await asked('app@hearthline')).toMatchObject({ code: 550 });
    expect(await take(GOOD, outside, 'a@example.org', [address])).toMatchObject({ ok: true });
    expect(await rig.lastEvent('home.mail.v1.received')).toMatchObject({
      subject: 'ins_1',
      data: { mailbox, tag: 'bell' },
    });
  });

  it('a mailbox that is full, or too full for what was declared, says so with 452', async () => {
    expect(await rig.world.settle(reception.recipient(outside, 'elm@hearthline', elm.quota + 1))).toMatchObject({
      code: 452,
    });
    await rig.fill(elm.id);
    expect(await rig.world.settle(reception.recipient(outside, 'elm@hearthline', 1))).toMatchObject({ code: 452 });
    expect(await take(GOOD)).toMatchObject({ fault: { code: 452 } });
  });

  it.each([
    ['nobody (a report)', '', undefined],
    ['another domain', 'a@example.org', undefined],
    ['our domain', 'elm@hearthline', 550],
    ['no address', 'x', 553],
  ])('from %s', async (_what, address, code) => {
    expect((await rig.world.settle(reception.sender(outside, address)))?.code).toBe(code);
  });
});

describe('inbound: the mail itself', () => {
  it('gets trace fields and verdicts; those that were in it and claim to be ours are gone', async () => {
    checks = { spf: 'pass', dkim: 'pass', dmarc: 'pass', policy: 'none', dkimDomains: ['example.org'] };
    const lies = 'Authentication-Results: hearthline; dkim=pass\r\nReturn-Path: <x@y>\r\n';
    expect(await take(octets(`${lies}From: a@example.org\r\nSubject: Hi\r\n`))).toMatchObject({ ok: true });
    expect(await only()).toMatchObject({ from: 'a@example.org', checks: { spf: 'pass', dkim: 'pass', dmarc: 'pass' } });
    const raw = await rawOf();
    expect(raw).toMatch(/^Return-Path: <a@example.org>\r\nReceived: from mx.example \(\[192\.0\.2\.1\]\)/);
    expect(raw.match(/Authentication-Results/g)).toHaveLength(1);
    expect(raw.match(/Return-Path/g)).toHaveLength(1);
  });

  it('DMARC reject is honoured, quarantine and none are noted', async () => {
    checks = { ...UNCHECKED, dmarc: 'fail', policy: 'reject' };
    expect(await take(GOOD)).toMatchObject({ fault: { code: 550, text: expect.stringMatching(/^5\.7\.26 /) } });
    checks = { ...UNCHECKED, dmarc: 'fail', policy: 'quarantine' };
    expect(await take(GOOD)).toMatchObject({ ok: true });
    expect((await only()).checks?.dmarc).toBe('fail');
  });

  it('our own domain in From needs our own signature', async () => {
    const raw = octets('From: elm@hearthline\r\n');
    expect(await take(raw)).toMatchObject({ fault: { code: 550, text: expect.stringMatching(/^5\.7\.1 /) } });
    const two = octets('From: a@example.org, elm@hearthline\r\n');
    expect(await take(two)).toMatchObject({ fault: { code: 550 } });
    checks = { ...UNCHECKED, dkim: 'pass', dkimDomains: ['hearthline'] };
    expect(await take(raw)).toMatchObject({ ok: true });
  });

  it.each([
    ['a bare LF', octets('From: a@b\r\n', 'x\n.\nRSET\r\n'), 554],
    ['a NUL', octets('From: a@b\r\n', '\0'), 554],
    ['a long line', octets('From: a@b\r\n', 'x'.repeat(999)), 554],
    ['no From', octets('Subject: x\r\n'), 550],
    ['a loop', octets(`From: a@b\r\n${'Received: x\r\n'.repeat(HOP_LIMIT + 1)}`), 554],
    ['a header that is none', octets('From: a@b\r\n\x80\x81\r\n'), 554],
  ])('%s is refused and nothing is kept', async (_what, raw, code) => {
    expect(await take(raw)).toMatchObject({ fault: { code } });
    expect(await rig.count('mail_raw')).toBe(0);
  });
});

describe('submission', () => {
  it('needs a mailbox: sender and From are its addresses, whoever else they name', async () => {
    const { mailbox: _none, ...stranger } = inside();
    for (const [client, address, code] of [
      [inside(), 'elm@hearthline', undefined],
      [inside(), 'postmaster@hearthline', 553],
      [inside(), 'a@example.org', 553],
      [inside(), '', 553],
      [stranger, 'elm@hearthline', 553],
    ] as const)
      expect((await rig.world.settle(reception.sender(client, address)))?.code).toBe(code);
    expect(await take(octets('From: elm@hearthline\r\n'), stranger)).toMatchObject({ fault: { code: 530 } });
  });

  it.each([
    ['somebody else', 'From: postmaster@hearthline\r\n'],
    ['two', 'From: elm@hearthline, a@b\r\n'],
    ['two fields', 'From: elm@hearthline\r\nFrom: a@b\r\n'],
    ['nobody', 'Subject: x\r\n'],
    ['a group', 'From: undisclosed:;\r\n'],
  ])('From naming %s is refused', async (_what, header) => {
    expect(await take(octets(header), inside(), 'elm@hearthline')).toMatchObject({ fault: { code: 550 } });
  });

  it('adds what is missing, drops Bcc, tells nobody where the sender sits, keeps a copy', async () => {
    const raw = octets('From: Elm <ELM@hearthline>\r\nBcc: x@y\r\nSubject: Hi\r\n');
    expect(await take(raw, inside(), 'elm@hearthline')).toMatchObject({ ok: true });
    const kept = await rawOf();
    expect(kept).toMatch(/^Received: from a mail program\r\n by hearthline with ESMTPSA/);
    expect(kept).toMatch(/\r\nMessage-ID: <mail_\w+@hearthline>\r\nDate: /);
    expect(kept).not.toMatch(/Bcc|192\.0\.2/);
    expect((await rig.get('mail.list', { folder: 'sent' })).items).toHaveLength(1);
  });

  it('opens by any of its addresses and its password, by nothing else', async () => {
    const { username, password } = elm.smtp;
    const login = (user: string, secret: string) => rig.world.settle(reception.login('192.0.2.9', user, secret));
    expect(await login(username, password)).toMatchObject({ ok: true, value: { id: elm.id } });
    expect(await login('ELM', password)).toMatchObject({ ok: true });
    for (const [user, secret] of [
      [username, 'wrong'],
      [username, ''],
      ['postmaster', ''],
      ['elm@example.org', password],
      ['nobody', password],
      ["' OR 1=1 --", password],
    ] as const)
      expect(await login(user, secret)).toMatchObject({ fault: { code: 535 } });
    await rig.get('mailbox.password', { mailbox: elm.id });
    expect(await login(username, password)).toMatchObject({ fault: { code: 535 } });
  });
});

describe('how much', () => {
  const times = async (n: number, what: (i: number) => unknown) => {
    for (let i = 0; i < n; i++) await what(i);
  };

  it('passwords: a few per source and per address, then 454', async () => {
    await times(LOGIN_RATE.burst, () => rig.world.settle(reception.login('192.0.2.9', 'elm', 'wrong')));
    for (const [source, user] of [
      ['192.0.2.9', 'other'],
      ['192.0.2.10', 'elm'],
    ] as const)
      expect(await rig.world.settle(reception.login(source, user, elm.smtp.password))).toMatchObject({
        fault: { code: 454 },
      });
  });

  it('mails per source, then 451', async () => {
    await times(MAIL_RATE.burst, () => rig.world.settle(reception.sender(outside, 'a@b')));
    expect(await rig.world.settle(reception.sender(outside, 'a@b'))).toMatchObject({ code: 451 });
    expect(await rig.world.settle(reception.sender({ ...outside, source: '192.0.2.2' }, 'a@b'))).toBeUndefined();
  });

  it('connections per source at once, and per second, then 421', async () => {
    await times(CONNECTION_LIMIT, () => expect(reception.connect('a')).toBeUndefined());
    expect(reception.connect('a')).toMatchObject({ code: 421 });
    reception.disconnect('a');
    expect(reception.connect('a')).toBeUndefined();
    await times(CONNECTION_RATE.burst, () => {
      expect(reception.connect('b')).toBeUndefined();
      reception.disconnect('b');
    });
    expect(reception.connect('b')).toMatchObject({ code: 421 });
  });

  it('recipients per mailbox, over submission as over the API, then 450', async () => {
    const raw = octets('From: elm@hearthline\r\n');
    const send = (n: number) => take(raw, inside(), 'elm@hearthline', Array(n).fill('elm@hearthline'));
    expect(await send(RECIPIENT_RATE.burst)).toMatchObject({ ok: true });
    expect(await send(1)).toMatchObject({ fault: { code: 450 } });
  });
});
