/** Somebody keys in the time, the cloud is started anew in the night, and the phone rings in the morning. */
import assert from 'node:assert/strict';
import type { AppKit } from '#sdk/testing.ts';

/** RMS of half a second. */
const loudness = (samples: Int16Array) =>
  Math.sqrt(samples.subarray(-4000).reduce((sum, one) => sum + one * one, 0) / 4000);

export async function test(kit: AppKit): Promise<void> {
  const { stage, home, world } = kit;
  const { clock } = stage.ground;
  const day = new Date(clock.wall()).toISOString().slice(0, 10);
  const file = `Aberdeen,${day},2,7,1,Showers\n`;
  await world.disk('cloud').write('/data/services/weather.csv', new TextEncoder().encode(file));
  const phone = await home.phone({ manner: 'answer', answerAfter: 500 });
  // Who sleeps elsewhere is to get up as well: that costs money, and the home pays in advance.
  const oak = await stage.home('oak');
  const aunt = await oak.phone({ manner: 'answer', answerAfter: 900 });
  const contact = { name: 'Aunt Oak', party: oak.lines[0]?.number ?? '', groups: ['wake up'] };
  await stage.api('service.call', { home: home.id, service: 'address-book', method: 'put', input: contact });
  await stage.api('balance.set', { home: home.id, mode: 'prepaid', add: 1_000_000 });
  const money = () => stage.api('balance.get', { home: home.id });

  // A quarter of an hour from now, keyed in on the phone.
  const at = new Date(clock.wall() + 15 * 60_000).toISOString();
  const call = await world.settle(phone.dial('*77'));
  await kit.until(() => call.state === 'up' && call.heard().length > 4000, 'the prompt');
  for (const digit of `${at.slice(11, 13)}${at.slice(14, 16)}`) {
    call.press(digit);
    await world.run(400);
  }
  await kit.until(() => call.state === 'ended', 'the time to be taken');

  // The timer lasts over a restart of the cloud.
  await stage.restartCloud();
  const before = phone.calls.length;
  await kit.until(() => phone.calls.length > before, 'the phone to ring', 16 * 60_000);
  assert.ok(Math.abs(clock.wall() - Date.parse(`${at.slice(0, 16)}:00.000Z`)) < 10_000, 'it rings at the time');
  const radio = () => phone.calls.at(-1) ?? assert.fail();
  await kit.until(() => radio().state === 'up', 'the phone to answer');
  await kit.until(() => aunt.calls[0]?.state === 'up', 'the other one to answer');
  assert.ok((await money()).reserved > 0, 'minutes are reserved');

  // Three steps, each louder.
  const steps: number[] = [];
  for (let i = 0; i < 3; i++) {
    await world.run(i === 0 ? 6000 : 8000);
    steps.push(loudness(radio().heard()));
  }
  const [low = 0, middle = 0, high = 0] = steps;
  assert.ok(low > 10 && middle > 2 * low && high > 2 * middle, `louder and louder: ${steps.join(', ')}`);

  // 2 tells the weather, by two services of the catalogue, each use metered.
  radio().press('2');
  await kit.until(
    async () => (await stage.api('service.use.list', { home: home.id })).items.some((use) => use.service === 'weather'),
    'the weather',
  );
  await world.run(2000);
  assert.ok(loudness(radio().heard()) > 300, 'somebody speaks');

  // 1 snoozes for nine minutes; what was reserved and not used is given back.
  radio().press('1');
  await kit.until(() => radio().state === 'ended', 'the radio to be silent');
  await kit.until(async () => (await money()).reserved === 0, 'the rest to be given back');
  const { balance } = await money();
  assert.ok(balance < 1_000_000 && balance > 900_000, `what was talked is paid: ${1_000_000 - balance}`);
  const snoozed = phone.calls.length;
  await kit.until(() => phone.calls.length > snoozed, 'it to ring again', 9 * 60_000 + 10_000);
  await kit.until(() => radio().state === 'up', 'the phone to answer again');
  await world.run(2000);
  radio().press('#');
  await kit.until(() => radio().state === 'ended', 'the end');
  await world.run(10 * 60_000);
  assert.equal(phone.calls.length, snoozed + 1, 'it is over');
}
