/** Calls that are sent on: what carriers and phones are told of by whom and why (RFC 5806, RFC 7044), and how often it may happen. */
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';
import { twoHomes } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const far = '+442071838750';
type Features = VerbRequest<'line.features.set'>['features'];

describe('towards carriers', () => {
  let operator: Operator;
  let lines: [Line, Line, Line];
  let phones: [Phone, Phone, Phone];
  let one: Carrier;

  beforeEach(async () => {
    operator = await Operator.start(63);
    await operator.home('home_1');
    lines = [await operator.line('home_1', 1), await operator.line('home_1', 2), await operator.line('home_1', 3)];
    phones = [await operator.ready(lines[0]), await operator.ready(lines[1]), await operator.ready(lines[2])];
    one = await carrier(operator.world, '10.5.0.1');
  });
  afterEach(() => operator.stop());

  const trunk = (more: Partial<VerbRequest<'trunk.create'>> = {}) => operator.ask('trunk.create', trunkTo(one, more));
  const set = (line: Line, features: Features) =>
    operator.ask('line.features.set', { home: line.home, line: line.id, features });
  const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 60_000, 'the answer');

  test.each<[string, Features, Phone['manner'] | 'away', string]>([
    ['always', { forward: { always: far } }, 'answer', 'unconditional'],
    ['when busy', { forward: { busy: far } }, 'busy', 'user-busy'],
    ['when nobody answers', { forward: { noAnswer: far }, noAnswerAfter: 5 }, 'ring', 'no-answer'],
    ['when no phone is there', { forward: { offline: far } }, 'away', 'unavailable'],
    ['while nobody wants to be disturbed', { doNotDisturb: true, forward: { busy: far } }, 'answer', 'do-not-disturb'],
    ['to the next of a hunt', { hunt: [far], noAnswerAfter: 5 }, 'ring', 'no-answer'],
  ])('forwarded %s', async (_name, features, manner, reason) => {
    await trunk();
    const by = manner === 'away' ? await operator.line('home_1', 4) : lines[1];
    if (manner !== 'away') phones[1].manner = manner;
    await set(by, features);
    await up(await phones[0].dial(by.number));
    const invite = requestOf(one, 'INVITE');
    expect(headerIn(invite, 'Diversion')).toBe(`<sip:${by.number}@10.5.0.1>;reason=${reason}`);
    expect(headerIn(invite, 'From')).toContain(lines[0].number);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(by.number);
  });

  test('whoever rings along is called, not sent on to', async () => {
    await trunk();
    phones[1].manner = 'ring';
    await set(lines[1], { ringAlso: [far], hideNumber: true });
    await up(await phones[0].dial(lines[1].number));
    const invite = requestOf(one, 'INVITE');
    expect([headerIn(invite, 'Diversion'), headerIn(invite, 'History-Info')]).toEqual([undefined, undefined]);
    expect([headerIn(invite, 'P-Asserted-Identity'), headerIn(invite, 'Privacy')]).toEqual([
      `<sip:${lines[1].number}@10.5.0.1>`,
      'id',
    ]);
  });

  test.each<['diversion' | 'history-info' | 'both' | 'none' | undefined, number, number]>([
    [undefined, 2, 0],
    ['diversion', 2, 0],
    ['history-info', 0, 3],
    ['both', 2, 3],
    ['none', 0, 0],
  ])('a trunk that wants %s gets it, of every time', async (forwarded, diversions, entries) => {
    await trunk(forwarded === undefined ? {} : { forwarded });
    await set(lines[1], { forward: { always: lines[2].number } });
    await set(lines[2], { hideNumber: true, forward: { always: far } });
    await up(await phones[0].dial(lines[1].number));
    const head = requestOf(one, 'INVITE').split('\r\n\r\n')[0]?.split('\r\n') ?? [];
    const of = (name: string) =>
      head.filter((line) => line.startsWith(`${name}: `)).map((line) => line.slice(name.length + 2));
    const [second, first] = [lines[2].number, lines[1].number].map(
      (user) => `<sip:${user}@10.5.0.1>;reason=unconditional`,
    );
    expect(of('Diversion')).toEqual([`${second};privacy=full`, first].slice(0, diversions));
    expect(of('History-Info')).toEqual(
      [
        `<sip:${lines[1].number}@10.5.0.1>;index=1`,
        `<sip:${lines[2].number}@10.5.0.1;cause=302?Privacy=history>;index=1.1;mp=1`,
        `<sip:${far}@10.5.0.1;cause=302>;index=1.1.1;mp=1.1`,
      ].slice(0, entries),
    );
  });

  test.each([
    ['both', 'caller', 'id'],
    ['asserted', 'anonymous', 'id'],
    ['from', 'caller', undefined],
  ] as const)(
    'who withholds its number vouches for what it sends on to the carrier alone (%s)',
    async (header, from, privacy) => {
      await trunk({ identity: { header }, forwarded: 'none' });
      await set(lines[1], { hideNumber: true, forward: { always: far } });
      await up(await phones[0].dial(lines[1].number));
      const invite = requestOf(one, 'INVITE');
      const said = from === 'caller' ? `<sip:${lines[0].number}@` : '<sip:anonymous@anonymous.invalid>';
      expect([headerIn(invite, 'From'), headerIn(invite, 'Privacy')]).toEqual([expect.stringContaining(said), privacy]);
      const vouched = header === 'from' ? undefined : `<sip:${lines[1].number}@10.5.0.1>`;
      expect(headerIn(invite, 'P-Asserted-Identity')).toBe(vouched);
    },
  );

  test('what a carrier says of it goes on to the phone, and to the next carrier with what happened here', async () => {
    const two = await carrier(operator.world, '10.5.0.2');
    await trunk({ prefixes: ['+1'] });
    await operator.ask('trunk.create', trunkTo(two, { forwarded: 'both', prefixes: ['+44'] }));
    const came: [string, string][] = [['Diversion', '<sip:15550107777@x>;reason=user-busy;privacy=full']];
    await up(await operator.world.settle(one.phone.dial(lines[0].number, came)));
    expect(last(phones[0]).history).toEqual([
      '<sip:anonymous@anonymous.invalid>;index=1',
      `<sip:${lines[0].number}@operator.test;cause=486>;index=1.1;mp=1`,
    ]);
    await set(lines[1], { forward: { always: far } });
    await up(await operator.world.settle(one.phone.dial(lines[1].number, came)));
    const invite = requestOf(two, 'INVITE');
    expect(invite).toContain(`\r\nDiversion: <sip:${lines[1].number}@10.5.0.2>;reason=unconditional\r\n`);
    expect(invite).toContain('\r\nDiversion: <sip:+15550107777@10.5.0.2>;reason=user-busy;privacy=full\r\n');
    expect(headerIn(invite, 'History-Info')).toBe(
      '<sip:+15550107777@10.5.0.2?Privacy=history&Reason=SIP%3Bcause%3D486>;index=1',
    );
  });

  test.each(['history', 'user;header'])('a caller that asks for %s has all of it told in private', async (privacy) => {
    await trunk({ forwarded: 'both' });
    await set(lines[1], { forward: { always: lines[2].number } });
    await operator.world.settle(phones[0].dial(lines[1].number, [['Privacy', privacy]]));
    await operator.world.until(() => last(phones[2])?.state === 'up', 20_000, 'the answer');
    expect(last(phones[2]).history).toEqual([
      '<sip:anonymous@anonymous.invalid>;index=1',
      `<sip:${lines[2].number}@operator.test;cause=302>;index=1.1;mp=1`,
    ]);
    await set(lines[1], { forward: { always: far } });
    await up(await operator.world.settle(phones[0].dial(lines[1].number, [['Privacy', privacy]])));
    const invite = requestOf(one, 'INVITE');
    expect(headerIn(invite, 'Diversion')).toBe(`<sip:${lines[1].number}@10.5.0.1>;reason=unconditional;privacy=full`);
    expect(headerIn(invite, 'History-Info')).toBe(`<sip:${lines[1].number}@10.5.0.1?Privacy=history>;index=1`);
  });

  test('a gateway names lines of its own home alone, and a phone nobody', async () => {
    await trunk();
    const gateway = await operator.gateway('home_1', 1);
    const house = await operator.phone(lines[0], operator.behind(gateway));
    const stranger = await operator.line(await operator.home('home_2'), 4);
    const diversion = (...numbers: string[]): [string, string][] =>
      numbers.map((number) => ['Diversion', `<sip:${number}@operator.test>;reason=user-busy`]);
    const own = await operator.world.settle(house.dial(far, diversion(lines[1].number, lines[2].number)));
    await up(own);
    expect(requestOf(one, 'INVITE')).toContain(`Diversion: <sip:${lines[2].number}@`);
    own.hangup();
    await operator.world.run(500);
    one.requests.length = 0;
    for (const number of [stranger.number, '+33142685300', 'nobody', lines[2].username]) {
      const call = await operator.world.settle(house.dial(far, diversion(lines[1].number, number)));
      await operator.world.until(() => call.state === 'ended', 20_000);
      expect([number, call.status]).toEqual([number, 403]);
    }
    expect(one.requests).toEqual([]);
    const forged: [string, string][] = [...diversion(lines[1].number), ['History-Info', '<sip:+1@x>;index=1']];
    await up(
      await operator.world.settle(
        phones[0].dial(far, [...forged, ['P-Asserted-Identity', `<sip:${stranger.number}@x>`]]),
      ),
    );
    const invite = requestOf(one, 'INVITE');
    expect(['Diversion', 'History-Info'].map((name) => headerIn(invite, name))).toEqual([undefined, undefined]);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(lines[0].number);
  });

  test.each([
    [4, 'up'],
    [5, 'ended'],
  ])('sent on %i times before, a call that is to go on is %s', async (counter, state) => {
    await trunk();
    await set(lines[1], { forward: { always: lines[2].number } });
    const came: [string, string][] = [['Diversion', `<sip:15550107777@x>;reason=user-busy;counter=${counter}`]];
    const call = await operator.world.settle(one.phone.dial(lines[1].number, came));
    await operator.world.until(() => call.state === 'up' || call.state === 'ended', 20_000);
    expect(call.state).toBe(state);
    // It may ring where nobody sends it on.
    await up(await operator.world.settle(one.phone.dial(lines[0].number, came)));
  });

  test.each([
    [4, 'up'],
    [5, 'ended'],
  ])('sent on %i times before, a call that nobody takes and that is to go on is %s', async (counter, state) => {
    await trunk();
    phones[1].manner = 'busy';
    await set(lines[1], { forward: { busy: lines[2].number } });
    const came: [string, string][] = [['Diversion', `<sip:15550107777@x>;reason=user-busy;counter=${counter}`]];
    const call = await operator.world.settle(one.phone.dial(lines[1].number, came));
    await operator.world.until(() => call.state === 'up' || call.state === 'ended', 20_000);
    expect(call.state).toBe(state);
  });
});

describe('to phones behind gateways', () => {
  it('says who sent the call on and why; a withheld number stays withheld', async () => {
    const { stage } = await virtualStage({ seed: 64 });
    try {
      const { oak, a } = await twoHomes(stage);
      const c = await oak.phone({ manner: 'answer', answerAfter: 200 });
      const { setFeatures: set, dial } = wordsOf(() => stage);
      await set(oak, { forward: { always: number(oak, 1) } });
      a.hangup(await dial(a, number(oak)));
      const entry = new RegExp(`^<sip:\\${number(oak, 1)}@[^;>]+;cause=302>;index=1.1;mp=1$`);
      expect(last(c).history).toEqual([
        expect.stringMatching(new RegExp(`^<sip:\\${number(oak)}@[^;>]+>;index=1$`)),
        expect.stringMatching(entry),
      ]);
      await set(oak, { forward: { always: number(oak, 1) }, hideNumber: true });
      a.hangup(await dial(a, number(oak)));
      expect(last(c).history).toEqual(['<sip:anonymous@anonymous.invalid>;index=1', expect.stringMatching(entry)]);
      a.hangup(await dial(a, number(oak, 1)));
      expect(last(c).history).toEqual([]);
      await set(oak, { forward: { always: number(oak, 1) }, hideNumber: false });
      const call = await stage.ground.settle(a.dial(number(oak), [['Privacy', 'header']]));
      await stage.ground.pass(1_000);
      a.hangup(call);
      expect(last(c).history[0]).toBe('<sip:anonymous@anonymous.invalid>;index=1');
    } finally {
      await stage[Symbol.asyncDispose]();
    }
  });

  it('says so inside the house too, without the cloud', async () => {
    const { stage } = await virtualStage({ seed: 65 });
    try {
      const { oak, b } = await twoHomes(stage);
      await oak.phone({ manner: 'busy' });
      const d = await oak.phone({ manner: 'answer', answerAfter: 200 });
      const { setFeatures: set, dial } = wordsOf(() => stage);
      await set(oak, { forward: { busy: number(oak, 2) } }, 1);
      b.hangup(await dial(b, number(oak, 1)));
      expect(last(d).history).toEqual([
        expect.stringMatching(new RegExp(`^<sip:\\${number(oak, 1)}@[^;>?]+\\?Reason=SIP%3Bcause%3D486>;index=1$`)),
        expect.stringMatching(new RegExp(`^<sip:\\${number(oak, 2)}@[^;>]+;cause=486>;index=1.1;mp=1$`)),
      ]);
      for (const privacy of ['history', 'header']) {
        const call = await stage.ground.settle(b.dial(number(oak, 1), [['Privacy', privacy]]));
        await stage.ground.pass(1_000);
        b.hangup(call);
        expect(last(d).history).toEqual([
          '<sip:anonymous@anonymous.invalid>;index=1',
          expect.stringContaining(`<sip:${number(oak, 2)}@`),
        ]);
      }
      await set(oak, { forward: { always: number(oak, 2) }, hideNumber: true }, 1);
      b.hangup(await dial(b, number(oak, 1)));
      expect(last(d).history[0]).toBe('<sip:anonymous@anonymous.invalid>;index=1');
    } finally {
      await stage[Symbol.asyncDispose]();
    }
  });
});
