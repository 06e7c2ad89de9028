/** Phones that send their callers elsewhere (302, RFC 3261 section 21.3.3): as calls of whoever owns the line, by its rules and at its cost. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';
import { last, level, number, wordsOf } from './words.ts';

const far = '+12125550100';
const sending = (to: string, host = 'operator.test') => ({
  refuses: 302,
  refusalHeaders: [['Contact', `<sip:${to}@${host}>`]] as const,
});

describe('a phone at the softswitch', () => {
  let operator: Operator;
  let lines: [Line, Line, Line];
  let alice: Phone;

  beforeEach(async () => {
    operator = await Operator.start(91);
    const home = await operator.home('home_2');
    lines = [
      await operator.line(await operator.home('home_1'), 1),
      await operator.line(home, 2),
      await operator.line(home, 3),
    ];
    alice = await operator.ready(lines[0]);
  });
  afterEach(() => operator.stop());

  /** Alice calls the second line; how that comes out, and how its legs ended. */
  async function outcome() {
    const call = await alice.dial(lines[1].number);
    await operator.world.until(() => call.state === 'up' || call.state === 'ended', 60_000, 'an outcome');
    const status = call.state === 'up' ? 200 : call.status;
    await operator.world.run(1_000);
    if (status === 200) call.hangup();
    await operator.world.run(12_000);
    const { items } = await operator.ask('cdr.list', {});
    return { status, legs: items.map(({ to, reason }) => `${to} ${reason}`).sort() };
  }

  test('leads to another line, whose phone learns why it rings', async () => {
    const heard: string[] = [];
    const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
    await operator.ready(lines[1], sending(lines[2].number));
    await operator.ready(lines[2], { trace });
    const { status, legs } = await outcome();
    expect(status).toBe(200);
    expect(legs).toEqual([`${lines[1].number} hangup`, `${lines[1].number} moved`, `${lines[2].number} hangup`].sort());
    const invite = heard.find((text) => text.startsWith('INVITE')) ?? '';
    expect(headerIn(invite, 'History-Info')).toContain(lines[1].number);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test('is asked for what it wants most, and in the numbers of its own plan', async () => {
    const wishes = [
      ['Contact', `<sip:700@operator.test>;q=0.2, <sip:${lines[2].number}@operator.test>;q=0.7`],
    ] as const;
    await operator.ready(lines[1], { refuses: 302, refusalHeaders: wishes });
    await operator.ready(lines[2]);
    expect((await outcome()).status).toBe(200);
  });

  test('leads outside as a call of its owner, who pays', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await operator.ready(lines[1], sending(far));
    expect((await outcome()).status).toBe(200);
    const invite = requestOf(outside, 'INVITE');
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(lines[1].number);
    expect(headerIn(invite, 'Diversion')).toContain(`<sip:${lines[1].number}@10.5.0.1>;reason=deflection`);
    expect(await operator.store.all('SELECT payer FROM cdr WHERE party_to = ?', [far])).toEqual([{ payer: 'home_2' }]);
  });

  test('speaks for its own line, also where another line sent the call there', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await operator.ask('line.features.set', {
      ...{ home: lines[1].home, line: lines[1].id },
      features: { hunt: [lines[2].number], bar: ['national', 'international'] },
    });
    await operator.ready(lines[1], { manner: 'busy' });
    await operator.ready(lines[2], sending(far));
    expect((await outcome()).status).toBe(200);
    expect(headerIn(requestOf(outside, 'INVITE'), 'P-Asserted-Identity')).toContain(lines[2].number);
  });

  test('may use the short codes of its line', async () => {
    await operator.ask('line.features.set', {
      ...{ home: lines[1].home, line: lines[1].id },
      features: { short: [{ code: '7', to: lines[2].number }] },
    });
    await operator.ready(lines[1], sending('7'));
    await operator.ready(lines[2]);
    expect((await outcome()).status).toBe(200);
  });

  test('waits for the other phones of its line', async () => {
    await operator.ready(lines[1], sending(lines[2].number));
    const bob = await operator.ready(lines[1], { answerAfter: 3_000 });
    await operator.ready(lines[2]);
    expect((await outcome()).status).toBe(200);
    expect(bob.calls.map(({ state }) => state)).toEqual(['ended']);
  });

  test.each([
    ['a code', '*33*1234#'],
    ['help', '112'],
    ['a medium', '700'],
    ['nobody', '+15559999999'],
    ['itself', 'ITSELF'],
  ])('leads nowhere by %s', async (_what, to) => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside, { prefixes: ['+44'] }));
    await operator.ready(lines[1], sending(to === 'ITSELF' ? lines[1].number : to));
    expect((await outcome()).status).toBe(480);
    expect(outside.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
  });

  test('leads nowhere by an address of somebody else’s, nor round in a circle', async () => {
    const first = await operator.ready(lines[1], sending(lines[2].number, 'elsewhere.test'));
    expect((await outcome()).status).toBe(480);
    await operator.world.settle(first.register(0));
    await operator.ready(lines[1], sending(lines[2].number));
    await operator.ready(lines[2], sending(lines[1].number));
    expect((await outcome()).status).toBe(480);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test('that names nobody of ours leaves its line’s own wishes as they are, and so does a carrier', async () => {
    const sends = await carrier(operator.world, '10.5.0.1', sending(lines[0].number));
    await operator.ask('trunk.create', trunkTo(sends));
    await operator.ask('line.features.set', {
      ...{ home: lines[1].home, line: lines[1].id },
      features: { hunt: [far, lines[2].number] },
    });
    await operator.ready(lines[1], sending(far, 'elsewhere.test'));
    const carol = await operator.ready(lines[2]);
    expect((await outcome()).status).toBe(200);
    expect(requestOf(sends, 'INVITE')).toContain(far);
    expect(carol.calls).toHaveLength(1);
  });

  test('is not followed where its owner may not call', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await operator.ask('line.features.set', {
      home: lines[1].home,
      line: lines[1].id,
      features: { bar: ['international'] },
    });
    await operator.ready(lines[1], sending('+442071838750'));
    expect((await outcome()).status).toBe(480);
    expect(outside.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
  });
});

describe('a phone that is called by API', () => {
  let operator: Operator;
  let lines: [Line, Line, Line];
  afterEach(() => operator.stop());

  /** The API calls the first line and then the second; how its legs are after a while. */
  async function called(ends = false) {
    const { id } = await operator.ask('call.create', { from: lines[0].id, to: lines[1].number });
    await operator.world.run(ends ? 8_000 : 4_000);
    const { legs, state } = await operator.ask('session.get', { session: id });
    return { id, state, legs: legs.map(({ party, state, reason }) => `${party} ${reason ?? state}`) };
  }
  async function begin(seed: number) {
    operator = await Operator.start(seed);
    const home = await operator.home('home_2');
    lines = [
      await operator.line(await operator.home('home_1'), 1),
      await operator.line(home, 2),
      await operator.line(home, 3),
    ];
  }
  const [a, b, c] = [1, 2, 3].map((n) => `+1555010${1000 + n}`);

  test('sends the call to another line, which talks to the first', async () => {
    await begin(93);
    const alice = await operator.ready(lines[0], { voice: tone(600, 1) });
    await operator.ready(lines[1], sending(lines[2].number));
    const carol = await operator.ready(lines[2]);
    const { id, state, legs } = await called();
    expect([state, legs]).toEqual(['active', [`${a} up`, `${b} moved`, `${c} up`]]);
    expect(level(last(carol), 600)).toBeGreaterThan(-30);
    expect(carol.calls[0]?.from).toContain(a);
    alice.calls[0]?.hangup();
    await operator.world.run(12_000);
    expect((await operator.ask('session.get', { session: id })).reason).toBe('hangup');
    const { items } = await operator.ask('cdr.list', {});
    expect(items.map(({ to, reason }) => `${to} ${reason}`).sort()).toEqual(
      [`${b} hangup`, `${b} moved`, `${c} hangup`].sort(),
    );
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
    expect((await operator.ask('media.endpoint.list', {})).items).toEqual([]);
  });

  test('as the first one sends it on, and the other is called once that answers', async () => {
    await begin(94);
    await operator.ready(lines[0], sending(lines[2].number));
    await operator.ready(lines[1]);
    await operator.ready(lines[2]);
    expect((await called()).legs).toEqual([`${a} moved`, `${b} up`, `${c} up`]);
  });

  test('sends it outside as a call of its owner, who pays', async () => {
    await begin(95);
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    const alice = await operator.ready(lines[0]);
    await operator.ready(lines[1], sending(far));
    expect((await called()).legs).toEqual([`${a} up`, `${b} moved`, `${far} up`]);
    expect(headerIn(requestOf(outside, 'INVITE'), 'P-Asserted-Identity')).toContain(lines[1].number);
    alice.calls[0]?.hangup();
    await operator.world.run(12_000);
    expect(await operator.store.all('SELECT payer FROM cdr WHERE party_to = ?', [far])).toEqual([{ payer: 'home_2' }]);
  });

  test.each([
    ['to who is in the call already', () => a, {}],
    ['to nobody', () => '+15559999999', {}],
    ['where its owner may not call', () => '+442071838750', { bar: ['international' as const] }],
  ])('sends it %s: the call ends', async (_why, to, features) => {
    await begin(96);
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside, { prefixes: ['+44'] }));
    await operator.ask('line.features.set', { home: lines[1].home, line: lines[1].id, features });
    await operator.ready(lines[0]);
    await operator.ready(lines[1], sending(to() ?? ''));
    const { state, legs } = await called(true);
    expect([state, legs]).toEqual(['ended', [`${a} callee_offline`, `${b} callee_offline`]]);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });
});

describe('a phone behind a gateway', () => {
  let stage: Stage;
  let world: VirtualWorld;
  const { dial, until } = wordsOf(() => stage);
  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 92 }));
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  test('sends a caller from outside on to another home', async () => {
    const elm = await stage.home('elm');
    const oak = await stage.home('oak');
    const [a, b] = [await elm.phone({}), await elm.phone({})];
    await oak.phone(sending(number(elm, 1), elm.lines[1]?.sip.domain));
    const call = await dial(a, number(oak), 30_000);
    expect(call.state).toBe('up');
    a.hangup(call);
    await until(() => b.calls.every(({ state }) => state === 'ended'), 'the other side to end');
    await until(async () => (await stage.api('cdr.list', {})).items.length === 3, 'three records');
  });

  test('sends a caller of the house to another line of it, with the cloud and without', async () => {
    const oak = await stage.home('oak');
    const [a, third] = [await oak.phone({}), await oak.phone({})];
    const to = (user: string) => sending(user, oak.lines[0]?.sip.domain);
    const second = await oak.phone(to(number(oak, 1)));
    await oak.phone(to('112'));
    const call = await dial(a, number(oak, 2), 30_000);
    expect([call.state, second.calls, third.calls.length]).toEqual(['up', [], 1]);
    a.hangup(call);
    await stage.ground.pass(2_000);
    world.partition(['cloud']);
    await stage.ground.pass(60_000);
    const again = await dial(a, number(oak, 2), 30_000);
    expect([again.state, third.calls.length]).toEqual(['up', 2]);
    a.hangup(again);
    expect((await dial(a, number(oak, 3), 30_000)).status).toBe(480);
  });

  test('sends a caller of the house out of it, as a call of its line', async () => {
    const outside = await carrier(world, '10.5.0.1', {}, stage.ground.sip(stage.cloud));
    stage.phones.push(outside.phone);
    await stage.api('trunk.create', trunkTo(outside, { probeEvery: 0 }));
    const oak = await stage.home('oak');
    const a = await oak.phone({ voice: tone(600, 1) });
    await oak.phone(sending(far, oak.lines[0]?.sip.domain));
    const call = await dial(a, number(oak, 1), 30_000);
    expect(call.state).toBe('up');
    await stage.ground.pass(2_000);
    const invite = requestOf(outside, 'INVITE');
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(number(oak, 1));
    expect(headerIn(invite, 'From')).toContain(number(oak, 0));
    expect(headerIn(invite, 'Diversion')).toContain(`<sip:${number(oak, 1)}@10.5.0.1>;reason=deflection`);
    expect(level(last(outside.phone), 600)).toBeGreaterThan(-30);
    a.hangup(call);
    await until(async () => (await stage.api('cdr.list', {})).items.length === 4, 'four records');
    const { items } = await stage.api('cdr.list', {});
    expect(items.map(({ to, reason }) => `${to} ${reason}`).sort()).toEqual(
      [`${number(oak, 1)} moved`, `${number(oak, 1)} moved`, `${far} hangup`, `${far} hangup`].sort(),
    );
  });

  test.each([
    ['a bar', false, '+442071838750', 403, 'callee_offline'],
    ['a cut', true, far, 503, 'server_unavailable'],
    ['help', false, '911', 480, 'callee_offline'],
    ['a medium', false, '700', 480, 'callee_offline'],
    ['a code', false, '*33*1234#', 480, 'callee_offline'],
    ['nobody', false, '+15559999999', 480, 'callee_offline'],
  ])('sends a caller of the house nowhere because of %s, and says so', async (_why, cut, to, status, reason) => {
    const outside = await carrier(world, '10.5.0.1', {}, stage.ground.sip(stage.cloud));
    stage.phones.push(outside.phone);
    await stage.api('trunk.create', trunkTo(outside, { probeEvery: 0, prefixes: ['+44', '+1212'] }));
    const oak = await stage.home('oak');
    const reasons: string[] = [];
    const trace = (_direction: 'in' | 'out', text: string) => void reasons.push(headerIn(text, 'Reason') ?? '');
    const a = await oak.phone({ trace });
    await oak.phone(sending(to, oak.lines[0]?.sip.domain));
    const bars = { bar: ['international' as const] };
    await stage.api('line.features.set', { home: oak.id, line: oak.lines[1]?.id ?? '', features: bars });
    await stage.ground.pass(2_000);
    if (cut) {
      world.partition(['cloud']);
      await stage.ground.pass(60_000);
    }
    const call = await dial(a, number(oak, 1), 30_000);
    expect([call.status, reasons.join('')]).toEqual([status, expect.stringContaining(reason)]);
    expect(outside.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
  });
});
