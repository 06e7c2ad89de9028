/** Messages between two homes with the real gateways and simulated phones: once per phone, whatever is off or cut in between. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Phone, type PhoneOptions } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let a: Phone;
let b: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 23 }));
  ({ elm, oak, a, b } = await twoHomes(stage));
});
afterEach(() => stage[Symbol.asyncDispose]());

const lineOf = (home: StageHome, index = 0): StageLine => {
  const line = home.lines[index];
  if (line === undefined) throw new Error(`${home.name} has no line ${index}`);
  return line;
};
const number = (home: StageHome, index = 0) => lineOf(home, index).number;
const texts = (phone: Phone) => phone.messages.shown.map(({ text }) => text);
const settle = <T>(promise: Promise<T>) => stage.ground.settle(promise);
const get = (message: string) => stage.api('message.get', { message });
const list = async (home: StageHome) => (await stage.api('message.list', { home: home.id })).items;
const until = (condition: () => boolean | Promise<boolean>, what: string, limit = 20_000) =>
  stage.ground.until(condition, limit, what);

let hosts = 0;
/** Another phone of a line in its house, on a host of its own. */
async function phoneOf(home: StageHome, line: StageLine, more: Partial<PhoneOptions> = {}): Promise<Phone> {
  const { world: host, address } = stage.ground.host(`${home.name}-more${++hosts}`);
  const { domain, username, password = '' } = line.sip;
  const server = home.gateway.status().sip.udp;
  const phone = await settle(Phone.open({ world: host, host: address, server, domain, username, password, ...more }));
  stage.phones.push(phone);
  expect(await settle(phone.register())).toBe(200);
  await world.run(300);
  return phone;
}

describe('between two homes', () => {
  it('a text goes through both gateways and is shown once; both homes see it', async () => {
    expect(await settle(a.messages.send(number(oak), 'Grüße von nebenan'))).toBe(202);
    await until(() => texts(b).length > 0, 'the text');
    await world.run(60_000);
    expect(b.messages.shown).toEqual([
      { text: 'Grüße von nebenan', from: `sip:${number(elm)}@hearthline`, wantsDisplay: false },
    ]);
    expect(b.messages.heard).toBe(1);
    expect(await list(elm)).toEqual(await list(oak));
    expect(await list(oak)).toMatchObject([{ state: 'delivered', recipients: [{ party: number(oak), devices: 1 }] }]);
  });

  it('a phone that is off gets it once when it is back, in order, each phone of the line for itself', async () => {
    const line = lineOf(oak);
    const second = await phoneOf(oak, line, { instance: 'urn:uuid:2' });
    await settle(second.register(0));
    await settle(second.close());
    await world.run(1_000);
    const sent = ['one', 'two', 'three'];
    for (const text of sent) await stage.api('message.send', { from: number(elm), to: number(oak), text });
    await until(() => texts(b).length === 3, 'the first phone');
    expect(texts(b)).toEqual(sent);
    const again = await phoneOf(oak, line, { instance: 'urn:uuid:2' });
    await until(() => texts(again).length === 3, 'the second phone');
    await world.run(60_000);
    expect([texts(b), b.messages.heard, texts(again), again.messages.heard]).toEqual([sent, 3, sent, 3]);
    const [last] = await list(oak);
    expect(last).toMatchObject({ text: 'three', state: 'delivered', recipients: [{ devices: 2 }] });
  });

  it('receipts wait for a sender who is off: delivered and read, each once', async () => {
    await settle(b.register(0));
    await world.run(1_000);
    const sent = a.messages.send(number(oak), 'Are you there?', {
      id: 'a-1',
      receipts: ['positive-delivery', 'display'],
    });
    expect(await settle(sent)).toBe(202);
    await settle(a.register(0));
    await world.run(1_000);
    await settle(b.register());
    await until(() => texts(b).length > 0, 'the text');
    const [shown] = b.messages.shown;
    if (shown !== undefined) await settle(b.messages.read(shown));
    await world.run(30_000);
    expect(a.messages.receipts).toEqual([]);
    await settle(a.register());
    await until(() => a.messages.receipts.length >= 2, 'the receipts');
    await world.run(60_000);
    expect(a.messages.receipts).toEqual([
      { id: 'a-1', status: 'delivered' },
      { id: 'a-1', status: 'displayed' },
    ]);
    expect(await list(elm)).toMatchObject([{ state: 'read', receipts: true }]);
  });
});

describe('while a conference with both homes lives', () => {
  let session: string;

  beforeEach(async () => {
    session = (await stage.api('conference.create', { participants: [number(elm), number(oak)] })).id;
    const up = async () => (await stage.api('session.get', { session })).legs.every(({ state }) => state === 'up');
    await until(up, 'both legs up');
    await world.run(1_000);
  });

  /** Both still hear each other and nothing was lost of the sound meanwhile. */
  async function talksOn(): Promise<void> {
    const [callA, callB] = [a.calls.at(-1), b.calls.at(-1)];
    const before = callA?.heard().length ?? 0;
    await world.run(2_000);
    expectHears(callA?.heard() ?? new Int16Array(), TONES.b, TONES.a);
    expectHears(callB?.heard() ?? new Int16Array(), TONES.a, TONES.b);
    expect((callA?.heard().length ?? 0) - before).toBe(16_000);
    expect([callA?.state, callB?.state]).toEqual(['up', 'up']);
  }

  it('a message to a group of its members reaches both phones, and their sound goes on', async () => {
    const third = await stage.line(elm, { name: 'office' });
    const members = [number(elm), number(oak), third.number];
    const group = await stage.api('group.create', { home: elm.id, name: 'Family', members });
    const sent = await stage.api('message.send', { from: third.id, group: group.id, text: 'Listen to this' });
    await until(() => texts(a).length + texts(b).length === 2, 'both phones');
    expect([texts(a), texts(b)]).toEqual([['Listen to this'], ['Listen to this']]);
    expect(await get(sent.id)).toMatchObject({ state: 'delivered', group: group.id });
    expect(await settle(b.messages.send(group.id, 'We do'))).toBe(202);
    await until(() => texts(a).length === 2, 'the answer');
    expect([texts(a), texts(b)]).toEqual([['Listen to this', 'We do'], ['Listen to this']]);
    await talksOn();
  });

  it('a message sent in the call is bound to its leg and reaches the other home in its call', async () => {
    const call = a.calls.at(-1);
    if (call === undefined) throw new Error('no call');
    expect(await settle(a.sendInCall(call, 'psst'))).toBe(202);
    await until(() => texts(b).length > 0, 'the text');
    expect(b.messages.shown).toMatchObject([{ text: 'psst', call: b.calls.at(-1)?.callId }]);
    const { legs } = await stage.api('session.get', { session });
    const mine = legs.find(({ home }) => home === elm.id);
    await world.run(1_000);
    expect(await list(oak)).toMatchObject([{ session, leg: mine?.id, state: 'delivered' }]);
    await talksOn();
  });

  it('a message leg carries a text to all others, or to one; it says which server and why', async () => {
    const all = await stage.api('leg.add', { session, kind: 'message', party: 'all', text: 'to all' });
    expect(all.leg).toMatchObject({ kind: 'message', orientation: 'non-voice', server: 'messaging', party: 'all' });
    expect(all.leg.why).toMatch(/needs a text: messaging/);
    const picture = 'data:image/png;base64,iVBORw0KGgo=';
    const still = await stage.api('leg.add', { session, kind: 'still', party: 'all', text: picture });
    expect(still.leg).toMatchObject({ kind: 'still', orientation: 'non-voice', server: 'messaging', role: 'still' });
    await expect(
      stage.api('leg.add', { session, kind: 'still', party: 'all', text: 'data:text/html;base64,AAAA' }),
    ).rejects.toThrow(/bad_request/);
    await stage.api('leg.add', { session, kind: 'message', party: number(elm), text: 'to one' });
    await until(() => texts(a).length + texts(b).length === 3, 'both texts and the picture');
    expect([texts(a), texts(b)]).toEqual([['to one'], ['to all', picture]]);
    const items = (await stage.api('message.list', { session })).items;
    expect(items.map(({ text, leg }) => [text, leg === all.leg.id])).toEqual([
      ['to one', false],
      [picture, false],
      ['to all', true],
    ]);
    await talksOn();
    await stage.api('session.end', { session });
    const ended = async () => (await stage.api('session.get', { session })).state === 'ended';
    await until(ended, 'the session to end');
  });
});

describe('in a call of the house', () => {
  it('a text goes to the other side in its dialog, and the cloud hears of it with the call’s own session', async () => {
    const c = await elm.phone({ answerAfter: 100 });
    const call = await settle(a.dial(number(elm, 1)));
    await until(() => call.state === 'up', 'the call');
    expect(await settle(a.sendInCall(call, 'one'))).toBe(200);
    const theirs = c.calls.at(-1);
    if (theirs === undefined) throw new Error('no call');
    expect(await settle(c.sendInCall(theirs, 'two'))).toBe(200);
    expect([texts(c), texts(a), c.messages.heard, a.messages.heard]).toEqual([['one'], ['two'], 1, 1]);
    a.hangup(call);
    const house = async () => (await stage.api('session.list', {})).items.filter(({ kind }) => kind === 'house-call');
    await until(async () => (await house()).length > 0, 'the facts of the call', 60_000);
    await until(async () => (await list(elm)).length === 2, 'both messages', 60_000);
    const [session] = await house();
    expect((await list(elm)).map((one) => [one.text, one.session, one.state])).toEqual([
      ['two', session?.id, 'delivered'],
      ['one', session?.id, 'delivered'],
    ]);
  });
});

describe('with the WAN of a house cut', () => {
  let c: Phone;
  const cut = () => world.partition(['elm', 'elm-phone1', 'elm-phone2']);
  const heal = () => world.heal();

  beforeEach(async () => {
    c = await elm.phone();
  });

  it('phones of the house write to each other, and the cloud hears of it once, afterwards', async () => {
    cut();
    await world.run(5_000);
    expect(await settle(a.messages.send(number(elm, 1), 'in the house'))).toBe(200);
    expect(texts(c)).toEqual(['in the house']);
    await world.run(60_000);
    expect(await list(elm)).toEqual([]);
    heal();
    await until(async () => (await list(elm)).length === 1, 'the report', 120_000);
    await world.run(120_000);
    expect(await list(elm)).toMatchObject([
      { text: 'in the house', state: 'delivered', recipients: [{ party: number(elm, 1), devices: 1 }] },
    ]);
    expect(c.messages.heard).toBe(1);
    expect((await list(elm))[0]?.createdAt).toBeLessThan(world.host('cloud', []).clock.wall() - 180_000);
  });

  it('a message for outside is answered 202, waits on the gateway’s disk, and arrives once', async () => {
    cut();
    await world.run(5_000);
    expect(await settle(a.messages.send(number(oak), 'first'))).toBe(202);
    expect(await settle(a.messages.send(number(oak), 'second'))).toBe(202);
    expect(await settle(a.messages.send('+15559999999', 'to nobody'))).toBe(202);
    // The power goes the moment that the phone was told.
    elm.powerOff();
    await world.run(30_000);
    await elm.powerOn();
    await world.run(30_000);
    heal();
    await until(() => texts(b).length === 2, 'the texts', 120_000);
    await world.run(60_000);
    expect(b.messages.shown.map(({ text }) => text)).toEqual(['first', 'second']);
    expect(b.messages.heard).toBe(2);
    const nobody = (await list(elm)).find(({ text }) => text === 'to nobody');
    expect(nobody).toMatchObject({ state: 'failed', recipients: [{ reason: 'callee_unknown' }] });
  });

  it('a cut at any moment of sending, and of being told: it is one message, shown once', async () => {
    const sent: string[] = [];
    for (let after = 0; after < 16; after += 2) {
      const text = `cut after ${after} ms`;
      sent.push(text);
      const sending = a.messages.send(number(oak), text);
      await world.run(after);
      cut();
      await world.run(3_000);
      heal();
      // The house stayed whole, so the phone has its answer in any case.
      expect(await settle(sending)).toBe(202);
      await until(() => texts(b).includes(text), text, 120_000);
    }
    await world.run(120_000);
    expect([...texts(b)].sort()).toEqual([...sent].sort());
    expect((await list(oak)).map(({ text }) => text).sort()).toEqual([...sent].sort());
  });
});

describe('a cloud that starts again', () => {
  it('delivers what waited, and a receipt that was not told, once', async () => {
    await settle(b.register(0));
    await world.run(1_000);
    const receipts = ['positive-delivery'] as const;
    expect(await settle(a.messages.send(number(oak), 'before', { id: 'r-1', receipts }))).toBe(202);
    await stage.restartCloud();
    await world.run(60_000);
    await settle(b.register());
    await until(() => texts(b).length === 1, 'the text', 60_000);
    await until(() => a.messages.receipts.length === 1, 'the receipt', 60_000);
    await stage.restartCloud();
    await world.run(120_000);
    expect([b.messages.heard, a.messages.receipts.length]).toEqual([1, 1]);
    expect(await settle(a.messages.send(number(oak), 'after'))).toBe(202);
    await until(() => texts(b).length === 2, 'the next text', 60_000);
  });
});
