/** What a REFER of a phone of the house is answered, what is told of it, and who is shown to whom (RFC 3515, RFC 3892). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectNothingLeft, twoHomes } from './two-homes.ts';
import { last, number } from './words.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let b: Phone;
/** Phones of elm’s three lines. */
let desk: Phone;
let hall: Phone;
let attic: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 47 }));
  ({ elm, oak, b, a: desk } = await twoHomes(stage));
  hall = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(910, 1) });
  attic = await elm.phone({ manner: 'answer', answerAfter: 200 });
});
afterEach(async ({ task }) => {
  try {
    if (task.result?.state !== 'fail') await expectNothingLeft(stage);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});

const until = (condition: () => boolean, what: string) => world.until(condition, 20_000, what);
const over = (phone: Phone) => until(() => phone.calls.every((call) => call.state === 'ended'), 'the end');

async function talk(from: Phone, to: string) {
  const call = await world.settle(from.dial(to));
  await until(() => call.state === 'up', 'the answer');
  await world.run(200);
  return call;
}

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('inside a house, %s', (_how, cut) => {
  beforeEach(() => {
    if (cut) world.partition(['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3', 'elm-phone4']);
  });

  it('a REFER is answered with a Contact; one more in the call is told of under its number, and by no more than is wanted (RFC 3515)', async () => {
    const wire: string[] = [];
    const line = elm.lines[0] as StageLine;
    const host = '10.8.1.2';
    const fourth = await world.settle(
      Phone.open({
        ...{ world: world.host('elm-phone4', [host]), host, domain: line.sip.domain, username: line.sip.username },
        ...{ server: elm.gateway.status().sip.udp, password: line.sip.password ?? '' },
        trace: (way, text) => void (way === 'in' && wire.push(text)),
      }),
    );
    stage.phones.push(fourth);
    await world.settle(fourth.register());
    hall.manner = 'ring';
    const call = await world.settle(fourth.dial(number(elm, 1)));
    await until(() => last(hall)?.state === 'ringing' && call.progress.includes(180), 'ringing');
    expect(await world.settle(hall.refer(last(hall), number(elm, 2)))).toBe(491);
    expect([call.state, last(hall).state]).toEqual(['ringing', 'ringing']);
    last(hall).answer();
    await until(() => call.state === 'up', 'the answer');
    await world.run(200);
    const news = (expires: string) =>
      world.settle(
        fourth.askIn(call, 'SUBSCRIBE', [
          ['Event', 'refer'],
          ['Expires', expires],
        ]),
      );
    expect(await news('0')).toBe(403);
    expect(await world.settle(fourth.askIn(call, 'REFER', []))).toBe(400);
    attic.manner = 'ring';
    expect(await world.settle(fourth.refer(call, number(elm, 2)))).toBe(202);
    expect(fourth.lastAnswer?.header('Contact')).toContain('sip:');
    const n = fourth.lastAnswer?.cseq.n;
    await until(() => last(attic)?.state === 'ringing', 'the third phone');
    expect(await news('10')).toBe(423);
    expect(await news('0')).toBe(200);
    await world.run(300);
    last(attic).answer();
    await over(fourth);
    const told = wire.filter((text) => text.startsWith('NOTIFY'));
    const of = (name: string) => told.map((text) => new RegExp(`^${name}: (.*)\r$`, 'm').exec(text)?.[1]);
    expect(of('Event')).toEqual([`refer;id=${n}`, `refer;id=${n}`]);
    expect(of('Subscription-State')).toEqual(['active;expires=600', 'terminated;reason=timeout']);
    last(attic).hangup();
    await over(hall);
  });

  it('who is called sees which line transfers, not what its phone claims, and nobody where that is withheld (RFC 3892)', async () => {
    const transfer = async (more: readonly (readonly [string, string])[]) => {
      const call = await talk(desk, number(elm, 1));
      const to = `<sip:${number(elm, 2)}@${elm.lines[0]?.sip.domain}>`;
      const before = attic.calls.length;
      expect(await world.settle(desk.askIn(call, 'REFER', [['Refer-To', to], ...more]))).toBe(202);
      await until(() => attic.calls.length > before && last(attic).state === 'up', 'the third phone');
      last(attic).hangup();
      await over(hall);
      return last(attic).referredBy;
    };
    const forged = ['Referred-By', '<sip:+15550109999@x>'] as const;
    const own = `<sip:${number(elm)}@${elm.lines[0]?.sip.domain}>`;
    expect(await transfer([forged])).toBe(own);
    expect(await transfer([forged, ['Privacy', 'id']])).toBeUndefined();
  });

  it('who is transferred shows as before: a withheld number stays so (RFC 3892 section 2.2)', async () => {
    const call = await talk(hall, `#31#${number(elm)}`);
    expect(await world.settle(desk.refer(last(desk), number(elm, 2)))).toBe(202);
    await until(() => last(attic)?.state === 'up', 'the third phone');
    expect(last(attic).from).toContain('anonymous.invalid');
    expect(last(attic).referredBy).toContain(number(elm));
    hall.hangup(call);
    await over(attic);
  });
});

it.each([
  ['in the house', () => attic, () => number(elm, 2)],
  ['outside', () => b, () => number(oak)],
])('who was put on hold before hears the new party %s (RFC 5589 section 6)', async (_where, third, to) => {
  const call = await talk(desk, number(elm, 1));
  call.hold(true);
  await until(() => last(hall).held, 'hold');
  expect(await world.settle(desk.refer(call, to()))).toBe(202);
  await over(desk);
  await world.run(2_000);
  expect([last(hall).held, last(third()).held]).toEqual([false, false]);
  expect(
    last(third())
      .heard()
      .subarray(-4_000)
      .some((sample) => sample !== 0),
  ).toBe(true);
  expect(last(hall).heard().length).toBeGreaterThan(8_000);
  last(third()).hangup();
  await over(hall);
});

it('who is called hangs up in the moment of the answer: nobody is left in a call with nobody', async () => {
  const call = await talk(desk, number(elm, 1));
  expect(await world.settle(desk.refer(call, number(elm, 2)))).toBe(202);
  await until(() => last(attic)?.state === 'up', 'the third phone');
  last(attic).hangup();
  await over(hall);
  await world.run(1_000);
  expect(call.state).toBe('ended');
});

it('a line that withholds its number is not named to whom it transfers, nor shown there when transferred', async () => {
  const hidden = [0, 1].map((n) => elm.lines[n]?.id ?? '');
  for (const line of hidden)
    await stage.api('line.features.set', { home: elm.id, line, features: { hideNumber: true } });
  await world.run(2_000);
  for (const to of [number(elm, 2), number(oak)]) {
    const call = await talk(desk, number(elm, 1));
    expect(await world.settle(desk.refer(call, to))).toBe(202);
    const third = to === number(oak) ? b : attic;
    await until(() => last(third)?.state === 'up', 'the third phone');
    expect(last(third).from).toContain('anonymous.invalid');
    expect(last(third).referredBy).toBeUndefined();
    last(third).hangup();
    await over(hall);
  }
});

it.each([true, false])('news of a transfer by the cloud ends where the phone asks for that (%s)', async (ends) => {
  await talk(b, number(elm));
  const own = last(desk);
  attic.manner = 'ring';
  expect(await world.settle(desk.askIn(own, 'REFER', []))).toBe(400);
  expect(await world.settle(desk.refer(own, number(elm, 2)))).toBe(202);
  await until(() => last(attic)?.state === 'ringing', 'the third phone');
  const asked = [
    ['Event', ends ? 'refer' : 'dialog'],
    ['Expires', '0'],
  ] as const;
  expect(await world.settle(desk.askIn(own, 'SUBSCRIBE', asked))).toBe(ends ? 200 : 403);
  await world.run(300);
  last(attic).answer();
  await over(desk);
  expect(own.notified.map((body) => body.trim())).toEqual([
    'SIP/2.0 100 Trying',
    ends ? 'SIP/2.0 100 Trying' : 'SIP/2.0 200 OK',
  ]);
  last(attic).hangup();
  await over(b);
});

it('a transfer that the cloud carries out tells the phone behind the gateway who transfers', async () => {
  await talk(b, number(elm));
  expect(await world.settle(desk.refer(last(desk), number(elm, 2)))).toBe(202);
  await until(() => last(attic)?.state === 'up', 'the third phone');
  expect(last(attic).referredBy).toContain(`sip:${number(elm)}@`);
  last(attic).hangup();
  await over(b);
  const again = await talk(b, number(elm));
  const to = `<sip:${number(elm, 2)}@${elm.lines[0]?.sip.domain}>`;
  const asked = desk.askIn(last(desk), 'REFER', [
    ['Refer-To', to],
    ['Privacy', 'id'],
  ]);
  expect(await world.settle(asked)).toBe(202);
  await until(() => attic.calls.length === 2 && last(attic).state === 'up', 'the third phone');
  expect(last(attic).referredBy).toBeUndefined();
  b.hangup(again);
  await over(attic);
});
