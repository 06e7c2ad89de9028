import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CHIME } from '#device/appliance/chime.ts';
import { STATION_CALLS } from '#device/appliance/station-calls.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome, StageLine } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES } from './two-homes.ts';
import { number, wordsOf } from './words.ts';

describe('the three profiles of a gateway', () => {
  let stage: Stage;
  let world: VirtualWorld;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 21 }));
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until } = wordsOf(() => stage);
  const nodes = (home: StageHome) => world.settle(home.engine.list());

  /** A home whose device is itself one SIP endpoint. */
  async function station(): Promise<StageHome> {
    const porch = await stage.home('porch', 'ip-appliance');
    await stage.line(porch, { name: 'Door', kind: 'appliance' });
    await until(() => porch.gateway.status().voice.registrations.length === 1, 'the appliance to register');
    await world.run(500);
    return porch;
  }

  /** Both hear each other; then the caller hangs up and both calls end. */
  async function talk(from: Phone, to: Phone, line: StageLine, [mine, theirs]: readonly [number, number]) {
    const call = await world.settle(from.dial(line.number));
    await until(() => call.state === 'up', 'the answer');
    await world.run(2500);
    expectHears(call.heard(), theirs, mine);
    const other = to.calls.at(-1) as PhoneCall;
    expectHears(other.heard(), mine, theirs);
    from.hangup(call);
    await until(() => other.state === 'ended', 'the end');
  }

  it('all three pair; the appliance answers by itself, calls by its button and is no registrar', async () => {
    const elm = await stage.home('elm', 'residential-gateway');
    const office = await stage.home('office', 'personal-computer');
    const porch = await station();
    const a = await elm.phone({ answerAfter: 200, voice: tone(TONES.a, 1) });
    const b = await office.phone({ answerAfter: 200, voice: tone(TONES.b, 1) });
    const profiles = await Promise.all(
      [elm, office, porch].map(async ({ id }) => (await stage.api('gateway.list', { home: id })).items[0]?.profile),
    );
    expect(profiles).toEqual(['residential-gateway', 'personal-computer', 'ip-appliance']);
    await talk(a, b, office.lines[0] as StageLine, [TONES.a, TONES.b]);

    // A phone of another home calls the appliance: its chime, then an echo of what it hears.
    const call = await world.settle(a.dial(number(porch)));
    await until(() => call.state === 'up', 'the appliance to answer');
    await world.run((2 * CHIME.note) / 2);
    expect(levelOf(call.heard(), CHIME.high)).toBeGreaterThan(-40);
    await world.run(4000);
    expect(levelOf(call.heard().subarray(-8000), TONES.a)).toBeGreaterThan(-30);
    a.hangup(call);
    await until(() => porch.gateway.status().voice.calls === 0, 'the appliance to see the end');

    // Its button calls a phone of another home, which hears the chime over and over.
    const [gateway] = (await stage.api('gateway.list', { home: porch.id })).items;
    const pressed = await stage.api('appliance.press', {
      home: porch.id,
      gateway: gateway?.id ?? '',
      to: number(office),
    });
    expect(pressed).toEqual({ line: porch.lines[0]?.id });
    await until(() => b.calls.at(-1)?.state === 'up' && b.calls.length === 2, 'the phone to answer');
    const rung = b.calls.at(-1) as PhoneCall;
    expect(rung.from).toContain(number(porch));
    await world.run(8000);
    const heard = rung.heard().subarray(-24_000);
    expect(levelOf(heard, CHIME.high)).toBeGreaterThan(-45);
    expect(levelOf(heard, CHIME.low)).toBeGreaterThan(-45);
    b.hangup(rung);
    await until(() => porch.gateway.status().voice.calls === 0, 'the appliance to see the hangup');

    // Nobody else's button can be pressed, and a gateway with phones has none.
    await expect(
      stage.api('appliance.press', { home: elm.id, gateway: gateway?.id ?? '', to: number(office) }),
    ).rejects.toThrow(/404/);
    const [plain] = (await stage.api('gateway.list', { home: elm.id })).items;
    await expect(
      stage.api('appliance.press', { home: elm.id, gateway: plain?.id ?? '', to: number(office) }),
    ).rejects.toThrow(/gateway_refused|502/);
    await world.run(3000);
    for (const home of [elm, office, porch]) expect(await nodes(home)).toEqual([]);
  });

  it('an appliance refuses phones, and calls that do not come from the softswitch', async () => {
    const porch = await station();
    const line = porch.lines[0] as StageLine;
    const phone = await world.settle(
      Phone.open({
        world: world.host('guest', ['10.9.0.1']),
        host: '10.9.0.1',
        server: porch.gateway.status().sip.udp,
        domain: line.sip.domain,
        username: line.sip.username,
        password: line.sip.password ?? '',
      }),
    );
    expect(await world.settle(phone.register())).toBe(403);
    const call = await world.settle(phone.dial(line.number));
    await until(() => call.state === 'ended', 'the refusal');
    expect(call.status).toBe(403);
    await world.settle(phone.close());
  });

  it('an appliance takes four calls and no fifth', async () => {
    const elm = await stage.home('elm');
    const porch = await stage.home('porch', 'ip-appliance');
    // A standard line’s own cap at the softswitch is four as well: it must not be what refuses the fifth.
    const line = await stage.api('line.create', { home: porch.id, kind: 'appliance', class: 'unmetered' });
    await until(() => porch.gateway.status().voice.registrations.length === 1, 'the appliance to register');
    await world.run(500);
    const calls: PhoneCall[] = [];
    for (let i = 0; i <= STATION_CALLS; i++) {
      const phone = await elm.phone();
      calls.push(await world.settle(phone.dial(line.number)));
      await world.run(600);
    }
    expect(calls.map(({ state }) => state)).toEqual(['up', 'up', 'up', 'up', 'ended']);
    expect(calls[STATION_CALLS]?.status).toBe(486);
    expect(porch.gateway.status().voice.calls).toBe(STATION_CALLS);
  });

  it('an appliance’s call goes on over a new flow, and ends without one', async () => {
    const elm = await stage.home('elm');
    const porch = await station();
    const phone = await elm.phone();
    const flow = () => porch.gateway.status().voice.flow;
    const call = await world.settle(phone.dial(number(porch)));
    await until(() => call.state === 'up', 'the answer');
    world.partition(['porch']);
    await until(() => flow() === 'down', 'the flow to be missed', 120_000);
    world.heal();
    await until(() => flow() === 'up', 'the flow to come back', 120_000);
    await world.run(70_000);
    expect([call.state, porch.gateway.status().voice.calls]).toEqual(['up', 1]);

    // Its own hangup goes over the new flow: the phone hears of it at once.
    await world.settle(porch.gateway.stop());
    await until(() => call.state === 'ended', 'the phone to see the end', 3_000);
    expect(await nodes(porch)).toEqual([]);
  });

  it('an appliance without a flow for longer than a minute lets its calls go', async () => {
    const elm = await stage.home('elm');
    const porch = await station();
    const phone = await elm.phone();
    const call = await world.settle(phone.dial(number(porch)));
    await until(() => call.state === 'up', 'the answer');
    world.partition(['porch']);
    await until(() => porch.gateway.status().voice.calls === 0, 'its call to end', 240_000);
    expect(await nodes(porch)).toEqual([]);
    world.heal();
    await until(() => call.state === 'ended', 'the phone to see it', 240_000);
  });

  it('a SIP appliance of its own, behind a gateway and straight at the softswitch, calls and is called', async () => {
    const elm = await stage.home('elm');
    const oak = await stage.home('oak', 'personal-computer');
    const phone = await oak.phone({ answerAfter: 200, voice: tone(TONES.b, 1) });
    const behind = await elm.phone({ kind: 'appliance', answerAfter: 200, voice: tone(TONES.a, 1) });
    const direct = await stage.line(elm, { name: 'Garden', kind: 'appliance' });
    const straight = await stage.directPhone(direct, { answerAfter: 200, voice: tone(TONES.a, 1) });
    for (const [appliance, line] of [
      [behind, elm.lines[0] as StageLine],
      [straight, direct],
    ] as const) {
      await talk(appliance, phone, oak.lines[0] as StageLine, [TONES.a, TONES.b]);
      await talk(phone, appliance, line, [TONES.b, TONES.a]);
    }
    await world.run(3000);
    for (const home of [elm, oak]) expect(await nodes(home)).toEqual([]);
  });
});
