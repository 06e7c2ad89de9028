/** Lists, short codes, hot and warm lines by star code: through the cloud, and in a house that is cut off, which tells of it afterwards. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { threePhones } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let a: Phone;
let b: Phone;
let c: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 71 }));
  elm = await stage.home('elm');
  [a, b, c] = await threePhones(elm, [443, 617, 881]);
});
afterEach(() => stage[Symbol.asyncDispose]());

const { until, dial, code, cutOff, setFeatures } = wordsOf(() => stage);
const featuresOf = (line: number) => stage.api('line.features.get', { home: elm.id, line: elm.lines[line]?.id ?? '' });

/** How a call ends, or begins. */
async function outcome(phone: Phone, to: string): Promise<number | 'up'> {
  const call = await dial(phone, to, 60_000);
  const ended = call.state === 'up' ? 'up' : call.status;
  phone.hangup(call);
  await world.run(500);
  return ended;
}

async function cut(): Promise<void> {
  world.partition(['elm', 'elm-phone1', 'elm-phone2', 'elm-phone3']);
  await cutOff(elm);
}

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('codes, %s', (_how, isCut) => {
  beforeEach(async () => {
    await setFeatures(elm, { pin: '2468' });
    await world.run(1_000);
    if (isCut) await cut();
  });

  it('are taken, hold from then on, and the page shows them', async () => {
    expect(await code(a, `*60*${number(elm, 1)}#`)).toBe(true);
    expect(await outcome(b, number(elm, 0))).toBe(603);
    expect(await outcome(c, number(elm, 0))).toBe('up');
    expect(await code(a, `#60*${number(elm, 1)}#`)).toBe(true);
    expect(await outcome(b, number(elm, 0))).toBe('up');
    expect(await code(a, `*51*7*${number(elm, 2)}#`)).toBe(true);
    expect(await outcome(a, '7')).toBe('up');
    expect(last(c).state).toBe('ended');
    expect(await code(b, `*52*${number(elm, 2)}#`)).toBe(true);
    expect(await outcome(b, number(elm, 0))).toBe('up');
    expect(c.calls.length).toBe(3);
    expect(await code(b, '#52#')).toBe(true);
    expect(await code(c, `*64*${number(elm, 0)}#`)).toBe(true);
    expect(await code(c, `*65*${number(elm, 1)}#`)).toBe(true);
    expect(await code(a, '*34*2468*45#')).toBe(true);
    expect(await code(a, '*34*1111*1#')).toBe(false);
    expect(await code(a, '*35*2468*1357*1357#')).toBe(true);
    expect(await code(a, '*34*2468*1#')).toBe(false);
    expect(await code(a, `*44*${number(elm, 1)}*1#`)).toBe(true);
    expect(await code(a, `*45*${number(elm, 1)}*Aunt_Mary#`)).toBe(true);
    expect(await code(a, `*61*${number(elm, 2)}*15#`)).toBe(true);
    if (isCut) world.heal();
    await until(async () => (await featuresOf(0)).noAnswerAfter !== undefined, 'the cloud to hear of it', 180_000);
    expect(await featuresOf(0)).toEqual({
      ...{ pin: '1357', bar: ['international', 'premium'], short: [{ code: '7', to: number(elm, 2) }] },
      contacts: [{ number: number(elm, 1), name: 'Aunt Mary', ring: 'family' }],
      ...{ forward: { noAnswer: number(elm, 2) }, noAnswerAfter: 15 },
    });
    expect(await featuresOf(1)).toEqual({});
    expect(await featuresOf(2)).toEqual({ ringAlso: [number(elm, 0)], hunt: [number(elm, 1)] });
  });

  it('with a wrong PIN five times are taken no more, with the right one neither; other codes are', async () => {
    const { cursor: after } = await stage.api('event.list', { home: elm.id });
    for (let n = 0; n < 4; n++) expect(await code(a, '#34*0000#')).toBe(false);
    expect(await code(a, '#34*2468#')).toBe(true);
    for (let n = 0; n < 4; n++) expect(await code(a, '*35*0000*1111*1111#')).toBe(false);
    // Who takes the power away gets no further tries.
    await restarted();
    expect(await code(a, '*35*0000*1111*1111#')).toBe(false);
    expect(await code(a, '#34*2468#')).toBe(false);
    await restarted();
    expect(await code(a, '#34*2468#')).toBe(false);
    expect(await code(a, '*26#')).toBe(true);
    if (isCut) world.heal();
    const alarms = async () => (await stage.api('alarm.list', {})).items.filter(({ cause }) => cause === 'pin-guessed');
    await until(async () => (await alarms()).length > 0, 'an alarm', 180_000);
    const [alarm, more] = await alarms();
    expect([alarm?.home, alarm?.text, more]).toEqual([elm.id, expect.stringContaining(number(elm)), undefined]);
    const { items } = await stage.api('event.list', { home: elm.id, after, types: ['home.alarm.v1.raised'] });
    expect(JSON.stringify(items)).toContain('pin-guessed');
    await world.run(600_000);
    expect(await code(a, '#34*2468#')).toBe(true);
  });

  /** The power of whoever judges goes and comes back. */
  async function restarted(): Promise<void> {
    if (isCut) await elm.restart();
    else {
      await stage.killCloud();
      await stage.startCloud();
      await until(() => elm.gateway.status().voice.flow === 'up', 'the flow', 200_000);
    }
    await world.run(1_000);
  }

  it('a warm line waits for digits, then calls', async () => {
    expect(await code(a, `*53*${number(elm, 1)}#`)).toBe(true);
    expect(await outcome(a, number(elm, 2))).toBe('up');
    const begun = world.now;
    const call = await dial(a, `sip:${elm.lines[0]?.sip.domain}`);
    expect([call.state, last(b).state]).toEqual(['up', 'up']);
    expect(world.now - begun).toBeGreaterThan(4_000);
    a.hangup(call);
    await world.run(500);
    // Who dials after all gives the empty call up.
    const empty = await world.settle(a.dial(`sip:${elm.lines[0]?.sip.domain}`));
    await world.run(1_000);
    a.hangup(empty);
    await world.run(6_000);
    expect(b.calls.length).toBe(1);
  });
});

it('a warm line of a phone straight at the softswitch', async () => {
  const line = await stage.line(elm);
  const phone = await stage.directPhone(line, { manner: 'answer' });
  await setFeatures(elm, { hotLine: number(elm, 1), hotLineAfter: 2 }, elm.lines.indexOf(line));
  expect(await outcome(phone, number(elm, 2))).toBe('up');
  expect(await outcome(phone, `sip:${line.sip.domain}`)).toBe('up');
  expect([b.calls.length, c.calls.length]).toEqual([1, 1]);
});
