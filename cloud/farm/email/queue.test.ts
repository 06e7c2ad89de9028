/** The queue on virtual time: other servers that say yes, later, no, or nothing; crashes in between. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { MailRig } from '../../../test/support/mail-rig.ts';
import type { Carrier, Job } from './queue.ts';
import { type Delivery, FIRST_PAUSE, GIVE_UP } from './retry.ts';

const YES: Delivery = { is: 'delivered', reply: '250 2.0.0 taken', server: 'mx' };
const LATER: Delivery = { is: 'temporary', reply: '451 4.7.1 later', server: 'mx' };
const NO: Delivery = { is: 'permanent', reply: '550 5.1.1 nobody', server: 'mx' };

let jobs: Job[];
let answer: (recipient: string, job: Job) => Delivery | Promise<Delivery>;
let rig: MailRig;
let box: VerbReply<'mailbox.create'>;

const carrier: Carrier = {
  async deliver(job) {
    jobs.push(job);
    const results = new Map<string, Delivery>();
    for (const one of job.recipients) results.set(one, await answer(one, job));
    return results;
  },
  close: () => undefined,
};

beforeEach(async () => {
  jobs = [];
  answer = () => YES;
  rig = await MailRig.open({ carrier });
  box = await rig.get('mailbox.create', { home: 'home_1', address: 'elm' });
});
afterEach(() => rig.close());

async function send(...to: string[]): Promise<string> {
  const sent = await rig.get('mail.send', { mailbox: box.id, to, subject: 'Outward', text: 't' });
  expect(sent.state).toBe('queued');
  await rig.world.run(100);
  return sent.id;
}
const states = async (mail: string) =>
  Object.fromEntries((await rig.get('mail.get', { mail })).recipients.map(({ address, state }) => [address, state]));
const waiting = async () => (await rig.get('mail.queue.list', {})).items;
const inbox = async () => (await rig.get('mail.list', { mailbox: box.id, folder: 'inbox' })).items;

describe('delivery', () => {
  it('is one job per domain, with the mail as it was written; then nothing waits', async () => {
    const mail = await send('a@one.example', 'b@ONE.example', 'c@two.example');
    expect(jobs.map(({ domain, recipients, sender }) => [domain, recipients.length, sender]).sort()).toEqual([
      ['one.example', 2, 'elm@hearthline'],
      ['two.example', 1, 'elm@hearthline'],
    ]);
    expect(Buffer.from(jobs[0]?.raw ?? []).toString()).toContain('Subject: Outward\r\n');
    expect(await states(mail)).toEqual({
      'a@one.example': 'delivered',
      'b@one.example': 'delivered',
      'c@two.example': 'delivered',
    });
    expect([await waiting(), await rig.count('mail_queue')]).toEqual([[], 0]);
    const types = (await rig.events()).map((event) => (event as string[])[0]);
    expect(types.sort()).toEqual([...Array(3).fill('home.mail.v1.delivered'), 'home.mail.v1.queued']);
  });

  it('goes on beside what is local, and outlives the sent copy', async () => {
    answer = () => LATER;
    const mail = await send('a@one.example', 'elm@hearthline');
    expect(await states(mail)).toEqual({ 'a@one.example': 'queued', 'elm@hearthline': 'delivered' });
    await rig.get('mail.delete', { mail });
    for (const one of await inbox()) await rig.get('mail.delete', { mail: one.id });
    answer = () => YES;
    await rig.world.run(FIRST_PAUSE);
    expect(jobs).toHaveLength(2);
    expect(await rig.count('mail_raw')).toBe(0);
  });

  it('a temporary refusal is tried again after 5 minutes, then 10, with the reason shown', async () => {
    answer = () => LATER;
    const mail = await send('a@one.example');
    expect(await waiting()).toMatchObject([{ attempts: 1, error: '451 4.7.1 later', recipient: 'a@one.example' }]);
    await rig.world.run(FIRST_PAUSE - 1_000);
    expect(jobs).toHaveLength(1);
    await rig.world.run(2_000);
    expect(jobs).toHaveLength(2);
    await rig.world.run(2 * FIRST_PAUSE - 2_000);
    expect(jobs).toHaveLength(2);
    answer = () => YES;
    await rig.world.run(3_000);
    expect(await states(mail)).toEqual({ 'a@one.example': 'delivered' });
    expect(new Set(jobs.map(({ raw }) => Buffer.from(raw).toString())).size).toBe(1);
  });

  it('the operator can have it tried now, all or one domain', async () => {
    answer = () => LATER;
    await send('a@one.example', 'b@two.example');
    expect(await rig.get('mail.queue.retry', { domain: 'one.example' })).toEqual({ waiting: 1 });
    await rig.world.run(100);
    expect(jobs.map(({ domain }) => domain).sort()).toEqual(['one.example', 'one.example', 'two.example']);
  });

  it('while one delivery hangs, the same row is not taken again and others go on', async () => {
    let free = (): void => undefined;
    const held = new Promise<Delivery>((resolve) => {
      free = () => resolve(YES);
    });
    answer = (recipient) => (recipient === 'a@one.example' ? held : YES);
    await send('a@one.example');
    const second = await send('b@two.example');
    expect(await states(second)).toEqual({ 'b@two.example': 'delivered' });
    await rig.get('mail.queue.retry', {});
    await rig.world.run(60_000);
    expect(jobs).toHaveLength(2);
    free();
    await rig.world.run(100);
    expect(await rig.count('mail_queue')).toBe(0);
  });
});

describe('bounces', () => {
  it('a permanent refusal comes back as a report; the other recipient is not touched', async () => {
    answer = (recipient) => (recipient.startsWith('a@') ? NO : YES);
    const mail = await send('a@one.example', 'b@one.example');
    expect(await states(mail)).toEqual({ 'a@one.example': 'bounced', 'b@one.example': 'delivered' });
    const [report] = await inbox();
    expect(report).toMatchObject({ from: 'postmaster@hearthline', subject: 'Your mail could not be delivered' });
    const read = await rig.get('mail.get', { mail: report?.id ?? '' });
    expect(read.text).toContain('a@one.example');
    expect(read.text).toContain('550 5.1.1 nobody');
    expect(await rig.lastEvent('home.mail.v1.bounced')).toMatchObject({ home: 'home_1', subject: mail });
    expect(await rig.count('mail_queue')).toBe(0);
  });

  it('what never goes through is given up after 4 days, once', async () => {
    answer = () => LATER;
    const mail = await send('a@one.example');
    // As if it had come in four days less six minutes ago; that all of the tries happen until then stands beside the formula.
    const came = rig.host.clock.wall() - GIVE_UP + 360_000;
    await rig.store.commit([{ sql: 'UPDATE mail_queue SET created_at = ?', params: [came] }]);
    await rig.world.run(FIRST_PAUSE + 10_000);
    expect([await inbox(), jobs.length]).toEqual([[], 2]);
    await rig.world.run(60_000);
    expect(await states(mail)).toEqual({ 'a@one.example': 'bounced' });
    expect([(await inbox()).length, jobs.length]).toEqual([1, 3]);
  });

  it('a full mailbox loses the report, not the outcome', async () => {
    answer = () => LATER;
    await send('a@one.example');
    answer = () => NO;
    await rig.fill(box.id);
    await rig.world.run(FIRST_PAUSE + 100);
    expect(await inbox()).toEqual([]);
    expect(await rig.count('mail_queue')).toBe(0);
    expect(await rig.lastEvent('home.mail.v1.bounced')).toBeDefined();
  });
});

describe('a crash', () => {
  it('before the other server’s yes was written: the mail goes again, with the same Message-ID, at once after the start', async () => {
    answer = () => LATER;
    const mail = await send('a@one.example');
    await rig.world.settle(rig.part.stop());
    // What a process leaves that died while the other server was saying yes.
    const until = rig.host.clock.wall() + 600_000;
    await rig.store.commit([{ sql: 'UPDATE mail_queue SET next_at = 0, leased_until = ?', params: [until] }]);
    const before = jobs.length;
    answer = () => YES;
    await rig.start({ carrier });
    await rig.world.run(100);
    expect(jobs).toHaveLength(before + 1);
    expect(await states(mail)).toEqual({ 'a@one.example': 'delivered' });
    const ids = jobs.map(({ raw }) => /Message-ID: (<[^>]+>)/.exec(Buffer.from(raw).toString())?.[1]);
    expect(new Set(ids).size).toBe(1);
  });

  it('a stop does not wait for a server that says nothing; the mail goes after the next start', async () => {
    answer = () => new Promise<Delivery>(() => undefined);
    const mail = await send('a@one.example');
    const before = rig.host.clock.mono();
    await rig.world.settle(rig.part.stop());
    expect(rig.host.clock.mono() - before).toBeLessThan(5_000);
    answer = () => YES;
    await rig.start({ carrier });
    await rig.world.run(100);
    expect(await states(mail)).toEqual({ 'a@one.example': 'delivered' });
  });

  it('without a carrier what waits is kept', async () => {
    answer = () => LATER;
    await send('a@one.example');
    await rig.world.settle(rig.part.stop());
    await rig.start();
    await rig.world.run(FIRST_PAUSE * 2);
    expect([await rig.count('mail_queue'), jobs.length]).toEqual([1, 1]);
  });
});
