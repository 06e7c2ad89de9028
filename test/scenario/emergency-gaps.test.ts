/** Help from a house where something is wrong that is no broken way: its disk, its start, one of its two links, a name, a modem that is taken; and the call back. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type SimModem, virtualModem } from '#simulator/modem.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';
import { last, number, wordsOf } from './words.ts';

const HOUSE = ['elm', 'elm-phone1', 'elm-phone2'];
const PATIENCE = 60_000;

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let a: Phone;
let b: Phone;
let modem: SimModem;
let psap: Carrier;
let fallback: Carrier;
let trunk: string;

const { dial, until, setFeatures } = wordsOf(() => stage);
const policy = (to: object | undefined) =>
  stage.api('emergency.policy.set', {
    country: 'AT',
    routes: [{ trunk }],
    ...(to === undefined ? {} : { fallback: to }),
  } as never);
const toFallback = () => ({ host: fallback.host, port: fallback.phone.address.port, transport: 'udp' });
const cut = (...others: Carrier[]) => world.partition([...HOUSE, ...others.map(({ host }) => `carrier-${host}`)]);
const link = () => elm.gateway.agent()?.status.at === 'ready';
const flow = () => elm.gateway.status().voice.flow === 'up';

beforeAll(async () => {
  ({ stage, world } = await virtualStage({ seed: 83 }));
  elm = await stage.home('elm');
  [a, b] = [await elm.phone(), await elm.phone()];
  const { modem: made, lines } = virtualModem(stage.ground.clock, tone(850, 1));
  [modem, elm.modem] = [made, lines];
  await elm.restart();
  const server = stage.ground.sip(stage.cloud);
  psap = await carrier(world, '10.6.0.1', {}, server);
  fallback = await carrier(world, '10.6.0.2', {}, server);
  stage.phones.push(psap.phone, fallback.phone);
  ({ id: trunk } = await stage.api('trunk.create', trunkTo(psap, { probeEvery: 0 })));
  await policy(toFallback());
  await world.run(10_000);
  for (const phone of [a, b]) await world.settle(phone.register());
});
afterAll(() => stage?.[Symbol.asyncDispose]());
afterEach(async () => {
  for (const one of stage.phones) for (const call of one.calls) one.hangup(call);
  world.heal();
  elm.trouble.set({ cut: false });
  [elm.trouble.diskFull, elm.trouble.only] = [false, undefined];
  await until(() => link() && flow(), 'both links to come back', 300_000);
  await policy(toFallback());
  for (const line of [0, 1]) await setFeatures(elm, {}, line);
  await world.run(3_000);
  modem.dialled = '';
  expect(elm.gateway.status().voice.calls).toBe(0);
});

/** By which way help came. */
async function help(from: Phone = a): Promise<string> {
  const before = [psap, fallback].map(({ requests }) => requests.length);
  const call = await dial(from, '112', PATIENCE);
  if (call.state !== 'up') return `none: ${call.status}`;
  const came = ({ requests, phone }: Carrier, n: number) =>
    requests.length > (before[n] ?? 0) && last(phone).state === 'up';
  return came(psap, 0) ? 'cloud' : came(fallback, 1) ? 'fallback' : modem.dialled === '112' ? 'modem' : 'nowhere';
}

describe('a full disk', () => {
  it.each<[string, () => Promise<unknown>]>([
    ['cloud', async () => {}],
    ['fallback', async () => cut(fallback)],
    ['modem', async () => cut()],
  ])('by the %s', async (way, happen) => {
    elm.trouble.diskFull = true;
    await happen();
    expect(await help()).toBe(way);
  });
});

it('a gateway that starts just then: the phone’s INVITE is heard once it is there, on what its disk holds', async () => {
  cut();
  elm.powerOff();
  const call = await world.settle(a.dial('112'));
  await world.run(5_000);
  await elm.powerOn();
  await until(() => call.state === 'up', 'the answer', PATIENCE);
  expect(modem.dialled).toBe('112');
});

it.each([
  ['SIP', 'fallback', () => !flow() && link()],
  ['MQTT', 'cloud', () => flow() && !link()],
] as const)('%s to the cloud is blocked, the other link is up: by the %s', async (what, way, isSo) => {
  const { port } = stage.ground.mqtt(stage.cloud);
  elm.trouble.only = (to) => (to.port === port) === (what === 'MQTT');
  await elm.restart();
  await until(() => link() && flow(), 'both links', PATIENCE);
  elm.trouble.set({ cut: true });
  await until(isSo, 'one link to be given up', 300_000);
  expect(await help()).toBe(way);
});

it('the fallback trunk’s name is nobody’s: the modem takes the call', async () => {
  await policy({ ...toFallback(), host: 'help.invalid' });
  await world.run(2_000);
  cut(fallback);
  expect(await help()).toBe('modem');
});

describe('two at once', () => {
  it('both have the cloud, and both the fallback trunk', async () => {
    expect([await help(a), await help(b)]).toEqual(['cloud', 'cloud']);
    for (const one of stage.phones) for (const call of one.calls) one.hangup(call);
    await world.run(1_000);
    cut(fallback);
    expect([await help(a), await help(b)]).toEqual(['fallback', 'fallback']);
  });

  it('one has the modem, and the other hears at once that there is no way', async () => {
    cut();
    await world.run(180_000);
    expect(await help(a)).toBe('modem');
    const begun = world.now;
    expect(await help(b)).toMatch(/^none: [45]/);
    expect(world.now - begun).toBeLessThan(10_000);
    expect(last(a).state).toBe('up');
    // It is free again.
    last(a).hangup();
    await world.run(3_000);
    modem.dialled = '';
    expect(await help(b)).toBe('modem');
  });
});

it('the call back passes whatever the line wants, while its phone talks too', async () => {
  expect(await help()).toBe('cloud');
  last(a).hangup();
  await world.run(3_000);
  await setFeatures(elm, {
    ...{ doNotDisturb: true, rejectAnonymous: true, noWaiting: true, allow: [number(elm, 1)] },
    forward: { always: number(elm, 1) },
  });
  await world.run(1_000);
  const talk: PhoneCall = await dial(a, number(elm, 1));
  expect(talk.state).toBe('up');
  const before = [a.calls.length, b.calls.length];
  const back = await dial(psap.phone, number(elm, 0), PATIENCE);
  expect([back.state, a.calls.length, b.calls.length]).toEqual(['up', (before[0] ?? 0) + 1, before[1]]);
  // Anybody else is sent on, as the line wants.
  back.hangup();
  talk.hangup();
  await world.run(1_000);
  const other = await dial(fallback.phone, number(elm, 0), PATIENCE);
  expect([other.state, a.calls.length]).toEqual(['ended', (before[0] ?? 0) + 1]);
});
