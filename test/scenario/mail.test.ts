/** Mail in the whole operator on virtual time: between homes, about calls nobody answered and messages nobody was there for. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { twoHomes } from './two-homes.ts';

describe('mail of two homes', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;
  let box: string;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 43 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
    box = (await stage.api('mailbox.create', { home: oak.id, address: 'oak' })).id;
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const inbox = async () =>
    (await stage.api('mail.list', { mailbox: box, folder: 'inbox' })).items.map(({ subject }) => subject);
  const [from, to] = [() => elm.lines[0]?.number ?? '', () => oak.lines[0]?.number ?? ''];

  it('a call that nobody answers is told by one mail, an answered one by none, over a restart too', async () => {
    b.manner = 'ring';
    const call = await world.settle(a.dial(to()));
    await world.run(5_000);
    a.hangup(call);
    await world.run(5_000);
    expect(await inbox()).toEqual([`Missed call from ${from()}`]);
    await stage.restartCloud();
    await world.run(60_000);
    b.manner = 'answer';
    const second = await world.settle(a.dial(to()));
    await stage.ground.until(() => second.state === 'up', 20_000, 'the answer');
    a.hangup(second);
    await world.run(10_000);
    expect(await inbox()).toEqual([`Missed call from ${from()}`]);
  });

  it('a call set up by the API to a phone that does not answer is told too', async () => {
    b.manner = 'ring';
    await stage.api('call.create', { from: from(), to: to() });
    await world.run(60_000);
    expect(await inbox()).toEqual([`Missed call from ${from()}`]);
  });

  it('goes from home to home without a socket; with the server stopped it is named, and nothing is lost', async () => {
    const sender = await stage.api('mailbox.create', { home: elm.id, address: 'elm' });
    const mail = { mailbox: sender.id, to: ['oak@hearthline'], subject: 'Dinner', text: 'At seven?' };
    await stage.api('mail.send', mail);
    await stage.api('farm.stop', { server: 'email' });
    await expect(stage.api('mail.send', mail)).rejects.toThrow(/server_unavailable.*email/);
    await stage.api('farm.start', { server: 'email' });
    await stage.restartCloud();
    expect(await inbox()).toEqual(['Dinner']);
  });
});
