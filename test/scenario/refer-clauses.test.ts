/** REFER clause by clause at the softswitch (RFC 3515, RFC 4488, RFC 5057, RFC 6665): what is answered, what is told, and that the call is none the worse. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { carrier, trunkTo } from '#test/support/carrier.ts';
import { fourPhones, operatorWords, THIRD } from './four-phones.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';
import { expectHears, TONES } from './two-homes.ts';
import { last } from './words.ts';

const FAR = '+12125550100';

let operator: Operator;
let line: (n: number) => Line;
let alice: Phone;
let bob: Phone;
let carol: Phone;
let dave: Phone;

beforeEach(async () => {
  operator = await Operator.start(94);
  ({ alice, bob, carol, dave, line } = await fourPhones(operator));
});
afterEach(() => operator.stop());

const { until, talk } = operatorWords(() => operator);

type Headers = readonly (readonly [string, string])[];

const to = (user: string): Headers => [['Refer-To', `<sip:${user}@${DOMAIN}>`]];
const ask = (phone: Phone, call: PhoneCall, headers: Headers, method = 'REFER') =>
  operator.world.settle(phone.askIn(call, method, headers));
const statuses = (call: PhoneCall) => call.notified.map((body) => body.split(' ')[1]);

describe('is answered', () => {
  test('with a Contact (RFC 3515 section 2.2), and once by 202', async () => {
    const call = await talk(alice, line(1));
    expect(await ask(alice, call, to(line(3).number))).toBe(202);
    expect(alice.lastAnswer?.header('Contact')).toContain('10.0.0.2');
  });

  test('with nothing that speaks of the call, which goes on (RFC 5057 section 5.1)', async () => {
    const call = await talk(alice, line(1));
    const replaces = 'gone%3Bto-tag%3Da%3Bfrom-tag%3Db';
    for (const [headers, status] of [
      [[['Refer-To', `<sip:x@${DOMAIN}?Replaces=${replaces}>`]], 603],
      [[['Refer-To', '<http://example.com/x>']], 603],
      [[['Refer-To', `<sip:${DOMAIN}>`]], 603],
      [[['Refer-To', `<sip:x@${DOMAIN};method=BYE>`]], 603],
      [[['Refer-To', `<sip:x@${DOMAIN};Method=bye>`]], 603],
      [[['Refer-To', `<sip:x@${DOMAIN}?Replaces=${replaces}&Replaces=${replaces}>`]], 400],
      [[], 400],
      [[...to(line(2).number), ...to(line(3).number)], 400],
    ] as [Headers, number][])
      expect([headers, await ask(alice, call, headers)]).toEqual([headers, status]);
    expect([call.state, last(bob).state, call.notified]).toEqual(['up', 'up', []]);
  });

  test('by 481 where the other side hangs up meanwhile', async () => {
    const call = await talk(alice, line(1));
    const answered = bob.askIn(last(bob), 'REFER', to(line(3).number));
    await operator.world.run(1);
    call.hangup();
    expect(await operator.world.settle(answered)).toBe(481);
    await until(() => last(bob).state === 'ended', 'the end');
    expect([last(bob).notified, dave.calls.length]).toEqual([[], 0]);
  });

  test('and told of in its order, and once, where the transfer cannot be paid', async () => {
    await talk(alice, line(1));
    await operator.ask('balance.set', { home: 'home_2', mode: 'prepaid', add: 0 });
    expect(await ask(bob, last(bob), to(line(3).number))).toBe(202);
    await operator.world.run(1_000);
    expect([statuses(last(bob)), last(alice).state]).toEqual([['100', '402'], 'up']);
  });

  test('where nobody has answered yet: later, and the call rings on', async () => {
    bob.manner = 'ring';
    const call = await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing' && call.progress.includes(180), 'ringing');
    await operator.world.run(200);
    expect(await ask(bob, last(bob), to(line(3).number))).toBe(491);
    expect([call.state, last(bob).state]).toEqual(['ringing', 'ringing']);
    bob.answer(last(bob));
    await until(() => call.state === 'up', 'the answer');
  });

  test('while the session manager is away: not now, and the call goes on', async () => {
    await operator.stopPart('session-manager');
    const call = await alice.dial(line(1).number);
    await until(() => call.state === 'up', 'the answer');
    await operator.world.run(500);
    expect(await ask(alice, call, to(line(3).number))).toBe(503);
    await operator.world.run(1_000);
    expect([call.state, last(bob).state]).toEqual(['up', 'up']);
  });

  test('though it asks for what RFC 4488 brings', async () => {
    const call = await talk(alice, line(1));
    const headers = [...to(line(3).number), ['Refer-Sub', 'false'], ['Require', 'norefersub']] as const;
    expect(await ask(alice, call, headers)).toBe(202);
    await until(() => last(dave)?.state === 'up' && call.state === 'ended', 'the transfer');
    expect(call.notified).toEqual([]);
  });

  test('from whoever is called outside by a refusal: nobody makes our lines call at their cost', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    const call = await talk(alice, { ...line(0), number: FAR });
    const asked = outside.phone.askIn(last(outside.phone), 'REFER', to('+12125550199'));
    expect(await operator.world.settle(asked)).toBe(403);
    await operator.world.run(2_000);
    expect(outside.requests.filter((text) => text.startsWith('INVITE '))).toHaveLength(1);
    expect(call.state).toBe('up');
  });
});

describe('is told of', () => {
  test.each([429, 428, 424, 486, 603, 404, 488])(
    'as the call was refused: %i (RFC 3892 section 5)',
    async (refuses) => {
      const away = await operator.ready(await operator.line('home_3', 5), { refuses });
      const call = await talk(alice, line(1));
      expect(await ask(alice, call, to('+15550101005'))).toBe(202);
      await until(() => call.notified.length > 1, 'the outcome');
      expect(statuses(call)).toEqual(['100', String(refuses)]);
      expect([call.state, last(bob).state, away.calls]).toEqual(['up', 'up', []]);
    },
  );

  test.each([424, 428, 429])('to who called by itself as nothing that it could mend: %i', async (refuses) => {
    await operator.ready(await operator.line('home_3', 5), { refuses });
    const call = await alice.dial('+15550101005');
    await until(() => call.state === 'ended', 'the refusal');
    expect(call.status).toBe(480);
  });

  test('for as long as a call may ring', async () => {
    const away = await operator.ready(await operator.line('home_3', 5), { manner: 'ring' });
    const wire: string[] = [];
    const erin = await operator.ready(await operator.line('home_3', 6), { trace: (_way, text) => wire.push(text) });
    const call = await talk(erin, line(1));
    expect(await ask(erin, call, to('+15550101005'))).toBe(202);
    await until(() => last(away)?.state === 'ringing', 'ringing');
    const expires = Number(/Subscription-State: active;expires=(\d+)/.exec(wire.join())?.[1]);
    // Six lines that ring for up to a minute each.
    expect(expires).toBeGreaterThan(360);
  });

  test('no more where news is refused, and the transfer goes on (RFC 6665 section 4.2.2)', async () => {
    const erin = await operator.ready(await operator.line('home_3', 5), { refusesNews: 481 });
    const call = await talk(erin, line(1));
    dave.manner = 'ring';
    expect(await ask(erin, call, to(line(3).number))).toBe(202);
    await until(() => last(dave)?.state === 'ringing', 'ringing');
    dave.answer(last(dave));
    await until(() => last(bob).state === 'up' && call.state === 'ended', 'the transfer');
    expect(statuses(call)).toEqual(['100']);
  });

  test('no more where that is asked for, and the transfer goes on (RFC 3515 section 2.4.4)', async () => {
    const call = await talk(alice, line(1));
    const unsubscribe = [
      ['Event', 'refer'],
      ['Expires', '0'],
    ] as const;
    expect(await ask(alice, call, unsubscribe, 'SUBSCRIBE')).toBe(403);
    dave.manner = 'ring';
    expect(await ask(alice, call, to(line(3).number))).toBe(202);
    await until(() => last(dave)?.state === 'ringing', 'ringing');
    expect(await ask(alice, call, [['Event', 'refer;id=7'], unsubscribe[1]], 'SUBSCRIBE')).toBe(403);
    expect(
      await ask(
        alice,
        call,
        [
          ['Event', 'refer'],
          ['Expires', '30'],
        ],
        'SUBSCRIBE',
      ),
    ).toBe(423);
    expect(alice.lastAnswer?.header('Min-Expires')).toBe('600');
    expect(
      await ask(
        alice,
        call,
        [
          ['Event', 'refer'],
          ['Expires', '3600'],
        ],
        'SUBSCRIBE',
      ),
    ).toBe(200);
    expect(alice.lastAnswer?.header('Expires')).toBe('600');
    await operator.world.run(500);
    expect(statuses(call)).toEqual(['100', '100']);
    expect(await ask(alice, call, unsubscribe, 'SUBSCRIBE')).toBe(200);
    expect(alice.lastAnswer?.header('Expires')).toBe('0');
    await operator.world.run(500);
    expect(statuses(call)).toEqual(['100', '100', '100']);
    dave.answer(last(dave));
    await until(() => call.state === 'ended', 'the transfer');
    expect(statuses(call)).toEqual(['100', '100', '100']);
    expect([last(dave).state, last(bob).state]).toEqual(['up', 'up']);
  });

  test('under its number where one before it was refused (RFC 3515 section 2.4.6)', async () => {
    const wire: string[] = [];
    const erin = await operator.ready(await operator.line('home_3', 5), { trace: (_way, text) => wire.push(text) });
    const call = await talk(erin, line(1));
    expect(await ask(erin, call, [])).toBe(400);
    expect(await ask(erin, call, to(line(3).number))).toBe(202);
    await until(() => call.state === 'ended', 'the transfer');
    const events = wire.flatMap((text) => /^Event: (\S+)/m.exec(text)?.[1] ?? []);
    const number = erin.lastAnswer?.cseq.n;
    expect(events.filter((one) => one !== `refer;id=${number}`)).toEqual([]);
  });
});

test.each(['blindly', 'with another call'])(
  'who was put on hold before hears the new party (%s, RFC 5589 section 6)',
  async (how) => {
    await talk(alice, line(1));
    const call = last(alice);
    const own = last(bob);
    own.hold(true);
    await until(() => call.held, 'hold');
    if (how === 'blindly') expect(await ask(bob, own, to(line(2).number))).toBe(202);
    else {
      const second = await talk(bob, line(2));
      second.hold(true);
      await until(() => last(carol).held, 'hold');
      expect(await operator.world.settle(bob.refer(own, second))).toBe(202);
    }
    await until(() => last(carol)?.state === 'up' && own.state === 'ended', 'the transfer');
    await operator.world.run(2_000);
    expect([call.held, last(carol).held]).toEqual([false, false]);
    expectHears(call.heard(), THIRD, TONES.a);
    expectHears(last(carol).heard(), TONES.a, THIRD);
  },
);

describe('who hangs up as soon as its REFER is answered has transferred the call (RFC 5589 section 6)', () => {
  test.each(['that it got', 'that it made'])('a call %s', async (how) => {
    const made = how === 'that it made';
    const call = made ? await talk(bob, line(0)) : await talk(alice, line(1));
    const own = made ? call : last(bob);
    carol.manner = 'ring';
    const answered = ask(bob, own, to(line(2).number)).then((status) => {
      own.hangup();
      return status;
    });
    expect(await answered).toBe(202);
    await until(() => last(carol)?.state === 'ringing', 'the new party');
    expect([own.state, last(alice).state]).toEqual(['ended', 'up']);
    carol.answer(last(carol));
    await operator.world.run(2_000);
    expectHears(last(alice).heard(), THIRD, TONES.b);
    expectHears(last(carol).heard(), TONES.a, TONES.b);
  });

  test('two calls, which it leaves both', async () => {
    await talk(alice, line(1));
    const own = last(bob);
    const second = await talk(bob, line(2));
    expect(await operator.world.settle(bob.refer(own, second))).toBe(202);
    own.hangup();
    second.hangup();
    await operator.world.run(3_000);
    expect([last(alice).state, last(carol).state]).toEqual(['up', 'up']);
    expectHears(last(alice).heard(), THIRD, TONES.b);
  });

  test('a silent one too, and whom nobody wants to talk to is not left alone', async () => {
    await talk(alice, line(1));
    carol.manner = 'decline';
    expect(await ask(bob, last(bob), [...to(line(2).number), ['Refer-Sub', 'false']])).toBe(202);
    last(bob).hangup();
    await until(() => last(alice).state === 'ended', 'the end');
  });
});

test('a call that ends at any moment while its sides are led to media of ours holds up nobody', async () => {
  const [one, other] = [await operator.line('home_3', 6), await operator.line('home_3', 7)];
  const erin = await operator.ready(one);
  await operator.ready(other);
  const { world, bus } = operator;
  for (let ms = 0; ms < 12; ms++) {
    const call = await talk(erin, other);
    expect([ms, (await operator.ask('media.endpoint.list', {})).items]).toEqual([ms, []]);
    const [{ session = '' } = {}] = (await operator.ask('channel.list', {})).items;
    const since = world.now;
    const parted = bus.request('channel.part', { session }, { principal: { kind: 'part', part: 'session-manager' } });
    await world.run(ms);
    call.hangup();
    await world.settle(parted);
    expect(world.now - since, `${ms} ms`).toBeLessThan(1_000);
    // Where the other side was a channel of its own by then, nobody wanted it any more.
    await world.run(40_000);
  }
});
