/** What the gateway's edge does for the phones of its house; after each scenario no gateway's engine holds anything. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startGateway } from '#device/gateway.ts';
import { Phone, type PhoneCall, type PhoneOptions } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let a: Phone;
let b: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 41 }));
  ({ elm, oak, a, b } = await twoHomes(stage));
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
const line = (home: StageHome, n = 0) => home.lines[n] as StageLine;
const last = (phone: Phone) => phone.calls.at(-1) as PhoneCall;
const dial = (phone: Phone, to: string) => world.settle(phone.dial(to));
const ended = (call: PhoneCall, limit = 20_000) => until(() => call.state === 'ended', 'the end', limit);
const up = (call: PhoneCall) => until(() => call.state === 'up', 'the answer');

async function nothingLeft() {
  for (const phone of stage.phones) for (const call of phone.calls) phone.hangup(call);
  await world.run(3000);
  for (const home of stage.homes) {
    expect(await world.settle(home.engine.list())).toEqual([]);
    expect(home.gateway.status().voice.calls).toBe(0);
  }
  const principal = { kind: 'part', part: 'application-server' } as const;
  await until(
    async () => {
      const left = await stage.cloud.bus.request('media.endpoint.list', {}, { principal });
      return left.ok && left.value.items.length === 0;
    },
    'the cloud’s media to be let go',
    60_000,
  );
}

/** A phone of its own making for a line of elm, not registered yet. */
let guests = 0;
async function guest(of: StageLine, options: Partial<PhoneOptions> = {}): Promise<Phone> {
  const host = `10.8.0.${++guests}`;
  const phone = await world.settle(
    Phone.open({
      world: world.host(`guest${guests}`, [host]),
      host,
      server: elm.gateway.status().sip.udp,
      domain: of.sip.domain,
      username: of.sip.username,
      password: of.sip.password ?? '',
      ...options,
    }),
  );
  stage.phones.push(phone);
  return phone;
}
const registered = async (phone: Phone) => expect(await world.settle(phone.register())).toBe(200);

describe('the registrar of the house', () => {
  it('gives a wrong password, an unknown user and another home’s user one answer', async () => {
    const answers: number[] = [];
    for (const wrong of [{ password: 'guessed' }, { username: 'nobody' }, line(oak).sip as { username: string }])
      answers.push(await world.settle((await guest(line(elm), wrong)).register()));
    expect(answers).toEqual([401, 401, 401]);
  });

  it('does not know a foreign realm', async () => {
    expect(await world.settle((await guest(line(elm), { domain: 'elsewhere.test' })).register())).toBe(401);
  });

  it('refuses a name that is not the sender’s', async () => {
    const other = await stage.line(elm, { name: 'other' });
    await world.run(500);
    const phone = await guest(line(elm), { claims: other.sip.username });
    expect(await world.settle(phone.register())).toBe(403);
    const call = await dial(phone, line(oak).number);
    await ended(call);
    expect(call.status).toBe(403);
    expect(b.calls).toEqual([]);
  });

  it('knows a removed line no longer, neither the phone nor its number', async () => {
    await stage.api('line.remove', { home: elm.id, line: line(elm).id });
    await world.run(1000);
    expect(elm.gateway.status().voice.registrations).toEqual([]);
    expect(await world.settle(a.register())).toBe(401);
    const call = await dial(b, line(elm).number);
    await ended(call);
    expect(call.status).toBe(404);
  });

  it('keeps phones registered by their refreshes; a phone that stops is forgotten, here and at the softswitch', async () => {
    await world.run(20 * 60_000);
    expect(elm.gateway.status().voice.registrations).toMatchObject([{ line: line(elm).id, contacts: 1 }]);
    const call = await dial(b, line(elm).number);
    await up(call);
    b.hangup(call);
    await world.run(1000);
    await world.settle(a.close());
    await until(() => elm.gateway.status().voice.registrations.length === 0, 'the phone to expire', 400_000);
    await world.run(6000);
    const { items } = await stage.api('line.list', { home: elm.id });
    expect(items[0]?.registered).toBe(false);
  });
});

describe('a gateway that is started again', () => {
  it('while a phone registers: the phone is served by the new one, and calls reach it', async () => {
    const registering = a.register();
    await world.run(1);
    const { udp } = elm.gateway.status().sip;
    await world.settle(elm.gateway.stop());
    const again = await world.settle(
      startGateway(
        elm.world,
        {
          state: stage.ground.folder('elm'),
          cloudUrl: stage.ground.url(stage.cloud),
          profile: 'residential-gateway',
          sip: udp,
        },
        elm.engine,
      ),
    );
    try {
      await until(() => again.status().voice.flow === 'up', 'the flow');
      expect([200, 401]).toContain(await world.settle(registering));
      expect(await world.settle(a.register())).toBe(200);
      await world.run(1000);
      const call = await dial(b, line(elm).number);
      await up(call);
      await world.run(2500);
      expectHears(call.heard(), TONES.a, TONES.b);
      b.hangup(call);
      await world.run(2000);
    } finally {
      await world.settle(again.stop());
    }
  });
});

describe('calls through both gateways', () => {
  it('a phone that tells of a transfer that nobody asked for is told so, and the other side hears nothing of it', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    const tell = (...headers: (readonly [string, string])[]) => world.settle(a.askIn(call, 'NOTIFY', headers));
    const state = ['Subscription-State', 'terminated;reason=noresource'] as const;
    expect(await tell(['Event', 'refer'], state)).toBe(481);
    expect(await tell(['Event', 'refer'])).toBe(400);
    expect(await tell(['Event', 'keep-alive'], state)).toBe(489);
    expect([call.state, last(b).state, last(b).notified]).toEqual(['up', 'up', []]);
  });

  it('hold tells and silences the other side, resume brings the sound back, and so does the other side’s', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    await world.run(1500);
    for (const [holder, mine, other] of [
      [call, TONES.a, TONES.b],
      [last(b), TONES.b, TONES.a],
    ] as const) {
      const held = holder === call ? last(b) : call;
      holder.hold(true);
      await until(() => held.held, 'the hold to be told');
      await world.run(500);
      const before = holder.heard().length;
      await world.run(2500);
      expect(holder.heard().length - before).toBeLessThan(800);
      holder.hold(false);
      await until(() => !held.held, 'the resume to be told');
      await world.run(2500);
      expectHears(holder.heard(), other, mine);
      expectHears(held.heard(), mine, other);
    }
  });

  it.each([
    ['busy', 486],
    ['decline', 603],
  ] as const)('a phone that says %s: the caller hears %i', async (manner, status) => {
    b.manner = manner;
    const call = await dial(a, line(oak).number);
    await ended(call);
    expect(call.status).toBe(status);
  });

  it('nobody answers, and the caller gives up', async () => {
    b.manner = 'ring';
    const unanswered = await dial(a, line(oak).number);
    await ended(unanswered, 200_000);
    expect([408, 480]).toContain(unanswered.status);
    await until(() => last(b).state === 'ended', 'the ringing to end');
    const given = await dial(a, line(oak).number);
    await until(() => last(b).state === 'ringing' && b.calls.length === 2, 'the ringing');
    a.hangup(given);
    await until(() => last(b).state === 'ended', 'the cancel');
    expect(last(b).why).toBe('cancel');
  });

  it('all phones of a line ring; the first that answers has the call, the others are told', async () => {
    const second = await guest(line(oak), {
      server: oak.gateway.status().sip.udp,
      answerAfter: 900,
      voice: tone(TONES.a, 1),
    });
    await registered(second);
    await world.run(500);
    const call = await dial(a, line(oak).number);
    await up(call);
    expect(last(b).state).toBe('up');
    await until(() => second.calls[0]?.state === 'ended', 'the loser to be told');
    expect(second.calls[0]?.why).toBe('cancel');
    expect(oak.gateway.status().voice.calls).toBe(1);
  });

  it('five at once', async () => {
    const calls: PhoneCall[] = [];
    for (let i = 0; i < 5; i++) {
      const from = await elm.phone({ voice: tone(TONES.a, 1) });
      await oak.phone({ answerAfter: 100 * i, voice: tone(TONES.b, 1) });
      calls.push(await dial(from, line(oak, oak.lines.length - 1).number));
    }
    await until(() => calls.every(({ state }) => state === 'up'), 'five answers');
    await world.run(2500);
    for (const call of calls) expectHears(call.heard(), TONES.b, TONES.a);
  });
});

describe('calls inside the house', () => {
  it('the own number reaches the other phones of the line, and is busy without one', async () => {
    const alone = await dial(a, line(elm).number);
    await ended(alone);
    expect(alone.status).toBe(486);
    expect(a.calls).toEqual([alone]);
    const second = await guest(line(elm), { answerAfter: 200, voice: tone(TONES.b, 1) });
    await registered(second);
    const call = await dial(a, line(elm).number);
    await up(call);
    await world.run(2500);
    expectHears(call.heard(), TONES.b, TONES.a);
    expect([a.calls.length, second.calls.length]).toEqual([2, 1]);
  });

  it('is told to the cloud once, also when the gateway’s agent is away at its end', async () => {
    const c = await elm.phone({ answerAfter: 200 });
    const call = await dial(a, line(elm, 1).number);
    await up(call);
    world.partition(['elm', 'elm-phone1', 'elm-phone2']);
    await world.run(40_000);
    c.hangup(last(c));
    await ended(call);
    await world.run(60_000);
    world.heal();
    const told = async () => (await stage.api('session.list', {})).items.filter(({ kind }) => kind === 'house-call');
    await until(async () => (await told()).length > 0, 'the facts', 120_000);
    await world.run(60_000);
    expect(await told()).toHaveLength(1);
  });
});

describe('the flow to the softswitch', () => {
  const house = ['elm', 'elm-phone1'];

  it('away for 20 s: the call goes on, both hear each other', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    world.partition(house);
    await world.run(20_000);
    world.heal();
    await world.run(70_000);
    expect([call.state, last(b).state]).toEqual(['up', 'up']);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(last(b).heard(), TONES.a, TONES.b);
    a.hangup(call);
    await ended(last(b));
  });

  it('away for longer than a minute: the call ends on both sides, and again works all', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    world.partition(house);
    await until(() => call.state === 'ended', 'the call to end', 180_000);
    await world.run(30_000);
    world.heal();
    await ended(last(b), 400_000);
    const [session] = (await stage.api('session.list', {})).items;
    expect(session?.state).toBe('ended');
    await until(() => elm.gateway.status().voice.flow === 'up', 'the flow', 120_000);
    await world.run(1000);
    const again = await dial(a, line(oak).number);
    await up(again);
  });

  it('missed for a while: the call goes on, and its end is told with one reason', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    world.partition(house);
    await until(() => elm.gateway.status().voice.flow === 'down', 'the flow to be missed', 120_000);
    // Searching begins with short waits: what is cut stays cut for a while.
    await world.run(15_000);
    world.heal();
    await until(() => elm.gateway.status().voice.flow === 'up', 'the flow to be back', 45_000);
    await world.run(70_000);
    expect([call.state, last(b).state]).toEqual(['up', 'up']);
    a.hangup(call);
    await ended(last(b));
    const reasons = async () => (await stage.api('cdr.list', {})).items.map(({ reason }) => reason);
    await until(async () => (await reasons()).length === 2, 'two records');
    expect(await reasons()).toEqual(['hangup', 'hangup']);
  });

  it('away twice, each time for less than a minute, is no reason to end a call', async () => {
    const call = await dial(a, line(oak).number);
    await up(call);
    for (let i = 0; i < 2; i++) {
      world.partition(house);
      await until(() => elm.gateway.status().voice.flow === 'down', 'the flow to be missed', 120_000);
      await world.run(5_000);
      world.heal();
      await until(() => elm.gateway.status().voice.flow === 'up', 'the flow to be back', 120_000);
    }
    await world.run(70_000);
    expect([call.state, last(b).state]).toEqual(['up', 'up']);
  });

  it('gone just as a call begins: the caller is refused, and its own phone does not ring', async () => {
    world.partition(house);
    const call = await dial(a, line(oak).number);
    await ended(call, 60_000);
    expect([408, 480, 500, 503]).toContain(call.status);
    expect(a.calls).toEqual([call]);
    world.heal();
    await until(() => elm.gateway.status().voice.flow === 'up', 'the flow', 120_000);
  });
});
