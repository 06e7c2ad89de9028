/** Transfers between phones of one house, which its gateway carries out by itself, with the cloud or without it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let b: Phone;
/** Phones of elm’s three lines. */
let desk: Phone;
let hall: Phone;
let attic: Phone;

const HALL = 910;
const ATTIC = 1450;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 43 }));
  ({ elm, oak, b, a: desk } = await twoHomes(stage));
  hall = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(HALL, 1) });
  attic = await elm.phone({ manner: 'answer', answerAfter: 200, voice: tone(ATTIC, 1) });
});
afterEach(async ({ task }) => {
  try {
    if (task.result?.state !== 'fail') await nothingLeft();
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});

const until = (condition: () => boolean | Promise<boolean>, what: string, limit = 20_000) =>
  stage.ground.until(condition, limit, what);
const last = (phone: Phone) => phone.calls.at(-1) as PhoneCall;
const numberOf = (home: StageHome, n = 0) => (home.lines[n] as StageLine).number;
const over = (phone: Phone) => until(() => phone.calls.every((call) => call.state === 'ended'), 'the end');

/** A phone of the hall's line that takes no change of a call. */
async function stubbornPhone(): Promise<Phone> {
  const [host, line] = ['10.8.1.1', elm.lines[1] as StageLine];
  const phone = await Phone.open({
    ...{ world: world.host('elm-phone4', [host]), host, fixed: true, voice: tone(HALL, 1) },
    ...{ server: elm.gateway.status().sip.udp, domain: line.sip.domain },
    ...{ username: line.sip.username, password: line.sip.password ?? '' },
  });
  stage.phones.push(phone);
  expect(await phone.register()).toBe(200);
  return phone;
}

async function hears(call: PhoneCall, other: number, own: number) {
  await world.run(1500);
  expectHears(call.heard(), other, own);
}

async function talk(from: Phone, to: string): Promise<PhoneCall> {
  const call = await world.settle(from.dial(to));
  await until(() => call.state === 'up', 'the answer');
  await world.run(200);
  return call;
}

async function nothingLeft() {
  for (const phone of stage.phones) for (const call of phone.calls) phone.hangup(call);
  await world.run(3000);
  for (const home of stage.homes) {
    expect(await world.settle(home.engine.list())).toEqual([]);
    expect(home.gateway.status().voice.calls).toBe(0);
  }
}

const HOUSE = ['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3', 'elm-phone4'];

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('inside a house, %s', (_how, cut) => {
  beforeEach(() => {
    if (cut) world.partition(HOUSE);
  });

  it.each(['caller', 'callee'])('a %s sends the other side to a third phone', async (role) => {
    const call = role === 'caller' ? await talk(desk, numberOf(elm, 1)) : await talk(hall, numberOf(elm, 0));
    const own = role === 'caller' ? call : last(desk);
    expect(await world.settle(desk.refer(own, numberOf(elm, 2)))).toBe(202);
    await until(() => last(attic)?.state === 'up', 'the third phone');
    await over(desk);
    expect(own.notified.map((body) => body.trim())).toEqual(['SIP/2.0 100 Trying', 'SIP/2.0 200 OK']);
    await hears(last(hall), ATTIC, HALL);
    await hears(last(attic), HALL, ATTIC);
    last(attic).hangup();
    await over(hall);
  });

  it('a transferor that wants no news hears that it gets none, and gets none (RFC 4488 section 4)', async () => {
    const call = await talk(desk, numberOf(elm, 1));
    const headers = [
      ['Refer-To', `<sip:${numberOf(elm, 2)}@${elm.lines[0]?.sip.domain}>`],
      ['Refer-Sub', 'false'],
    ] as const;
    expect(await world.settle(desk.askIn(call, 'REFER', headers))).toBe(202);
    expect(desk.lastAnswer?.header('Refer-Sub')).toBe('false');
    await until(() => last(attic)?.state === 'up', 'the third phone');
    await over(desk);
    expect(call.notified).toEqual([]);
    last(attic).hangup();
    await over(hall);
  });

  it('a phone joins its two calls, whichever it made or got', async () => {
    const first = await talk(hall, numberOf(elm, 0));
    const held = last(desk);
    held.hold(true);
    await until(() => first.held, 'hold');
    const second = await talk(desk, numberOf(elm, 2));
    expect(await world.settle(desk.refer(held, second))).toBe(202);
    await over(desk);
    expect(held.notified.at(-1)?.trim()).toBe('SIP/2.0 200 OK');
    await hears(last(hall), ATTIC, HALL);
    await hears(last(attic), HALL, ATTIC);
    last(hall).hangup();
    await over(attic);
  });

  it('a call that is up is not joined by a name for one that rings (early-only, RFC 3891 section 3)', async () => {
    const first = await talk(desk, numberOf(elm, 1));
    const second = await talk(desk, numberOf(elm, 2));
    const { callId, localTag, remoteTag } = desk.dialogOf(second);
    const name = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag};early-only`);
    const to = `<sip:far@${elm.lines[0]?.sip.domain}?Replaces=${name}>`;
    expect(await world.settle(desk.askIn(first, 'REFER', [['Refer-To', to]]))).toBe(486);
    await world.run(1_000);
    expect([first.state, second.state, last(attic).state]).toEqual(['up', 'up', 'up']);
  });

  it('a transfer into a call that is not there is refused, and the call goes on (RFC 5057 section 5.1)', async () => {
    const call = await talk(desk, numberOf(elm, 1));
    const to = `<sip:far@${elm.lines[0]?.sip.domain}?Replaces=gone%3Bto-tag%3Da%3Bfrom-tag%3Db>`;
    expect(await world.settle(desk.askIn(call, 'REFER', [['Refer-To', to]]))).toBe(603);
    await world.run(1_000);
    expect([call.state, last(hall).state]).toEqual(['up', 'up']);
  });

  it('nobody brings the other side into a call of another line', async () => {
    const first = await talk(hall, numberOf(elm, 0));
    const second = await talk(desk, numberOf(elm, 2));
    const { callId, localTag, remoteTag } = desk.dialogOf(second);
    const name = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag}`);
    expect(await world.settle(hall.refer(first, `far@${elm.lines[0]?.sip.domain}?Replaces=${name}&Subject=`))).toBe(
      403,
    );
    await world.run(1_000);
    expect([first.state, second.state, last(attic).state]).toEqual(['up', 'up', 'up']);
  });

  it('who is not there, refuses or does not exist is told, and the call goes on', async () => {
    const call = await talk(desk, numberOf(elm, 1));
    attic.manner = 'busy';
    expect(await world.settle(desk.refer(call, numberOf(elm, 2)))).toBe(202);
    await until(() => call.notified.length === 2, 'the outcome');
    expect(call.notified.at(-1)?.trim()).toBe('SIP/2.0 486 Busy Here');
    if (cut) await until(() => elm.gateway.status().voice.flow === 'down', 'the flow to be given up', 120_000);
    if (cut) expect(await world.settle(desk.refer(call, '+15559999999'))).toBe(603);
    expect([call.state, last(hall).state]).toEqual(['up', 'up']);
    await hears(last(hall), TONES.a, HALL);
  });

  it('a transferor that hangs up at once does not end the other side', async () => {
    const call = await talk(desk, numberOf(elm, 1));
    expect(await world.settle(desk.refer(call, numberOf(elm, 2)))).toBe(202);
    call.hangup();
    await until(() => last(attic)?.state === 'up', 'the third phone');
    await hears(last(hall), ATTIC, HALL);
    last(hall).hangup();
    await over(attic);
  });

  it.each([false, true])(
    'who is transferred hangs up: nobody rings for it any more (the transferor gone: %s)',
    async (gone) => {
      const call = await talk(desk, numberOf(elm, 1));
      attic.manner = 'ring';
      expect(await world.settle(desk.refer(call, numberOf(elm, 2)))).toBe(202);
      await until(() => last(attic)?.state === 'ringing', 'the third phone');
      if (gone) call.hangup();
      await world.run(500);
      last(hall).hangup();
      await over(attic);
      await over(desk);
    },
  );

  it('a phone that refuses to go over stays where it was', async () => {
    const stubborn = await world.settle(stubbornPhone());
    const call = await talk(stubborn, numberOf(elm, 0));
    const own = last(desk);
    const second = await talk(desk, numberOf(elm, 2));
    expect(await world.settle(desk.refer(own, second))).toBe(202);
    await until(() => own.notified.length === 2, 'the outcome');
    expect(own.notified.at(-1)).toMatch(/488/);
    expect([call.state, second.state, last(attic).state]).toEqual(['up', 'up', 'up']);
    await hears(second, ATTIC, TONES.a);
  });
});

it.each([
  ['the one it is to talk to hangs up', () => last(attic), /480/, 'ended'],
  ['the transferor hangs up that call', () => last(desk), /200/, 'up'],
  ['it hangs up itself', () => last(hall), /480/, 'ended'],
] as const)(
  'while a phone is being brought over, %s: nobody is left in a call with nobody',
  async (_name, who, outcome, then) => {
    await talk(hall, numberOf(elm, 0));
    const own = last(desk);
    const second = await talk(desk, numberOf(elm, 2));
    world.partition(['elm-phone2']);
    expect(await world.settle(desk.refer(own, second))).toBe(202);
    await world.run(1_000);
    who().hangup();
    await world.run(1_000);
    world.heal();
    await world.run(10_000);
    expect(own.notified.at(-1)).toMatch(outcome);
    expect([own, second, last(hall), last(attic)].map(({ state }) => state)).toEqual(['ended', 'ended', then, then]);
  },
);

it('a phone that says nothing to the change for 8 s is left where it was, and the transferor is told', async () => {
  await talk(hall, numberOf(elm, 0));
  const own = last(desk);
  const second = await talk(desk, numberOf(elm, 2));
  world.partition(['elm-phone2']);
  expect(await world.settle(desk.refer(own, second))).toBe(202);
  await world.run(7_900);
  expect(own.notified).toHaveLength(1);
  await world.run(200);
  expect(own.notified.at(-1)).toMatch(/488/);
  expect([second.state, last(attic).state]).toEqual(['up', 'up']);
});

it.each([false, true])('a phone is sent to a number outside, after it was on hold too (%s)', async (held) => {
  const call = await talk(desk, numberOf(elm, 1));
  if (held) {
    call.hold(true);
    await until(() => last(hall).held, 'hold');
    call.hold(false);
    await until(() => !last(hall).held, 'the end of hold');
  }
  expect(await world.settle(desk.refer(call, numberOf(oak, 0)))).toBe(202);
  await until(() => last(b)?.state === 'up', 'the other home');
  await over(desk);
  await hears(last(hall), TONES.b, HALL);
  await hears(last(b), HALL, TONES.b);
  expect(last(b).referredBy).toContain(`sip:${numberOf(elm)}@`);
  expect(last(b).from).toContain(numberOf(elm, 1));
  last(b).hangup();
  await over(hall);
});

it('a call from outside is joined with one inside', async () => {
  const outside = await talk(b, numberOf(elm, 0));
  const held = last(desk);
  const inside = await talk(desk, numberOf(elm, 2));
  expect(await world.settle(desk.refer(held, inside))).toBe(202);
  await over(desk);
  await hears(outside, ATTIC, TONES.b);
  await hears(last(attic), TONES.b, ATTIC);
  outside.hangup();
  await over(attic);
});

describe('a phone of the house', () => {
  const dialogOf = (phone: Phone) => phone.dialogOf(last(phone));
  const replaces = (name: { callId: string; localTag: string; remoteTag?: string }, early = '') =>
    [['Replaces', `${name.callId};to-tag=${name.remoteTag};from-tag=${name.localTag}${early}`]] as const;

  it('watches the lines of the house, with the WAN cut too', async () => {
    world.partition(HOUSE);
    expect(await world.settle(desk.watches.start('dialog', numberOf(elm, 1)))).toBe(200);
    expect(await world.settle(desk.watches.start('dialog', '+15559999999'))).toBe(404);
    expect(await world.settle(desk.watches.start('presence', numberOf(elm, 1)))).toBe(489);
    const call = await talk(attic, numberOf(elm, 1));
    const { callId, localTag } = dialogOf(hall);
    // One call alone for who names it (RFC 4235 section 3.2).
    expect(
      await world.settle(attic.watches.start(`dialog;call-id=${callId};to-tag=${localTag}`, numberOf(elm, 1))),
    ).toBe(200);
    expect(await world.settle(attic.watches.start('dialog;call-id=other;to-tag=1', numberOf(elm, 1)))).toBe(200);
    await world.run(500);
    const counted = attic.watches.notified.map(({ body }) => body.split('<dialog ').length - 1);
    expect(counted.sort()).toEqual([0, 1]);
    attic.hangup(call);
    await over(hall);
    await world.run(500);
    const states = desk.watches.notified.map(({ body }) => /<state>(\w+)</.exec(body)?.[1] ?? 'none');
    expect(states.filter((one, i) => one !== states[i - 1])).toEqual([
      'none',
      'trying',
      'early',
      'confirmed',
      'terminated',
    ]);
  });

  it('takes a call that rings at another one, by what it was told of it (RFC 3891)', async () => {
    hall.manner = 'ring';
    await world.settle(desk.watches.start('dialog', numberOf(elm, 1)));
    const call = await world.settle(b.dial(numberOf(elm, 1)));
    await until(() => last(hall)?.state === 'ringing', 'ringing');
    await until(() => desk.watches.notified.at(-1)?.body.includes('>early<') === true, 'the lamp');
    const told = desk.watches.notified.at(-1)?.body ?? '';
    const read = (name: string) => new RegExp(`${name}="([^"]*)"`).exec(told)?.[1] ?? '';
    const name = { callId: read('call-id'), localTag: read('remote-tag'), remoteTag: read('local-tag') };
    const taken = await world.settle(desk.dial(numberOf(elm, 1), replaces(name, ';early-only')));
    await until(() => taken.state === 'up' && call.state === 'up', 'the answer');
    await over(hall);
    await hears(call, TONES.a, TONES.b);
    await hears(taken, TONES.b, TONES.a);
    call.hangup();
    await over(desk);
  });

  it('takes another one’s place in a call, which hears nothing but the new voice', async () => {
    const call = await talk(desk, numberOf(elm, 1));
    const taken = await world.settle(attic.dial(numberOf(elm, 1), replaces(dialogOf(hall))));
    await until(() => taken.state === 'up', 'the answer');
    await over(hall);
    await hears(call, ATTIC, TONES.a);
    await hears(taken, TONES.a, ATTIC);
    attic.hangup(taken);
    await over(desk);
  });

  it('is refused what is not there, is up already, or is at the cloud’s side', async () => {
    const status = async (headers: readonly (readonly [string, string])[]) => {
      const call = await world.settle(attic.dial(numberOf(elm, 1), headers));
      await until(() => call.state === 'ended', 'the refusal');
      return call.status;
    };
    const outside = await talk(b, numberOf(elm, 1));
    const own = dialogOf(hall);
    expect(await status(replaces({ callId: 'nobody', localTag: 'x', remoteTag: 'y' }))).toBe(481);
    expect(await status(replaces(own, ';early-only'))).toBe(486);
    expect(await status([['Replaces', 'nonsense']])).toBe(400);
    expect(await status([...replaces(own), ['Join', 'a;to-tag=b;from-tag=c']])).toBe(400);
    expect([outside.state, last(hall).state]).toEqual(['up', 'up']);
  });
});
