/** What one party can learn of another, or do in another's name: nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Phone, PhoneCall, PhoneOptions } from '#simulator/phone.ts';
import { carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
let a: Line;
let b: Line;

beforeEach(async () => {
  operator = await Operator.start(83);
  [a, b] = [
    await operator.line(await operator.home('home_1'), 1),
    await operator.line(await operator.home('home_2'), 2),
  ];
});
afterEach(() => operator.stop());

const ended = (call: PhoneCall) => operator.world.until(() => call.state === 'ended', 20_000, 'the end');
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 8_000, 'the answer');
const premium = '+19005550123';

/** Registers a phone and gathers all that it hears. */
async function listening(line: Line, more: Partial<PhoneOptions> = {}): Promise<{ phone: Phone; heard: string[] }> {
  const heard: string[] = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
  return { phone: await operator.ready(line, { ...more, trace }), heard };
}

/** A message without its description, which phones that no NAT hides may exchange as it is. */
const head = (text: string): string => text.slice(0, text.indexOf('\r\n\r\n'));

/** What a message says of one side that is nobody else's to know: its address, and the names of its dialogs. */
function secrets(phone: Phone): string[] {
  const names = phone.calls.flatMap((call) => {
    const { callId, localTag, remoteTag } = phone.dialogOf(call);
    return [callId, localTag, remoteTag ?? ''];
  });
  return [phone.address.host, ...names].filter((one) => one !== '');
}

/** Headers by which software talks of itself and its surroundings. */
const TALKATIVE = [
  ['User-Agent', 'Whisper/1 (build 77)'],
  ['Server', 'Whisper/1'],
  ['Organization', 'Whisper Ltd'],
  ['Call-Info', '<http://whisper.test/me.png>;purpose=icon'],
  ['Subject', 'Whisper'],
  ['Warning', '399 whisper.test "Whisper"'],
  ['Reason', 'SIP;cause=486;text="Whisper"'],
  ['Record-Route', '<sip:whisper.test;lr>'],
  ['Retry-After', '77 (Whisper)'],
  ['X-Whisper', 'Whisper'],
] as const;

describe('the topology is hidden on every leg', () => {
  test('between two phones, from the INVITE to the BYE', async () => {
    const [alice, bob] = [await listening(a), await listening(b)];
    for (const { heard } of [alice, bob]) heard.splice(0);
    const call = await alice.phone.dial(b.number, TALKATIVE.slice(0, 6));
    await up(call);
    await operator.world.run(200);
    const [sideA, sideB] = [secrets(alice.phone), secrets(bob.phone)];
    expect(sideA.length).toBeGreaterThan(3);
    call.hold(true);
    await operator.world.run(1_000);
    call.hangup();
    await operator.world.run(1_000);
    const [atA, atB] = [alice.heard.map(head).join('\n'), bob.heard.map(head).join('\n')];
    expect(atB).toMatch(/^INVITE[\s\S]*^BYE/m);
    for (const one of sideA) expect(atB.includes(one), `${one} at the callee`).toBe(false);
    for (const one of sideB) expect(atA.includes(one), `${one} at the caller`).toBe(false);
    for (const text of [atA, atB]) expect(text).not.toMatch(/whisper|hearthline|^(?:Server|User-Agent):/im);
  });

  test('what a phone that refuses says of itself does not reach the caller', async () => {
    const alice = await listening(a);
    const bob = await operator.ready(b, { refuses: 486, refusalHeaders: TALKATIVE });
    const call = await alice.phone.dial(b.number);
    await ended(call);
    expect([call.status, bob.calls.length]).toEqual([486, 0]);
    expect(alice.heard.join('\n')).not.toMatch(/whisper/i);
    expect(alice.heard.join('\n')).not.toContain(bob.address.host);
  });

  test('between a phone and a trunk, both ways', async () => {
    const alice = await listening(a);
    const outside = await carrier(operator.world, '10.5.0.1', { refuses: 486, refusalHeaders: TALKATIVE });
    await operator.ask('trunk.create', trunkTo(outside));
    const call = await alice.phone.dial('+12125550100', TALKATIVE);
    await ended(call);
    const invite = requestOf(outside, 'INVITE');
    expect(invite).not.toMatch(/whisper/i);
    expect(invite).not.toContain(alice.phone.address.host);
    expect(headerIn(invite, 'Call-ID')).not.toBe(call.callId);
    expect(alice.heard.join('\n')).not.toMatch(/whisper/i);
    expect(alice.heard.join('\n')).not.toContain(outside.host);
    alice.heard.length = 0;
    const back = await operator.world.settle(outside.phone.dial(a.number, TALKATIVE.slice(0, 6)));
    await up(back);
    expect(alice.heard.join('\n')).not.toMatch(/whisper/i);
    expect(alice.heard.map(head).join('\n')).not.toContain(outside.host);
  });
});

describe('nobody acts in another’s name', () => {
  test.each(['INVITE', 'REGISTER', 'SUBSCRIBE', 'MESSAGE'])('%s with another’s From is refused', async (method) => {
    const bob = await listening(b);
    const liar = await operator.phone(a, { claims: b.username });
    const status = async (): Promise<number> => {
      if (method === 'REGISTER') return operator.world.settle(liar.register());
      if (method === 'SUBSCRIBE') return operator.world.settle(liar.watches.start('dialog', a.number));
      if (method === 'MESSAGE') return operator.world.settle(liar.messages.send(b.number, 'I am you', { id: 'm1' }));
      const call = await liar.dial(b.number);
      await ended(call);
      return call.status;
    };
    expect(await status()).toBe(403);
    expect(bob.phone.calls).toEqual([]);
  });

  test('a Contact leads nowhere but back to whoever signed for it', async () => {
    const bob = await listening(b);
    bob.heard.length = 0;
    // It says that it is where bob's phone is.
    const alice = await operator.ready(a, { believes: bob.phone.address.host });
    const other = await operator.ready(await operator.line('home_1', 3));
    const call = await other.dial(a.number);
    await up(call);
    expect([alice.calls.length, bob.phone.calls.length, bob.heard]).toEqual([1, 0, []]);
  });

  test('what a direct phone asserts of itself is not passed on', async () => {
    const [alice, bob] = [await operator.ready(a), await listening(b)];
    const lies = [
      ['P-Asserted-Identity', '<sip:+15550000911@operator.test>'],
      ['Remote-Party-ID', '<sip:+15550000911@operator.test>'],
      ['Diversion', '<sip:+15550000911@operator.test>;reason=unconditional'],
      ['Identity', 'eyJ.eyJ.x;info=<https://whisper.test/c>;alg=ES256'],
    ] as const;
    const call = await alice.dial(b.number, lies);
    await up(call);
    expect(bob.heard.join('\n')).not.toMatch(/5550000911|whisper/);
    expect(headerIn(bob.heard.find((text) => text.startsWith('INVITE')) ?? '', 'From')).toContain(a.number);
  });
});

describe('a phone sends no caller to where its owner may not call', () => {
  test('302 to a barred number: nothing leaves, nor by what a carrier names', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    const alice = await operator.ready(a);
    const to = (target: string) => [['Contact', `<sip:${target}@operator.test>`]] as const;
    await operator.ask('line.features.set', { home: 'home_2', line: b.id, features: { bar: ['premium'] } });
    const bob = await operator.ready(b, { refuses: 302, refusalHeaders: to(premium) });
    const call = await alice.dial(b.number);
    await ended(call);
    expect([call.status, bob.calls]).toEqual([480, []]);
    // Nor from outside.
    const sends = await carrier(operator.world, '10.5.0.2', { refuses: 302, refusalHeaders: to(premium) });
    await operator.ask('trunk.create', trunkTo(sends, { priority: 1 }));
    const out = await alice.dial('+12125550100');
    await ended(out);
    expect(requestOf(sends, 'INVITE')).toContain('+12125550100');
    expect(outside.requests.filter((text) => text.includes(premium))).toEqual([]);
    expect((await operator.ask('barring.list', {})).items).toEqual([]);
  });

  /** Alice talks to bob, who sends her on. */
  const sentOn = async (to: string): Promise<{ call: PhoneCall; own: PhoneCall }> => {
    const alice = await operator.ready(a);
    const bob = await operator.ready(b);
    const call = await alice.dial(b.number);
    await up(call);
    await operator.world.run(500);
    const own = bob.calls[0] as PhoneCall;
    expect(await operator.world.settle(bob.refer(own, to))).toBe(202);
    await operator.world.until(() => own.notified.length > 1, 10_000, 'the outcome');
    return { call, own };
  };

  test('a REFER to the outside is a call of whoever sends it: by its number, at its cost', async () => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    const { call, own } = await sentOn('+12125550100');
    expect(own.notified.at(-1)).toMatch(/^SIP\/2\.0 200/);
    await operator.world.until(() => own.state === 'ended', 5_000, 'the transferor to be gone');
    expect([call.state, outside.phone.calls[0]?.state]).toEqual(['up', 'up']);
    const invite = requestOf(outside, 'INVITE');
    expect(headerIn(invite, 'P-Asserted-Identity') ?? headerIn(invite, 'From')).toContain(b.number);
    await operator.world.run(60_000);
    call.hangup();
    await operator.world.run(12_000);
    expect(outside.phone.calls[0]?.state).toBe('ended');
    const paid = (await operator.ask('cdr.list', {})).items.find(({ to }) => to === '+12125550100');
    expect([paid?.reason, (paid?.seconds ?? 0) >= 60]).toEqual(['hangup', true]);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test.each([
    ['its home may have no more of those', () => operator.ask('outside.limits.set', { premiumPerHour: 0 })],
    ['its home is barred', () => operator.ask('barring.set', { home: 'home_2', reason: 'unpaid' })],
    [
      'the line is barred for them',
      () => operator.ask('line.features.set', { home: 'home_2', line: b.id, features: { bar: ['premium'] } }),
    ],
  ])('a REFER to a premium number is refused where %s; the phone is told, and the call goes on', async (_why, bar) => {
    const outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside));
    await bar();
    const { call, own } = await sentOn(premium);
    expect(own.notified.at(-1)).toMatch(/^SIP\/2\.0 403/);
    expect([call.state, own.state]).toEqual(['up', 'up']);
    expect(outside.requests.filter((text) => text.startsWith('INVITE'))).toEqual([]);
  });
});

test('an automatic bar raises an alarm, tells the home, and lifting it clears the alarm', async () => {
  const raised: VerbRequest<'alarm.raise'>[] = [];
  const cleared: VerbRequest<'alarm.clear'>[] = [];
  const told: VerbRequest<'message.send'>[] = [];
  operator.bus.serve('oamp', {
    'alarm.raise': async (request: VerbRequest<'alarm.raise'>) => {
      raised.push(request);
      return ok({});
    },
    'alarm.clear': async (request: VerbRequest<'alarm.clear'>) => {
      cleared.push(request);
      return ok({});
    },
  } as never);
  operator.bus.serve('messaging', {
    'message.send': async (request: VerbRequest<'message.send'>) => {
      told.push(request);
      return ok({});
    },
  } as never);
  const outside = await carrier(operator.world, '10.5.0.1');
  await operator.ask('trunk.create', trunkTo(outside));
  await operator.ask('outside.limits.set', { internationalPerHour: 1 });
  const alice = await operator.ready(a);
  for (let i = 0; i < 2; i++) {
    const call = await alice.dial('+442071838750');
    await operator.world.run(1_000);
    call.hangup();
    await operator.world.run(500);
  }
  const ofHomes = <T extends { readonly cause: string }>(all: readonly T[]) =>
    all.filter((one) => one.cause === 'home-barred');
  expect(ofHomes(raised)).toMatchObject([{ cause: 'home-barred', home: 'home_1', severity: 'major' }]);
  expect(told).toMatchObject([{ from: a.id, to: a.id }]);
  await operator.ask('barring.lift', { home: 'home_1' });
  expect(ofHomes(cleared)).toMatchObject([{ cause: 'home-barred', home: 'home_1' }]);
});
