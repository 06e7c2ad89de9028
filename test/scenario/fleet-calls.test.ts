/** Several softswitch processes in the virtual world: calls from one to another, and every feature that joins what lies in two of them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { tone } from '#simulator/voice.ts';
import { fourPhones, operatorWords, replacing, THIRD } from './four-phones.ts';
import { type Line, Operator } from './operator.ts';
import { expectHears, TONES } from './two-homes.ts';
import { last } from './words.ts';

let operator: Operator;
let line: (n: number) => Line;
/** Alice and Bob are at process 0, Carol and Dave at process 1. */
let alice: Phone;
let bob: Phone;
let carol: Phone;
let dave: Phone;

beforeEach(async () => {
  operator = await Operator.start(193, undefined, undefined, 2);
  ({ alice, bob, carol, dave, line } = await fourPhones(operator, (n) => operator.at(n < 2 ? 0 : 1)));
});
afterEach(() => operator.stop());

const { until, talk } = operatorWords(() => operator);

/** Every leg has ended and has its record; `n` legs in all. */
async function allOver(n: number): Promise<void> {
  await operator.world.run(15_000);
  const { items } = await operator.ask('cdr.list', {});
  expect(items).toHaveLength(n);
  expect(new Set(items.map(({ leg }) => leg)).size).toBe(n);
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
  expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  expect(await operator.store.all('SELECT 1 FROM channel')).toEqual([]);
}

async function hear(a: PhoneCall, b: PhoneCall, toneA: number, toneB: number): Promise<void> {
  await operator.world.run(1_500);
  expectHears(a.heard().subarray(-6_000), toneB, toneA);
  expectHears(b.heard().subarray(-6_000), toneA, toneB);
}

describe('a call from a phone of one process to one of another', () => {
  test('is whole: sound, hold, end, one record of each leg', async () => {
    const call = await talk(alice, line(2));
    await hear(call, last(carol), TONES.a, THIRD);
    last(carol).hold(true);
    await until(() => call.held, 'the hold');
    last(carol).hold(false);
    await until(() => !call.held, 'the end of the hold');
    call.hangup();
    await until(() => last(carol).state === 'ended', 'the end');
    await allOver(2);
  });

  test('rings the phones of a line wherever they registered, and stops the others', async () => {
    const second = await operator.ready(line(1), { ...operator.at(1), host: '10.1.0.77', manner: 'ring' });
    bob.manner = 'ring';
    const call = await dave.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing' && last(second)?.state === 'ringing', 'both to ring');
    last(bob).answer();
    await until(() => call.state === 'up' && last(second).state === 'ended', 'one of them');
    call.hangup();
    await allOver(2);
  });

  test('goes on to the next of a hunt group at another process', async () => {
    const features = { hunt: [line(2).number], noAnswerAfter: 5 };
    await operator.ask('line.features.set', { home: 'home_2', line: line(1).id, features });
    bob.manner = 'ring';
    const call = await talk(alice, line(1));
    expect([last(bob).state, last(carol).state]).toEqual(['ended', 'up']);
    call.hangup();
    await allOver(3);
  });

  test('is busy to a third where its line has no call waiting, whichever process has its call', async () => {
    await operator.ask('line.features.set', { home: 'home_2', line: line(1).id, features: { noWaiting: true } });
    await talk(dave, line(1));
    const refused = await alice.dial(line(1).number);
    await until(() => refused.state === 'ended', 'the refusal');
    expect(refused.status).toBe(486);
  });

  test('is called again (*66) and called back (*69) from any process', async () => {
    (await talk(bob, line(3))).hangup();
    await operator.world.run(1_000);
    const again = await operator.ready(line(1), { ...operator.at(1), host: '10.1.0.78', manner: 'ring' });
    const call = await again.dial('*66');
    await until(() => call.state === 'up', 'the answer');
    expect(last(dave).from).toContain(line(1).number);
    call.hangup();
    await operator.world.run(1_000);
    const back = await dave.dial('*69');
    await until(() => last(again)?.state === 'ringing', 'the ring');
    back.hangup();
    await operator.world.run(1_000);
  });
});

describe('a call that rings at another process', () => {
  beforeEach(() => {
    bob.manner = 'ring';
  });

  test.each([
    ['by *8', () => carol.dial('*8')],
    ['by INVITE with Replaces', () => carol.dial(line(1).number, replacing(bob, last(bob)))],
  ])('is picked up %s', async (_how, take) => {
    const call = await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing', 'the ring');
    const taken = await take();
    await until(() => call.state === 'up' && taken.state === 'up' && last(bob).state === 'ended', 'the pickup');
    await hear(call, taken, TONES.a, THIRD);
    taken.hold(true);
    await until(() => call.held, 'the hold by who took it');
    taken.hangup();
    await until(() => call.state === 'ended', 'the end');
    await allOver(3);
  });

  test('may be given up by who tries at any moment: CANCEL finds the INVITE that was handed on', async () => {
    const heard: string[] = [];
    const trace = (direction: 'in' | 'out', text: string) => direction === 'in' && heard.push(text);
    const desk = await operator.ready(line(2), { ...operator.at(1), host: '10.1.0.81', trace });
    for (let ms = 1; ms <= 12; ms++) {
      const call = await alice.dial(line(1).number);
      await until(() => last(bob)?.state === 'ringing', 'the ring');
      const taken = await desk.dial('*8');
      await operator.world.run(ms);
      taken.hangup();
      await operator.world.run(1_000);
      call.hangup();
      await operator.world.run(500);
    }
    const cancels = heard.filter((text) => /^CSeq: \d+ CANCEL/im.test(text)).map((text) => text.slice(8, 11));
    expect([...new Set(cancels)]).toEqual(['200']);
    await operator.world.run(15_000);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test('of another home is nobody else’s', async () => {
    await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing', 'the ring');
    const refused = await dave.dial(line(1).number, replacing(bob, last(bob)));
    await until(() => refused.state === 'ended', 'the refusal');
    expect(refused.status).toBe(403);
  });
});

describe('a phone on a connection of one process', () => {
  test('is called from the other, picks up there, and its requests find the call', async () => {
    const { sipTcp: server } = operator.config.bound.softswitches?.[1] ?? {};
    if (server === undefined) throw new Error('no second process');
    const more = { protocol: 'tcp', server, host: '10.1.0.79', voice: tone(THIRD, 1) } as const;
    const desk = await operator.ready(await operator.line('home_2', 5), more);
    const call = await talk(alice, { ...line(1), number: '+15550101005' });
    await hear(call, last(desk), TONES.a, THIRD);
    last(desk).hold(true);
    await until(() => call.held, 'the hold');
    last(desk).hangup();
    await until(() => call.state === 'ended', 'the end');
    bob.manner = 'ring';
    const second = await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing', 'the ring');
    const taken = await desk.dial('*8');
    await until(() => second.state === 'up' && taken.state === 'up', 'the pickup');
    taken.hold(true);
    await until(() => second.held, 'the hold');
    taken.hangup();
    await until(() => second.state === 'ended', 'the end');
    await allOver(5);
  });

  test('behind a gateway, too', async () => {
    const gateway = await operator.gateway('home_2', 1);
    const { sips } = operator.config.bound.softswitches?.[1] ?? {};
    const behind = { ...operator.behind(gateway), server: sips ?? { host: '', port: 0 }, host: '10.1.0.80' };
    const desk = await operator.ready(await operator.line('home_2', 6), behind);
    bob.manner = 'ring';
    const call = await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing', 'the ring');
    const taken = await desk.dial('*8');
    await until(() => call.state === 'up' && taken.state === 'up', 'the pickup');
    call.hangup();
    await until(() => taken.state === 'ended', 'the end');
    await allOver(3);
  });
});

describe('a call that another process has', () => {
  test('goes on with another phone of the home by INVITE with Replaces', async () => {
    const call = await talk(alice, line(1));
    const taken = await carol.dial(line(0).number, replacing(bob, last(bob)));
    await until(() => taken.state === 'up' && last(bob).state === 'ended', 'the take-over');
    await hear(call, taken, TONES.a, THIRD);
    taken.hangup();
    await until(() => call.state === 'ended', 'the end');
    await allOver(3);
  });

  test('is joined with one of this process by REFER: an attended transfer over both', async () => {
    const first = await talk(alice, line(1));
    // Alice's second call comes from a phone of the other process, so it lives there.
    const second = await carol.dial(line(0).number);
    await until(() => second.state === 'up', 'the second call');
    await operator.world.run(500);
    expect(await operator.world.settle(alice.refer(first, last(alice)))).toBe(202);
    await until(() => first.state === 'ended', 'the transfer');
    expect(first.notified.at(-1)).toMatch(/200/);
    await hear(last(bob), last(carol), TONES.b, THIRD);
    last(carol).hangup();
    await until(() => last(bob).state === 'ended', 'the end');
    await allOver(5);
  });

  test('comes together with one of this process in a room (*7)', async () => {
    const first = await talk(alice, line(1));
    first.hold(true);
    await operator.world.run(500);
    const second = await carol.dial(line(0).number);
    await until(() => second.state === 'up', 'the second call');
    await operator.world.run(500);
    const room = await alice.dial('*7');
    await until(() => room.state === 'up' && first.state === 'ended', 'the room');
    await operator.world.run(2_500);
    expect([last(bob).state, last(carol).state]).toEqual(['up', 'up']);
    expectHears(room.heard().subarray(-4_000), TONES.b, TONES.a);
    room.hangup();
    last(bob).hangup();
    last(carol).hangup();
    await allOver(7);
  });
});

describe('what phones watch', () => {
  const states = (phone: Phone) =>
    phone.watches.notified
      .map(({ body }) => /<state>(\w+)</.exec(body)?.[1] ?? 'none')
      .filter((one, i, all) => one !== all[i - 1]);

  test('the lamp of a line shows calls of any process, and dialogs by which they can be taken', async () => {
    expect(await operator.world.settle(carol.watches.start('dialog', line(1).number))).toBe(200);
    await operator.world.run(100);
    const call = await talk(alice, line(1));
    expect(carol.watches.notified.at(-1)?.body).toContain(`call-id="${last(bob).callId}"`);
    call.hangup();
    await operator.world.run(1_000);
    const other = await talk(dave, line(1));
    other.hangup();
    await operator.world.run(1_000);
    const one = ['trying', 'early', 'confirmed', 'terminated'];
    expect(states(carol)).toEqual(['none', ...one, ...one]);
  });

  test('waiting messages are told at whichever process who waits for them subscribed', async () => {
    for (const [phone, n] of [
      [bob, 1],
      [carol, 2],
    ] as const) {
      expect(await operator.world.settle(phone.watches.start('message-summary', line(n).number))).toBe(200);
      await operator.world.run(100);
      const before = phone.watches.notified.length;
      operator.bus.publish('messages.changed', { line: line(n).id });
      await operator.world.run(100);
      expect(phone.watches.notified).toHaveLength(before + 1);
    }
  });

  test('who begins to watch while a call is up sees it; who watches no more costs nothing', async () => {
    const call = await talk(alice, line(1));
    await operator.world.settle(carol.watches.start('dialog', line(1).number));
    await operator.world.run(2_000);
    expect(states(carol).at(-1)).toBe('confirmed');
    // A busy process is away: its calls are shown no more.
    operator.fleet?.kill(0);
    await operator.world.run(50);
    expect(states(carol).at(-1)).toBe('terminated');
    await operator.world.run(2_000);
    expect(states(carol).at(-1)).toBe('confirmed');
    call.hangup();
    await operator.world.run(1_000);
    expect(states(carol).at(-1)).toBe('terminated');
  });
});
