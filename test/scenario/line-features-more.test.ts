import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const C = 881;

describe('what else a line can do', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;
  let c: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 37 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
    c = await oak.phone({ manner: 'answer', answerAfter: 1500, voice: tone(C, 1) });
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, setFeatures: set, dial } = wordsOf(() => stage);
  async function over(phone: Phone, call: PhoneCall): Promise<void> {
    phone.hangup(call);
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 0, 'the end');
  }
  const records = async () => {
    await world.run(1500);
    const { items } = await stage.api('cdr.list', {});
    return items.map(({ reason, to }) => `${to} ${reason}`).toSorted();
  };

  it('rings another line together with this one: the first to answer has the call, the other stops, a record each', async () => {
    b.manner = 'ring';
    await set(oak, { ringAlso: [number(oak, 1)] });
    const call = await dial(a, number(oak));
    await world.run(1500);
    expect([call.state, b.calls.length, last(b).state, last(c).state]).toEqual(['up', 1, 'ended', 'up']);
    expectHears(call.heard(), C, TONES.a);
    await over(a, call);
    expect(await records()).toEqual(
      [`${number(oak)} answered_elsewhere`, `${number(oak, 1)} hangup`, `${number(oak)} hangup`].toSorted(),
    );
  });

  it('tells in the record of a line that declined, or was busy, that it did: in the house as in the cloud', async () => {
    const a2 = await elm.phone({ manner: 'decline' });
    const a3 = await elm.phone({ manner: 'answer', answerAfter: 1_500 });
    await set(elm, { ringAlso: [number(elm, 2)] }, 1);
    await until(() => elm.gateway.status().voice.registrations.length === 3, 'three phones');
    const told: (string | undefined)[] = [];
    for (const [manner, from] of [
      ['decline', a],
      ['busy', a],
      ['ring', a],
      ['decline', b],
      ['busy', b],
    ] as const) {
      a2.manner = manner;
      const before = await records();
      const call = await dial(from, number(elm, 1));
      await world.run(1_000);
      expect([manner, call.state, last(a3).state]).toEqual([manner, 'up', 'up']);
      await over(from, call);
      await world.run(3_000);
      const now = await records();
      for (const one of before) now.splice(now.indexOf(one), 1);
      expect(now.length).toBe(3);
      told.push(now.find((one) => !one.endsWith('hangup')));
    }
    const line = number(elm, 1);
    expect(told).toEqual(
      ['callee_declined', 'callee_busy', 'answered_elsewhere', 'callee_declined', 'callee_busy'].map(
        (reason) => `${line} ${reason}`,
      ),
    );
  });

  it('goes on ringing where one of them is busy, and ends when all are', async () => {
    b.manner = 'busy';
    await set(oak, { ringAlso: [number(oak, 1)] });
    const call = await dial(a, number(oak));
    expect([call.state, last(c).state]).toEqual(['up', 'up']);
    await over(a, call);
    c.manner = 'busy';
    expect((await dial(a, number(oak))).status).toBe(486);
    // A line that does not want to be disturbed is left in peace.
    c.manner = 'answer';
    await set(oak, { doNotDisturb: true }, 1);
    expect((await dial(a, number(oak))).status).toBe(486);
    expect(c.calls.length).toBe(1);
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 0, 'the end');
  });

  it('goes on ringing where one of them declines, and ends declined when nobody takes it', async () => {
    b.manner = 'decline';
    const second = await oak.phone({ manner: 'ring' });
    await set(oak, { ringAlso: [number(oak, 1)] });
    const call = await dial(a, number(oak));
    expect([call.state, last(c).state, second.calls.length]).toEqual(['up', 'up', 0]);
    await over(a, call);
    expect(await records()).toEqual(
      [`${number(oak)} callee_declined`, `${number(oak, 1)} hangup`, `${number(oak)} hangup`].toSorted(),
    );
    c.manner = 'busy';
    expect((await dial(a, number(oak))).status).toBe(603);
  });

  it('sends the call on where nobody of many takes it', async () => {
    b.manner = 'ring';
    const lines = await Promise.all(Array.from({ length: 6 }, () => stage.api('line.create', { home: oak.id })));
    const forward = { noAnswer: number(oak, 1) };
    await set(oak, { ringAlso: lines.map((line) => line.number), forward, noAnswerAfter: 5 });
    const call = await dial(a, number(oak));
    expect([call.state, last(c).state]).toEqual(['up', 'up']);
    await over(a, call);
  });

  it('a caller that gives up takes all of them along', async () => {
    b.manner = 'ring';
    c.manner = 'ring';
    await set(oak, { ringAlso: [number(oak, 1)] });
    const call = await world.settle(a.dial(number(oak)));
    await until(() => b.calls.length === 1 && c.calls.length === 1, 'both to ring');
    await over(a, call);
    expect([last(b).state, last(c).state]).toEqual(['ended', 'ended']);
  });

  it('a hot line calls one number whatever is dialled, and help all the same', async () => {
    await set(elm, { hotLine: number(oak) });
    const call = await dial(a, '5');
    expect([call.state, b.calls.length]).toEqual(['up', 1]);
    await over(a, call);
    // Nobody helps here; whoever the hot line calls is no help either.
    expect([(await dial(a, '112')).state, b.calls.length]).toEqual(['ended', 1]);
  });

  it('bars classes of destinations, inside the home never, and lets a call past with the PIN; forwards are barred as calls', async () => {
    await set(elm, { bar: ['local', 'national'], pin: '2468' });
    expect((await dial(a, number(oak))).status).toBe(403);
    expect((await dial(a, `*33*1111*${number(oak)}`)).status).toBe(403);
    const call = await dial(a, `*33*2468*${number(oak)}`);
    expect(call.state).toBe('up');
    await over(a, call);
    const d = await elm.phone({ manner: 'answer' });
    const inside = await dial(a, number(elm, 1));
    expect([inside.state, d.calls.length]).toEqual(['up', 1]);
    await over(a, inside);
    await set(elm, { bar: ['local', 'national'], forward: { always: number(oak) } });
    expect((await dial(c, number(elm))).status).toBe(403);
    await set(elm, { bar: ['local', 'national'], forward: { busy: number(oak) } });
    a.manner = 'busy';
    const before = b.calls.length;
    expect((await dial(c, number(elm))).status).toBe(486);
    // Who rings along is called by the line too.
    await set(elm, { bar: ['local', 'national'], ringAlso: [number(oak)] });
    expect((await dial(c, number(elm))).status).toBe(486);
    expect(b.calls.length).toBe(before);
  });

  it('shows who calls by the names of the callee’s owner, and rings as told; a withheld number stays withheld', async () => {
    await set(oak, { contacts: [{ number: number(elm), name: 'Grandmother', ring: 'family' }] });
    await over(a, await dial(a, number(oak)));
    expect(last(b).from).toContain(`"Grandmother" <sip:${number(elm)}`);
    expect(last(b).alerts).toEqual(['<urn:alert:source:family>']);
    await over(a, await dial(a, `#31#${number(oak)}`));
    expect(last(b).from).not.toContain('Grandmother');
    expect(last(b).alerts).toEqual([]);
    await over(c, await dial(c, number(oak)));
    expect(last(b).alerts).toEqual(['<urn:alert:source:internal>']);
  });

  it('dials the last number again, and calls the last caller back', async () => {
    expect((await dial(a, '*66')).status).toBe(404);
    expect((await dial(b, '*69')).status).toBe(404);
    await over(a, await dial(a, number(oak)));
    const again = await dial(a, '*66');
    expect([again.state, b.calls.length]).toEqual(['up', 3]);
    await over(a, again);
    await set(elm, { hideNumber: true });
    await over(a, await dial(a, '*66'));
    expect(last(b).from).not.toContain(number(elm));
    await set(elm, {});
    await over(a, await dial(a, number(oak)));
    a.manner = 'answer';
    const back = await dial(b, '*69');
    expect([back.state, a.calls.length]).toEqual(['up', 6]);
    expect(last(a).from).toContain(number(oak));
    await over(b, back);
    await over(a, await dial(a, `#31#${number(oak)}`));
    expect((await dial(b, '*69')).status).toBe(404);
  });

  it('takes a call that rings elsewhere in the home; sound flows, the phone there stops, and the record says who had it', async () => {
    b.manner = 'ring';
    const call = await world.settle(a.dial(number(oak)));
    await until(() => b.calls.length === 1, 'the phone to ring');
    await world.run(500);
    const taking = await dial(c, '*8');
    await world.run(1500);
    expect([call.state, taking.state, last(b).state]).toEqual(['up', 'up', 'ended']);
    expectHears(call.heard(), C, TONES.a);
    expectHears(taking.heard(), TONES.a, C);
    const { items } = await stage.api('session.list', { live: true });
    expect(items.length).toBe(1);
    await over(a, call);
    expect(taking.state).toBe('ended');
    expect(await records()).toEqual(
      [`${number(oak)} answered_elsewhere`, `${number(oak, 1)} hangup`, `${number(oak)} hangup`].toSorted(),
    );
  });

  it('takes the call of one phone by its number, from the right home only, and nothing where nothing rings', async () => {
    expect((await dial(c, '*8')).status).toBe(404);
    b.manner = 'ring';
    const call = await world.settle(a.dial(number(oak)));
    await until(() => b.calls.length === 1, 'the phone to ring');
    await world.run(500);
    const d = await elm.phone();
    expect((await dial(d, '*8')).status).toBe(404);
    expect((await dial(d, `*8*${number(oak)}#`)).status).toBe(404);
    expect((await dial(c, `*8*${number(oak, 1)}#`)).status).toBe(404);
    const taking = await dial(c, `*8*${number(oak)}#`);
    expect([taking.state, call.state]).toEqual(['up', 'up']);
    await over(c, taking);
    expect(call.state).toBe('ended');
  });

  it('has its limits, and says which', async () => {
    const numbers = (count: number) => Array.from({ length: count }, (_, n) => `+1555020${1000 + n}`);
    const contacts = numbers(201).map((one) => ({ number: one }));
    const short = numbers(101).map((to, n) => ({ code: String(n % 100), to }));
    const beyond: [object, string][] = [
      [{ ringAlso: numbers(9) }, 'ringAlso'],
      [{ hunt: numbers(9) }, 'hunt'],
      [{ block: numbers(101) }, 'block'],
      [{ contacts }, 'contacts'],
      [{ short }, 'short'],
      [{ pin: '123' }, 'pin'],
      [{ pin: '123456789' }, 'pin'],
      [{ bar: ['abroad'] }, 'bar'],
    ];
    for (const [features, field] of beyond)
      await expect(set(oak, features)).rejects.toThrow(new RegExp(`400.*${field}`, 's'));
    await set(oak, { contacts: contacts.slice(1), block: numbers(100) });
  });
});
