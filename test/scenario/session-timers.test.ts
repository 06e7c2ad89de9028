/** Session timers (RFC 4028) of both sides of a call at the softswitch: kept alive by refreshes, ended where they stop, and written down. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PhoneCall } from '#simulator/phone.ts';
import { Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator.stop());

describe.each([
  ['straight', false],
  ['through media of ours', true],
] as const)('a call %s', (_how, relay) => {
  const heard: string[] = [];

  /** A call between two phones with timers of a minute and a half. */
  async function talking(seed: number): Promise<[PhoneCall, PhoneCall]> {
    heard.length = 0;
    operator = await Operator.start(seed);
    const a = await operator.line(await operator.home('home_1'), 1);
    const b = await operator.line(await operator.home('home_2'), 2);
    const more = { timer: 90, ...(relay ? { believes: '192.168.7.7' } : {}) };
    const trace = (who: string) => (direction: 'in' | 'out', text: string) =>
      void heard.push(`${who} ${direction} ${text.slice(0, text.indexOf(' '))}`);
    const alice = await operator.ready(a, { ...more, trace: trace('alice') });
    const bob = await operator.ready(b, { ...more, trace: trace('bob') });
    const call = await alice.dial(b.number);
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    const [coming] = bob.calls;
    if (coming === undefined) throw new Error('no call came');
    return [call, coming];
  }

  const times = (line: string) => heard.filter((one) => one === line).length;
  const records = async () => (await operator.ask('cdr.list', {})).items.map(({ reason }) => reason);

  test('lasts as long as it is refreshed: by the caller towards us, and by us towards who is called', async () => {
    const [call, coming] = await talking(relay ? 41 : 42);
    await operator.world.run(200_000);
    expect([call.state, coming.state]).toEqual(['up', 'up']);
    expect([times('alice out UPDATE'), times('bob in UPDATE')]).toEqual([4, 4]);
    expect([times('alice in UPDATE'), times('bob out UPDATE')]).toEqual([0, 0]);
    call.hangup();
    await operator.world.run(1_000);
    expect(await records()).toEqual(['hangup', 'hangup']);
  });

  test.each([
    ['caller', 'phone-10.1.0.11'],
    ['called phone', 'phone-10.1.0.12'],
  ] as const)('ends for both where the %s is gone without a word, and its record says so', async (who, host) => {
    const [call, coming] = await talking(relay ? 43 : 44);
    operator.world.partition([host]);
    await operator.world.run(95_000);
    const left = who === 'caller' ? coming : call;
    expect(left.state).toBe('ended');
    expect(times(`${who === 'caller' ? 'bob' : 'alice'} in BYE`)).toBe(1);
    expect(await records()).toEqual(['timeout', 'timeout']);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });
});
