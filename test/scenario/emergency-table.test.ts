/** Help from a house in every fault state in which a path exists: each state of the way by the cloud with each of the fallback trunk and of the modem. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type SimModem, virtualModem } from '#simulator/modem.ts';
import { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';

const HOUSE = ['elm', 'elm-phone1', 'guest'];
/** Milliseconds: more than all ways may take one after the other. */
const PATIENCE = 60_000;

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let phone: Phone;
/** A phone of the LAN that shows no credential. */
let guest: Phone;
let modem: SimModem;
let psap: Carrier;
let fallback: Carrier;
let trunk: string;

beforeAll(async () => {
  ({ stage, world } = await virtualStage({ seed: 79 }));
  elm = await stage.home('elm');
  phone = await elm.phone();
  const { modem: made, lines } = virtualModem(elm.world.clock, tone(850, 1));
  [modem, elm.modem] = [made, lines];
  await elm.restart();
  const server = stage.cloud.config.bound.sipUdp ?? { host: '', port: 0 };
  psap = await carrier(world, '10.6.0.1', {}, server);
  fallback = await carrier(world, '10.6.0.2', {}, server);
  const host = `${elm.address.split('.').slice(0, 3).join('.')}.200`;
  const own = { world: world.host('guest', [host]), host, username: 'nobody', password: 'none' };
  const { domain } = (elm.lines[0] as StageHome['lines'][number]).sip;
  guest = await world.settle(Phone.open({ ...own, domain, server: elm.gateway.status().sip.udp }));
  stage.phones.push(psap.phone, fallback.phone, guest);
  ({ id: trunk } = await stage.api('trunk.create', trunkTo(psap, { probeEvery: 0 })));
  await world.run(10_000);
});
afterAll(() => stage[Symbol.asyncDispose]());
afterEach(async () => {
  world.heal();
  for (const one of stage.phones) for (const call of one.calls) one.hangup(call);
  const back = () => elm.gateway.status().voice.flow === 'up' && elm.gateway.agent()?.status.at === 'ready';
  await stage.ground.until(back, 300_000, 'both links to come back');
  await world.run(3_000);
  expect(elm.gateway.status().voice.calls).toBe(0);
});

/** The way by the cloud and its trunk. */
const CLOUD = ['up', 'refuses', 'silent', 'just cut off', 'long cut off'] as const;
const FALLBACK = ['up', 'refuses', 'silent', 'none'] as const;
const MODEM = ['answer', 'no-carrier'] as const;

const rows = CLOUD.flatMap((cloud) =>
  FALLBACK.flatMap((other) => MODEM.map((manner) => [cloud, other, manner] as const)),
);

/** Sets everything so, and says by which way help comes. */
async function broken([cloud, other, manner]: (typeof rows)[number]): Promise<'cloud' | 'fallback' | 'modem' | 'none'> {
  const { host, phone: helper } = fallback;
  const to = { host, port: helper.address.port, transport: 'udp' as const };
  const settings = { country: 'AT', routes: [{ trunk }] };
  await stage.api('emergency.policy.set', { ...settings, ...(other === 'none' ? {} : { fallback: to }) });
  await world.run(1_000);
  psap.phone.manner = cloud === 'refuses' ? 'busy' : 'answer';
  helper.manner = other === 'refuses' ? 'busy' : 'answer';
  modem.manner = manner;
  const cut = cloud === 'just cut off' || cloud === 'long cut off';
  if (cut) world.partition(other === 'silent' ? HOUSE : [...HOUSE, `carrier-${host}`]);
  if (!cut && other === 'silent') world.partition([`carrier-${host}`]);
  if (cloud === 'silent') world.partition([`carrier-${psap.host}`]);
  if (cloud === 'long cut off') await world.run(180_000);
  if (cloud === 'up') return 'cloud';
  return other === 'up' ? 'fallback' : manner === 'answer' ? 'modem' : 'none';
}

it.each(rows)('the cloud: %s, the fallback trunk: %s, the modem: %s', async (...row) => {
  const way = await broken(row);
  for (const caller of [phone, guest]) {
    const invites = [psap, fallback].map(({ requests }) => requests.length);
    modem.dialled = '';
    const call = await world.settle(caller.dial('112'));
    await world.until(() => call.state === 'up' || call.state === 'ended', PATIENCE, 'an outcome');
    expect(call.state).toBe(way === 'none' ? 'ended' : 'up');
    const by = way === 'cloud' ? psap : way === 'fallback' ? fallback : undefined;
    expect(by?.phone.calls.at(-1)?.state).toBe(by && 'up');
    if (way === 'modem') expect(modem.dialled).toBe('112');
    if (way === 'cloud') expect([fallback.requests.length, modem.dialled]).toEqual([invites[1], '']);
    caller.hangup(call);
    await world.run(3_000);
  }
});
