import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventRow } from '#cloud/store/event-log.ts';
import { MailRig } from '../../../test/support/mail-rig.ts';
import { missedLegs } from './notices.ts';
import { PATIENCE } from './waiting.ts';

let rig: MailRig;
beforeEach(async () => {
  rig = await MailRig.open();
});
afterEach(() => rig.close());

const caller = {
  id: 'leg_a',
  kind: 'voice',
  role: 'caller',
  line: 'line_2',
  from: '+15550100002',
  to: '+15550100001',
  state: 'ended',
  startedAt: 0,
  channel: 'switched',
  reason: 'no_answer',
};
const callee = { ...caller, id: 'leg_b', role: 'callee', line: 'line_1', reason: 'no_answer' };
const inbox = async (mailbox: string) => (await rig.get('mail.list', { mailbox, folder: 'inbox' })).items;
const box = (request: object = {}) => rig.get('mailbox.create', { home: 'home_1', address: 'elm', ...request });

describe('which legs were missed', () => {
  it.each([
    ['nobody answered', {}, true],
    ['it was busy', { reason: 'callee_busy' }, true],
    ['no phone was on', { reason: 'callee_offline' }, true],
    ['the caller gave up', { reason: 'cancelled' }, true],
    ['the callee declined', { reason: 'callee_declined' }, false],
    ['it was answered', { answeredAt: 5, reason: 'hangup' }, false],
    ['it has not ended', { state: 'ringing' }, false],
    ['it went to no line of ours', { line: undefined }, false],
    ['it was music', { kind: 'media' }, false],
    ['it was the caller’s own leg', { role: 'caller' }, false],
    ['it waited for a caller who never answered', { channel: 'instructed', after: 'leg_a' }, false],
    ['the caller was there and it rang', { channel: 'instructed', after: 'leg_c', callId: 'x' }, true],
    ['it ended before it rang', { channel: 'instructed', reason: 'hangup' }, false],
  ])('%s', (_what, change, missed) => {
    const legs = [caller, { ...caller, id: 'leg_c', answeredAt: 3 }, { ...callee, ...change }] as Parameters<
      typeof missedLegs
    >[0];
    expect(missedLegs(legs).map(({ id }) => id)).toEqual(missed ? ['leg_b'] : []);
  });
});

describe('a missed call', () => {
  it('is told by one mail to the home’s mailbox, however often the journal is read', async () => {
    const { id } = await box();
    await rig.ended('ses_1', [caller, callee]);
    const [mail] = await inbox(id);
    expect(mail).toMatchObject({ subject: 'Missed call from +15550100002', from: 'noreply@hearthline' });
    expect((await rig.get('mail.get', { mail: mail?.id ?? '' })).text).toContain('+15550100002 called');
    await rig.store.commit([{ sql: 'UPDATE mail_cursor SET position = 0', params: [] }]);
    await rig.world.run(60_000);
    expect(await inbox(id)).toHaveLength(1);
  });

  it('is none where it was answered', async () => {
    const { id } = await box();
    await rig.ended('ses_1', [
      { ...caller, answeredAt: 5 },
      { ...callee, answeredAt: 5 },
    ]);
    expect(await inbox(id)).toEqual([]);
  });

  it('goes to the line’s own mailbox where there is one', async () => {
    const { id } = await box();
    const own = await rig.get('mailbox.create', { home: 'home_1', line: 'line_1' });
    await rig.ended('ses_1', [caller, callee]);
    expect([(await inbox(id)).length, (await inbox(own.id)).length]).toEqual([0, 1]);
  });

  it('is told to nobody with notices off, nor later when they are on', async () => {
    const { id } = await box({ notices: false });
    await rig.ended('ses_1', [caller, callee]);
    await rig.get('mailbox.set', { mailbox: id, notices: true });
    await rig.world.run(60_000);
    expect(await inbox(id)).toEqual([]);
    await rig.ended('ses_2', [caller, callee]);
    expect(await inbox(id)).toHaveLength(1);
  });

  it('is missed again after a restart that came before the mail', async () => {
    const { id } = await box();
    await rig.world.settle(rig.part.stop());
    await rig.ended('ses_1', [caller, callee]);
    await rig.start();
    await rig.world.run(10_000);
    expect(await inbox(id)).toHaveLength(1);
  });
});

describe('a waiting message', () => {
  const tell = async (what: string, to = '+15550100001', home = 'home_1') => {
    const data = { message: 'msg_1', from: '+15550100002', to };
    await rig.store.commit([eventRow(rig.host, { type: `home.message.v1.${what}`, home, subject: 'msg_1', data })]);
  };

  it('is told once it has waited for some minutes', async () => {
    const { id } = await box();
    await tell('accepted');
    await rig.world.run(PATIENCE - 40_000);
    expect(await inbox(id)).toEqual([]);
    await rig.world.run(80_000);
    const [mail] = await inbox(id);
    expect(mail?.subject).toBe('A message from +15550100002 is waiting');
    await rig.store.commit([{ sql: 'UPDATE mail_cursor SET position = 0', params: [] }]);
    await rig.world.run(60_000);
    expect(await inbox(id)).toHaveLength(1);
  });

  it.each(['delivered', 'read', 'expired', 'failed'])('that was %s in time is not', async (fate) => {
    const { id } = await box();
    await tell('accepted');
    await rig.world.run(1_000);
    await tell(fate);
    await rig.world.run(PATIENCE + 60_000);
    expect(await inbox(id)).toEqual([]);
  });

  it('is told to the home of its line, not to its sender’s', async () => {
    const { id } = await box();
    await tell('accepted', '+15550100002');
    await tell('accepted', 'grp_1');
    await rig.world.run(PATIENCE + 60_000);
    expect(await inbox(id)).toEqual([]);
  });
});
