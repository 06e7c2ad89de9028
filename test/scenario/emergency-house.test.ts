/** Calls for help from a house: without a credential from its LAN, by the cloud where that can, by the fallback trunk where it cannot. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Phone, type PhoneCall, type PhoneOptions } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let a: Phone;
let b: Phone;
/** Behind the operator's trunk, and behind the fallback trunk of gateways. */
let psap: Carrier;
let fallback: Carrier;

const line = (): StageLine => elm.lines[0] as StageLine;
const up = (call: PhoneCall, limit = 9_000) => world.until(() => call.state === 'up', limit, 'the answer');
const ended = (call: PhoneCall) => world.until(() => call.state === 'ended', 20_000, 'the end');
const invites = ({ requests }: Carrier) => requests.filter((text) => text.startsWith('INVITE'));
const dial = (phone: Phone, to = '112') => world.settle(phone.dial(to));

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 77 }));
  ({ elm, a, b } = await twoHomes(stage));
  const server = stage.cloud.config.bound.sipUdp ?? { host: '', port: 0 };
  const voice = tone(TONES.b, 1);
  psap = await carrier(world, '10.6.0.1', { voice }, server);
  fallback = await carrier(world, '10.6.0.2', { voice }, server);
  const { id: trunk } = await stage.api('trunk.create', trunkTo(psap));
  const { host, phone } = fallback;
  await stage.api('emergency.policy.set', {
    country: 'US',
    routes: [{ trunk }],
    fallback: { host, port: phone.address.port, transport: 'udp' },
  });
  await stage.api('home.location.set', {
    home: elm.id,
    location: { country: 'AT', city: 'Wien', street: 'Ring', houseNumber: '1' },
  });
  await world.run(2_000);
});
afterEach(async () => {
  for (const one of [psap, fallback]) await world.settle(one.phone.close());
  await stage[Symbol.asyncDispose]();
});

/** A phone on a host, which has never registered. */
async function guest(host: string, options: Partial<PhoneOptions> = {}): Promise<Phone> {
  const phone = await world.settle(
    Phone.open({
      ...{ world: world.host(`guest-${host}`, [host]), host, server: elm.gateway.status().sip.udp },
      ...{ domain: line().sip.domain, username: 'nobody', password: 'none', ...options },
    }),
  );
  stage.phones.push(phone);
  return phone;
}

const onLan = () => `${elm.address.split('.').slice(0, 3).join('.')}.200`;

/** The house with the fallback trunk, cut off from everything else. */
const cut = () => world.partition(['elm', 'elm-phone1', `guest-${onLan()}`, `carrier-${fallback.host}`]);

describe('with the cloud', () => {
  it('goes by the operator’s trunk, with the home’s own code, place and number, and both talk', async () => {
    const call = await dial(a, '133');
    await up(call);
    const invite = requestOf(psap, 'INVITE');
    expect(invite.split(' ')[1]).toBe('urn:service:sos.police');
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(line().number);
    expect(invite).toContain('<ca:A3>Wien</ca:A3>');
    await world.run(2_500);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
    await world.run(2_000);
    expect((await stage.api('emergency.call.list', {})).items).toMatchObject([{ by: 'gateway', home: elm.id }]);
    expect(invites(fallback)).toEqual([]);
  });

  it('needs no credential from the LAN', async () => {
    const phone = await guest(onLan());
    await up(await dial(phone));
    expect(headerIn(requestOf(psap, 'INVITE'), 'P-Asserted-Identity')).toContain(line().number);
  });

  it('needs one from anywhere else', async () => {
    const call = await dial(await guest('10.99.0.1'));
    await ended(call);
    expect([call.status, invites(psap), invites(fallback)]).toEqual([401, [], []]);
  });

  it('takes the fallback trunk where the cloud finds no way', async () => {
    await world.settle(psap.phone.close());
    const call = await dial(a);
    await up(call, 60_000);
    expect(invites(fallback)).toHaveLength(1);
    // Whoever is there makes no phone of the house call anybody else.
    const [far] = fallback.phone.calls as [PhoneCall];
    const asked = fallback.phone.askIn(far, 'REFER', [['Refer-To', '<sip:+15559999999@x>']]);
    expect(await world.settle(asked)).toBe(403);
  });
});

describe('without the cloud', () => {
  it.each([
    ['cut off a moment ago', async () => cut()],
    [
      'cut off for an hour',
      async () => {
        cut();
        await world.run(3_600_000);
      },
    ],
    ['the cloud’s process killed', () => stage.killCloud()],
    [
      'cut off, and the gateway started again on what its disk holds',
      async () => {
        cut();
        await world.run(60_000);
        await elm.restart();
        await world.run(5_000);
      },
    ],
  ])('%s: the fallback trunk', async (_name, happen) => {
    await happen();
    const call = await dial(a);
    await up(call);
    const invite = requestOf(fallback, 'INVITE');
    expect(invite.split(' ')[1]).toBe('urn:service:sos');
    expect(headerIn(invite, 'From')).toContain(line().number);
    expect(headerIn(invite, 'Geolocation')).toMatch(/^<cid:/);
    expect(invite).toContain('<ca:HNO>1</ca:HNO>');
    await world.run(2_500);
    expectHears(call.heard(), TONES.b, TONES.a);
    a.hangup(call);
    await world.run(500);
    expect(fallback.phone.calls[0]?.state).toBe('ended');
  });

  it('without a credential, from a phone that never registered', async () => {
    const phone = await guest(onLan());
    cut();
    await world.run(120_000);
    await up(await dial(phone));
  });

  it('the record comes once, afterwards', async () => {
    cut();
    await world.run(60_000);
    const call = await dial(a);
    await up(call);
    a.hangup(call);
    await world.run(5_000);
    world.heal();
    const records = async () => (await stage.api('cdr.list', {})).items.filter(({ to }) => to === '112');
    await stage.ground.until(async () => (await records()).length > 0, 300_000, 'the record');
    await world.run(60_000);
    expect((await records()).map(({ from, price }) => `${from} ${price}`)).toEqual([
      `${line().number} 0`,
      `${line().number} 0`,
    ]);
  });

  it('a fallback trunk that wants no location (424, RFC 6442 section 4.3) is asked without it', async () => {
    const picky = await carrier(world, '10.6.0.3', { refuses: 424 });
    const port = picky.phone.address.port;
    await stage.api('emergency.policy.set', { routes: [], fallback: { host: picky.host, port, transport: 'udp' } });
    await world.run(2_000);
    world.partition(['elm', 'elm-phone1', `carrier-${picky.host}`]);
    await ended(await dial(a));
    expect(invites(picky).map((text) => headerIn(text, 'Geolocation') !== undefined)).toEqual([true, false]);
    await world.settle(picky.phone.close());
  });

  it('where there is no fallback either the phone hears so at once', async () => {
    await stage.api('emergency.policy.set', { routes: [] });
    await world.run(2_000);
    world.partition(['elm', 'elm-phone1']);
    await world.run(120_000);
    const call = await dial(a);
    await world.run(500);
    expect([call.state, call.status]).toEqual(['ended', 503]);
    expect(b.calls).toEqual([]);
  });
});
