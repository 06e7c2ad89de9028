import { afterEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { PhoneCall } from '#simulator/phone.ts';
import { Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator?.stop());

const second = (call: PhoneCall | undefined, n: number) =>
  (call?.heard() ?? new Int16Array(0)).slice(n * 8000, (n + 1) * 8000);

async function twoPhones(seed = 1) {
  operator = await Operator.start(seed);
  const a = await operator.line(await operator.home('home_a'), 1);
  const b = await operator.line(await operator.home('home_b'), 2);
  const alice = await operator.ready(a, { voice: sine(600, -10, 8000) });
  const bob = await operator.ready(b, { voice: sine(1000, -10, 8000), answerAfter: 500 });
  return { a, b, alice, bob, world: operator.world };
}

async function talking() {
  const two = await twoPhones();
  const call = await two.alice.dial(two.b.number);
  await two.world.until(() => call.state === 'up', 5_000, 'the answer');
  const incoming = two.bob.calls[0] as PhoneCall;
  return { ...two, call, incoming };
}

const nothingLeft = async () => {
  await operator.world.run(40_000);
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
  expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  expect(await operator.store.all('SELECT * FROM channel')).toEqual([]);
  expect(await operator.store.all('SELECT * FROM spool')).toEqual([]);
};

describe('two direct phones', () => {
  test('call each other, hear each other, hang up, and are billed', async () => {
    const { call, incoming, world } = await talking();
    expect(call.progress).toContain(180);
    expect(incoming.from).toContain('"Phone 1" <sip:+15550101001@operator.test>');
    await world.run(3_000);
    expect(levelOf(second(call, 1), 1000)).toBeGreaterThan(-15);
    expect(levelOf(second(incoming, 1), 600)).toBeGreaterThan(-15);
    call.hangup();
    await world.until(() => incoming.state === 'ended', 2_000, 'the end');
    expect(incoming.why).toBe('bye');
    await nothingLeft();
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(cdrs.map(({ reason, seconds }) => ({ reason, seconds }))).toEqual([
      { reason: 'hangup', seconds: 4 },
      { reason: 'hangup', seconds: 4 },
    ]);
  });

  test('hold silences the other side and tells it; resume brings the sound back', async () => {
    const { call, incoming, world } = await talking();
    await world.run(2_000);
    call.hold(true);
    await world.until(() => incoming.held, 2_000, 'hold');
    await world.run(2_000);
    incoming.rtp.clear();
    await world.run(1_000);
    expect(incoming.rtp.received).toBeGreaterThan(0);
    call.rtp.clear();
    await world.run(1_000);
    expect(call.rtp.received).toBe(0);
    call.hold(false);
    await world.until(() => !incoming.held, 2_000, 'resume');
    await world.run(2_500);
    expect(levelOf(second(call, 1), 1000)).toBeGreaterThan(-15);
    incoming.hangup();
    await world.until(() => call.state === 'ended', 2_000);
    await nothingLeft();
  });

  test.each([
    ['busy', 486, 'callee_busy'],
    ['decline', 603, 'callee_declined'],
  ] as const)('a callee that is %s', async (manner, status, reason) => {
    const { b, alice, bob, world } = await twoPhones();
    bob.manner = manner;
    const call = await alice.dial(b.username);
    await world.until(() => call.state === 'ended', 5_000);
    expect(call.status).toBe(status);
    await nothingLeft();
    expect((await operator.ask('cdr.list', {})).items.map((one) => one.reason)).toEqual([reason, reason]);
  });

  test('nobody answers: 480 after 30 s', async () => {
    const { b, alice, bob, world } = await twoPhones();
    bob.manner = 'ring';
    const call = await alice.dial(b.number);
    await world.run(29_000);
    expect(call.state).toBe('ringing');
    await world.until(() => call.state === 'ended', 3_000);
    expect(call.status).toBe(480);
    await world.until(() => bob.calls[0]?.state === 'ended', 1_000);
    expect(bob.calls[0]?.why).toBe('cancel');
    await nothingLeft();
  });

  test('the caller gives up', async () => {
    const { b, alice, bob, world } = await twoPhones();
    bob.manner = 'ring';
    const call = await alice.dial(b.number);
    await world.until(() => call.state === 'ringing', 5_000);
    call.hangup();
    await world.until(() => bob.calls[0]?.state === 'ended', 1_000);
    await nothingLeft();
  });

  test('who is not registered, or does not exist', async () => {
    const { a, alice, world } = await twoPhones();
    const off = await operator.line('home_b', 3);
    const offline = await alice.dial(off.number);
    const nobody = await alice.dial('+15550109999');
    const foreign = await alice.dial('sip:x@elsewhere.test');
    await world.run(2_000);
    expect([offline.status, nobody.status, foreign.status]).toEqual([480, 404, 404]);
    expect(a.number).toBe('+15550101001');
    await nothingLeft();
  });

  test('all phones of a line ring, the first answer wins, the others are told', async () => {
    const { b, alice, bob, world } = await twoPhones();
    const second = await operator.ready(b, { host: '10.2.0.2', answerAfter: 5_000 });
    const call = await alice.dial(b.number);
    await world.until(() => call.state === 'up', 5_000);
    await world.run(100);
    expect(bob.calls[0]?.state).toBe('up');
    expect(second.calls[0]?.state).toBe('ended');
    call.hangup();
    await nothingLeft();
  });
});

describe('other requests', () => {
  test('INFO goes to the other side and its answer comes back', async () => {
    const { alice, call, incoming, world } = await talking();
    const status = await world.settle(alice.info(call, 'application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n'));
    expect(status).toBe(200);
    expect(incoming.infos).toEqual(['Signal=5\r\nDuration=160\r\n']);
  });

  test('OPTIONS is answered, what is not served is not', async () => {
    const { alice, world } = await twoPhones();
    const statuses = [];
    for (const method of ['OPTIONS', 'MESSAGE', 'SUBSCRIBE', 'PUBLISH', 'NONSENSE'])
      statuses.push(await world.settle(alice.ask(method)));
    expect(statuses).toEqual([200, 404, 489, 405, 501]);
    await world.settle(alice.ask('OPTIONS'));
    expect(alice.lastAnswer?.headerAll('Allow-Events')).toEqual(['message-summary', 'dialog']);
  });
});

describe('the way of the sound', () => {
  const voice = sine(600, -10, 8000);
  const hear = async (more: { believes?: string }) => {
    operator = await Operator.start(5);
    const home = await operator.home('home_a');
    const alice = await operator.ready(await operator.line(home, 1), { voice, ...more });
    const b = await operator.line(home, 2);
    const bob = await operator.ready(b, { voice });
    const call = await alice.dial(b.number);
    await operator.world.until(() => call.state === 'up', 5_000);
    await operator.world.run(2_500);
    expect(levelOf(second(call, 1), 600)).toBeGreaterThan(-15);
    expect(levelOf(second(bob.calls[0], 1), 600)).toBeGreaterThan(-15);
    return bob.calls[0]?.rtp.lastFrom?.host;
  };

  test('direct phones that show their true address talk to each other', async () => {
    expect(await hear({})).toBe('10.1.0.11');
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  });

  test('a phone behind a NAT is relayed, and heard from where it really is', async () => {
    expect(await hear({ believes: '192.168.1.5' })).toBe('10.0.0.2');
  });
});

describe('the door', () => {
  test('a wrong password, an unknown user and another’s name are refused alike', async () => {
    operator = await Operator.start(2);
    const line = await operator.line(await operator.home('home_a'), 1);
    const trace: string[] = [];
    const wrong = await operator.phone(
      { ...line, password: 'guess' },
      { host: '10.1.0.20', trace: (_d, t) => trace.push(t) },
    );
    const nobody = await operator.phone({ ...line, username: 'nobody' }, { host: '10.1.0.21' });
    expect(await operator.world.settle(wrong.register())).toBe(401);
    expect(await operator.world.settle(nobody.register())).toBe(401);
    expect(trace.filter((text) => text.startsWith('SIP/2.0')).every((text) => text.includes('WWW-Authenticate'))).toBe(
      true,
    );
    const call = await wrong.dial('+15550101002');
    await operator.world.until(() => call.state === 'ended', 5_000);
    expect(call.status).toBe(401);
  });

  test('a line that is removed is not rung any more, and its password opens nothing', async () => {
    operator = await Operator.start(7);
    const home = await operator.home('home_a');
    const line = await operator.line(home, 1);
    const phone = await operator.ready(line);
    await operator.store.commit([sql("DELETE FROM line WHERE id = 'line_1'")]);
    operator.bus.publish('lines.changed', { home });
    await operator.world.run(100);
    expect((await operator.ask('registration.list', {})).items).toEqual([]);
    expect(await operator.store.all('SELECT * FROM binding')).toEqual([]);
    expect(await operator.world.settle(phone.register())).toBe(401);
  });

  test('a right password is for the own number and name alone', async () => {
    operator = await Operator.start(6);
    const home = await operator.home('home_a');
    const [a, b] = [await operator.line(home, 1), await operator.line(home, 2)];
    const liar = await operator.phone(a, { claims: b.username });
    expect(await operator.world.settle(liar.register())).toBe(403);
    const call = await liar.dial(b.number);
    await operator.world.until(() => call.state === 'ended', 5_000);
    expect(call.status).toBe(403);
    expect((await operator.ask('registration.list', {})).items).toEqual([]);
  });

  test('who guesses ten times in a minute is shut out, also with the right word', async () => {
    operator = await Operator.start(3);
    const line = await operator.line(await operator.home('home_a'), 1);
    const guesser = await operator.phone({ ...line, password: 'guess' }, { host: '10.1.0.20' });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++) statuses.push(await operator.world.settle(guesser.register()));
    expect(statuses.slice(0, 9)).toEqual(Array(9).fill(401));
    expect(statuses.slice(10)).toEqual([403, 403]);
    const owner = await operator.phone(line, {
      host: '10.1.0.20',
      world: operator.world.host('phone-10.1.0.20', ['10.1.0.20']),
    });
    expect(await operator.world.settle(owner.register())).toBe(403);
    await operator.world.run(61_000);
    expect(await operator.world.settle(owner.register())).toBe(200);
  });

  test('a standard line has four calls at once, an unmetered one more', async () => {
    operator = await Operator.start(4);
    const home = await operator.home('home_a');
    const line = await operator.line(home, 1);
    const free = await operator.line(home, 2, { class: 'unmetered' });
    const target = await operator.line(home, 3, { class: 'unmetered' });
    const [alice, carol] = [await operator.ready(line), await operator.ready(free)];
    await operator.ready(target);
    const calls: PhoneCall[] = [];
    for (let i = 0; i < 5; i++) calls.push(await operator.world.settle(alice.dial(target.number)));
    await operator.world.run(3_000);
    expect(calls.map((call) => call.state)).toEqual(['up', 'up', 'up', 'up', 'ended']);
    expect(calls[4]?.status).toBe(403);
    const more: PhoneCall[] = [];
    for (let i = 0; i < 5; i++) more.push(await operator.world.settle(carol.dial(line.number)));
    await operator.world.run(3_000);
    expect(more.map((call) => call.status)).toEqual([486, 486, 486, 486, 486]);
    for (const call of calls) call.hangup();
    await nothingLeft();
  });
});
