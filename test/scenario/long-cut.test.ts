/** A house whose WAN is cut for a week: its phones go on by the same rules, and afterwards the cloud knows it all, once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { isLong } from '../peers.ts';
import { expectHears, phoneWith, threePhones } from './two-homes.ts';
import { type Features, last, number as numberOf, wordsOf } from './words.ts';

const [A, B, C, D] = [443, 617, 881, 1_203];
const [HOUR, DAY] = [3_600_000, 86_400_000];
/** In the long suite a day is a day, else an hour stands for it. */
const LIMIT = isLong ? 600_000 : 60_000;

describe('a house that is cut off', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let a: Phone;
  let b: Phone;
  let c: Phone;
  let d: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 53 }));
    elm = await stage.home('elm');
    [a, b, c] = await threePhones(elm, [A, B, C]);
    d = await phoneWith(elm, D);
  });
  afterEach(() => stage?.[Symbol.asyncDispose]());

  const { until, dial, code, cutOff, setFeatures } = wordsOf(() => stage);
  const number = (n: number) => numberOf(elm, n);
  async function set(n: number, features: Features): Promise<void> {
    await setFeatures(elm, features, n);
    // The gateway hears of it.
    await world.run(500);
  }
  const get = (n: number) => stage.api('line.features.get', { home: elm.id, line: elm.lines[n]?.id ?? '' });
  async function over(phone: Phone, call: PhoneCall): Promise<void> {
    phone.hangup(call);
    await world.run(500);
  }
  async function cut(): Promise<void> {
    world.partition(['cloud']);
    await cutOff(elm);
  }
  async function heal(): Promise<void> {
    world.heal();
    await until(() => elm.gateway.status().voice.flow === 'up', 'the flow', 200_000);
    await until(() => elm.gateway.agent()?.status.at === 'ready', 'the link', 200_000);
    await world.run(5_000);
  }
  /** The house is on its own; that the cloud rests too spares us its clockwork. */
  async function days(count: number): Promise<void> {
    await stage.killCloud();
    await world.run(count * (isLong ? DAY : HOUR));
    await stage.startCloud();
  }
  const records = async () =>
    (await stage.api('cdr.list', {})).items.map(({ reason, from, to }) => `${from} ${to} ${reason}`).toSorted();
  const record = (from: number, to: number, reason = 'hangup') => `${number(from)} ${number(to)} ${reason}`;

  it('keeps every rule of its lines: turned away, forwarded, hunted, rung together, picked up, named, hidden', async () => {
    await set(1, { block: [number(0)], contacts: [{ number: number(2), name: 'Attic', ring: 'friend' }] });
    await set(0, { short: [{ code: '7', to: number(2) }], bar: ['local', 'national'], pin: '2468' });
    await cut();
    expect((await dial(a, number(1))).status).toBe(603);
    await over(c, await dial(c, number(1)));
    expect(last(b).from).toContain('"Attic"');
    expect(last(b).alerts).toEqual(['<urn:alert:source:friend>']);
    const short = await dial(a, '7');
    expect([short.state, last(c).from.includes(number(0))]).toEqual(['up', true]);
    await over(a, short);
    await over(a, await dial(a, `#31#${number(2)}`));
    expect(last(c).from).toContain('anonymous.invalid');
    expect((await dial(a, '+15559990000')).status).toBe(403);
    expect((await dial(a, '*33*2468*+15559990000')).status).toBe(503);
    expect((await dial(c, '*69')).status).toBe(404);
    await over(a, await dial(a, number(2)));
    await over(a, await dial(a, '*66'));
    expect(c.calls.filter(({ outgoing }) => !outgoing)).toHaveLength(4);
    const back = await dial(c, '*69');
    expect([back.state, last(a).from.includes(number(2))]).toEqual(['up', true]);
    await over(c, back);
  });

  it('goes by the same rules with the cloud there, which hears of every call and code', async () => {
    expect(await code(b, '*26#')).toBe(true);
    await world.run(500);
    expect((await dial(a, number(1))).status).toBe(486);
    expect(await get(1)).toEqual({ doNotDisturb: true });
    expect(await code(b, '#26#')).toBe(true);
    await set(1, { ringAlso: [number(2)], contacts: [{ number: number(0), name: 'Desk' }] });
    b.manner = 'ring';
    const together = await dial(a, number(1));
    expect([together.state, last(b).from.includes('"Desk"'), last(c).state]).toEqual(['up', true, 'up']);
    await over(a, together);
    await world.run(2_000);
    const inside = (await records()).filter((one) => !one.includes('26#'));
    expect(inside).toEqual([record(0, 1, 'answered_elsewhere'), record(0, 2), record(0, 2)].toSorted());
  });

  it('hunts, forwards, rings together and lets a call be picked up, with a record of every leg afterwards', async () => {
    await set(0, { hunt: [number(1)], forward: { noAnswer: number(2) }, noAnswerAfter: 5 });
    await set(1, { ringAlso: [number(2)] });
    await cut();
    [a.manner, b.manner] = ['busy', 'ring'];
    const hunted = await dial(d, number(0));
    await world.run(1_500);
    expect(last(b).state).toBe('ended');
    expectHears(hunted.heard(), C, D);
    await over(d, hunted);
    const together = await dial(d, number(1));
    expect([together.state, last(b).state, last(c).state]).toEqual(['up', 'ended', 'up']);
    await over(c, last(c));
    a.manner = 'ring';
    const calling = await world.settle(d.dial(number(0)));
    await until(() => a.calls.at(-1)?.state === 'ringing', 'the phone to ring');
    expect((await dial(c, `*8*${number(1)}#`)).status).toBe(404);
    const taking = await dial(c, '*8');
    await world.run(1_500);
    expect([taking.state, calling.state, last(a).state]).toEqual(['up', 'up', 'ended']);
    expectHears(calling.heard(), C, D);
    await over(c, taking);
    expect(calling.state).toBe('ended');
    expect((await dial(c, '*8')).status).toBe(404);
    await heal();
    const twice = [record(3, 2), record(3, 2)];
    const elsewhere = 'answered_elsewhere';
    expect(await records()).toEqual(
      [
        ...[...twice, record(3, 0, 'callee_busy'), record(3, 1, 'no_answer')],
        ...[...twice, record(3, 1, elsewhere)],
        ...[...twice, record(3, 0, elsewhere)],
      ].toSorted(),
    );
    expect(await world.settle(elm.engine.list())).toEqual([]);
  });

  it(
    'goes on for a week, power cut and wrong clock included; afterwards both sides agree, and every call is told once',
    async () => {
      await set(2, { rejectAnonymous: true });
      for (const one of [a, b, c, d]) expect(await world.settle(one.register(3_600))).toBe(200);
      await cut();
      expect(await code(a, '*26#')).toBe(true);
      expect(await code(b, `*21*${number(2)}#`)).toBe(true);
      expect(await code(a, '*21*5*5#')).toBe(false);
      expect((await dial(d, number(0))).status).toBe(486);
      await days(1);
      elm.powerOff();
      await world.run(60_000);
      await elm.powerOn();
      await days(2);
      // The cloud changes the same of one line later, of another earlier than the house will.
      await set(1, { forward: { always: number(0) } });
      await set(3, { doNotDisturb: true, short: [{ code: '5', to: number(2) }] });
      await days(2);
      expect((await dial(d, number(0))).status).toBe(486);
      await over(d, await dial(d, number(1)));
      expect(last(c).from).toContain(number(3));
      expect(await code(d, '#26#')).toBe(true);
      world.skew('elm', -6 * DAY);
      expect(await code(a, '#26#')).toBe(true);
      expect(await code(c, `*67*${number(0)}#`)).toBe(true);
      await over(d, await dial(d, number(0)));
      await days(2);
      await heal();
      expect([await get(0), await get(1), await get(2), await get(3)]).toEqual([
        {},
        { forward: { always: number(0) } },
        { rejectAnonymous: true, forward: { busy: number(0) } },
        { short: [{ code: '5', to: number(2) }] },
      ]);
      expect(await records()).toEqual([record(3, 0), record(3, 0), record(3, 2), record(3, 2)].toSorted());
      expect(elm.gateway.status().voice.registrations).toHaveLength(4);
      const { items } = await stage.api('line.list', { home: elm.id });
      expect(items.map(({ registered }) => registered)).toEqual([true, true, true, true]);
      // What the cloud now says holds in the house too.
      await over(d, await dial(d, number(1)));
      expect(last(a).from).toContain(number(3));
    },
    LIMIT,
  );
});
