/** Three homes come together, hear songs beside each other, and read about it afterwards. */
import assert from 'node:assert/strict';
import type { AppKit } from '#sdk/testing.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import type { StageHome } from '#simulator/stage.ts';
import { tone } from '#simulator/voice.ts';

const VOICE = 617;

/** RMS of what is heard beside one tone, which is taken out by 50 ms at a time. */
function beside(samples: Int16Array, hertz: number): number {
  let power = 0;
  const step = 400;
  for (let at = 0; at + step <= samples.length; at += step) {
    let [sin, cos] = [0, 0];
    const turn = (i: number) => (2 * Math.PI * hertz * i) / 8000;
    for (let i = 0; i < step; i++) {
      sin += ((samples[at + i] ?? 0) * Math.sin(turn(i)) * 2) / step;
      cos += ((samples[at + i] ?? 0) * Math.cos(turn(i)) * 2) / step;
    }
    for (let i = 0; i < step; i++)
      power += ((samples[at + i] ?? 0) - sin * Math.sin(turn(i)) - cos * Math.cos(turn(i))) ** 2;
  }
  return Math.sqrt(power / samples.length);
}

export async function test(kit: AppKit): Promise<void> {
  const { stage, home, world } = kit;
  const [oak, ash] = [await stage.home('oak'), await stage.home('ash')];
  const number = (at: StageHome) => at.lines[0]?.number ?? '';
  const phones: Phone[] = [];
  for (const house of [home, oak, ash]) phones.push(await house.phone({ manner: 'answer', answerAfter: 300 }));
  const [elm, aunt, uncle] = phones as [Phone, Phone, Phone];
  for (const house of [oak, ash]) {
    const contact = { name: house.name, party: number(house), groups: ['family'] };
    await stage.api('service.call', { home: home.id, service: 'address-book', method: 'put', input: contact });
  }
  await stage.api('mailbox.create', { home: home.id, address: 'elm' });
  const talking = (phone: Phone) => phone.calls.at(-1)?.state === 'up';
  const chat = (phone: Phone, text: string) => phone.messages.shown.some((message) => message.text.includes(text));
  const session = async () =>
    (await stage.api('session.list', { live: true })).items.find(({ kind }) => kind === 'conference');

  // One tap on a phone of the house calls all three homes into one conference, and the chat says who is there.
  await world.settle(elm.dial('*88'));
  await kit.until(() => phones.every(talking), 'the three homes to be together');
  await kit.until(() => chat(aunt, 'is here') && chat(uncle, 'is here'), 'the chat to say so');
  const id = (await session())?.id ?? assert.fail('no conference');

  // Anybody queues songs, and is told of the place in the queue.
  const group = (await stage.api('group.list', { home: home.id })).items[0]?.id ?? '';
  const say = (house: StageHome, text: string) => stage.api('message.send', { from: number(house), group, text });
  await say(oak, 'song: music box');
  const song = async (item: string) =>
    (await stage.api('session.get', { session: id })).legs.some((leg) => leg.item === item && leg.state === 'up');
  await kit.until(() => song('music-box'), 'the song');
  await say(ash, 'Song: rain');
  await say(ash, 'song: polka');
  await kit.until(() => chat(aunt, 'Rain on the roof plays after 1 other'), 'the place in the queue');
  await kit.until(() => chat(uncle, 'There is no “polka”'), 'the refusal');

  // The music gives way to a voice, and comes back.
  const heard = () => elm.calls.at(-1)?.heard() ?? new Int16Array();
  const last = () => heard().subarray(-8000);
  await world.run(1500);
  const alone = beside(last(), VOICE);
  aunt.calls.at(-1)?.rtp.play(tone(VOICE, 1), true);
  await world.run(2500);
  assert.ok(levelOf(last(), VOICE) > -30, 'the voice is loud');
  const under = beside(last(), VOICE);
  assert.ok(alone > 200 && under < alone / 2, `the music was ${alone} alone and ${under} under speech`);

  // Star mutes the one who presses it.
  aunt.calls.at(-1)?.press('*');
  await world.run(2500);
  const gone = levelOf(last(), VOICE);
  assert.ok(gone < -36, `the voice is gone: ${gone}`);
  const muted = (await stage.api('session.get', { session: id })).legs.map((leg) => leg.muted === true);
  assert.deepEqual(muted.filter(Boolean), [true]);
  await kit.until(() => song('rain'), 'the next song', 30_000);

  // Whoever leaves is told of; at the end there is a mail.
  uncle.hangup(uncle.calls.at(-1) ?? assert.fail());
  await kit.until(() => chat(aunt, 'has left'), 'the farewell');
  await stage.api('session.end', { session: id });
  const inbox = async () => (await stage.api('mail.list', { home: home.id, folder: 'inbox' })).items;
  await kit.until(async () => (await inbox()).length === 1, 'the mail');
  const { text } = await stage.api('mail.get', { mail: (await inbox())[0]?.id ?? '' });
  assert.match(text, /Together for 1 min: .*\nSongs: music-box, rain\./);
}
