/** The doorbell as its people meet it: `hearthline app test apps/doorbell`, and in the suite by test/scenario/apps.test.ts. */
import assert from 'node:assert/strict';
import type { AppKit } from '#sdk/testing.ts';
import { LanDevice } from '#simulator/lan-device.ts';
import type { Phone } from '#simulator/phone.ts';
import type { StageHome } from '#simulator/stage.ts';
import { CODE, pictureOf, STILL_LIMIT } from './words.ts';

/** Stands for the 7.5 kB of JPEG that a door camera of 320 by 240 gives: as much as fits. */
const STILL = 'A'.repeat(STILL_LIMIT);

export async function test(kit: AppKit): Promise<void> {
  const { stage, home, world } = kit;
  const door = await home.phone({ kind: 'appliance' });
  // Over TCP, as phones that show pictures must be: a message over UDP has 1,300 octets at the most (RFC 3428 section 8).
  const kitchen = await home.phone({ manner: 'ring', protocol: 'tcp' });
  const oak = await stage.home('oak');
  const aunt = await oak.phone({ manner: 'ring', protocol: 'tcp' });
  const number = (at: StageHome, line: number) => at.lines[line]?.number ?? '';
  const contact = { name: 'Aunt Oak', party: number(oak, 0), groups: ['door'] };
  await stage.api('service.call', { home: home.id, service: 'address-book', method: 'put', input: contact });
  await stage.api('mailbox.create', { home: home.id, address: 'elm' });
  const asked: string[] = [];
  let camera = STILL;
  const station = stage.ground.host('front-door', home.name);
  const lan = LanDevice.start(world, 'front-door', station, 'front-door', (request) => {
    if (request === 'GET /still') return camera;
    if (request !== 'POST /open') return undefined;
    asked.push(request);
    return 'open';
  });
  const device = await world.settle(lan);
  await kit.until(() => home.gateway.status().devices === 1, 'the door to be seen');
  await kit.until(() => kit.applet()?.logs.length !== undefined, 'the applet');
  const rings = (phone: Phone) => phone.calls.at(-1)?.state === 'ringing';
  const press = () => world.settle(door.dial(CODE));

  // Everybody rings at once, as legs of the one session, and sees who is there.
  const call = await press();
  await kit.until(() => rings(kitchen) && rings(aunt), 'the house and the other home to ring');
  const picture = (phone: Phone) => phone.messages.shown.some(({ text }) => text === pictureOf(STILL));
  await kit.until(() => picture(kitchen) && picture(aunt), 'the picture at both');
  const [session] = (await stage.api('session.list', { live: true })).items;
  const kinds = (session?.legs ?? []).map(({ kind }) => kind).sort();
  assert.deepEqual(kinds, ['still', 'voice', 'voice', 'voice']);

  // The aunt, in the other home, answers, and opens by 9; what the visitor presses opens nothing.
  aunt.answer(aunt.calls[0] ?? assert.fail());
  await kit.until(() => aunt.calls[0]?.state === 'up' && kitchen.calls[0]?.state === 'ended', 'the others to stop');
  await world.run(1000);
  call.press('9');
  await world.run(2000);
  assert.deepEqual(asked, []);
  aunt.calls[0]?.press('9');
  await kit.until(() => asked.length === 1, 'the door to open');
  door.hangup(call);
  await kit.until(async () => (await stage.api('session.list', { live: true })).items.length === 0, 'the end');

  // Nobody comes: after 25 s a message, and a mail with the picture.
  await press();
  await kit.until(() => rings(kitchen), 'the second ring');
  await kit.until(() => kitchen.calls.at(-1)?.state === 'ended', 'it to give up', 30_000);
  await kit.until(() => kitchen.messages.shown.some(({ text }) => text.startsWith('Somebody was at')), 'the message');
  const [mail] = (await stage.api('mail.list', { home: home.id, folder: 'inbox' })).items;
  const { attachments } = await stage.api('mail.get', { mail: mail?.id ?? '' });
  assert.deepEqual([mail?.subject, attachments.map(({ size }) => size)], ['Somebody was at the door', [7500]]);

  // A picture that does not fit keeps the bell from nothing.
  camera = `${STILL}A`;
  const large = await press();
  await kit.until(() => rings(kitchen), 'the third ring');
  await kit.until(
    () => kit.applet()?.logs.some(({ text }) => text === 'no picture 200 10001') === true,
    'the word of it',
  );
  door.hangup(large);
  await kit.until(() => kitchen.calls.at(-1)?.state === 'ended', 'the end of it');

  // With the WAN cut the applet rings the house alone, and 9 opens.
  world.partition(['cloud']);
  await kit.until(() => home.gateway.status().voice.flow === 'down', 'the way to the cloud to be gone', 120_000);
  const alone = await press();
  await kit.until(() => rings(kitchen), 'the house to ring without a cloud');
  kitchen.answer(kitchen.calls.at(-1) ?? assert.fail());
  await kit.until(() => alone.state === 'up', 'the answer');
  await world.run(500);
  kitchen.calls.at(-1)?.press('9');
  await kit.until(() => asked.length === 2, 'the door to open without a cloud');
  door.hangup(alone);
  await kit.until(() => kitchen.calls.at(-1)?.state === 'ended', 'the end without a cloud');

  // What rang meanwhile and was not answered is mailed once there is a way again.
  const inbox = async () => (await stage.api('mail.list', { home: home.id, folder: 'inbox' })).items.length;
  const mails = await inbox();
  const missed = await press();
  await kit.until(() => rings(kitchen), 'the house to ring again');
  door.hangup(missed);
  await world.run(2000);
  world.heal();
  await kit.until(async () => (await inbox()) === mails + 1, 'the mail of what rang meanwhile', 120_000);
  await world.settle(device.stop(true));
}
