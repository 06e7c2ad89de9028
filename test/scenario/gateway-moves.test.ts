/** A gateway is removed from its home and paired again, with what it had not told yet still on its disk: that is nobody's but that home's. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { phoneWith, TONES } from './two-homes.ts';
import { number, wordsOf } from './words.ts';

describe('a gateway that is removed and paired again', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let a: Phone;
  let a2: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed }));
    elm = await stage.home('elm');
    a = await phoneWith(elm, TONES.a);
    a2 = await phoneWith(elm, TONES.b);
  });
  afterEach(() => stage?.[Symbol.asyncDispose]());

  const { until, cutOff } = wordsOf(() => stage);
  const status = () => elm.gateway.status().pairing;
  const files = (folder: string) => world.settle(elm.world.disk.list(`${stage.ground.folder('elm')}/${folder}`));
  /** What the cloud knows of calls, and the homes of their legs. */
  const told = async () => {
    const { items } = await stage.api('session.list', {});
    return items.map(({ kind, legs }) => `${kind} of ${legs.map(({ home }) => home)}`);
  };

  async function callInHouse(): Promise<void> {
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => call.state === 'up', 'the answer');
    await world.run(2_000);
    call.hangup();
    await until(() => a2.calls.at(-1)?.state === 'ended', 'BYE to arrive');
    await world.run(1_000);
  }

  async function remove(): Promise<void> {
    const [gateway] = (await stage.api('gateway.list', { home: elm.id })).items;
    await stage.api('gateway.remove', { home: elm.id, gateway: gateway?.id ?? '' });
  }

  /** The program dies once it has noted the next step of its pairing. */
  function diesAtNextStep(): () => boolean {
    let killed = false;
    elm.beforeWrite = (path) => {
      if (killed || !path.endsWith('/pairing.json')) return;
      killed = true;
      queueMicrotask(() => elm.kill());
    };
    return () => killed;
  }

  async function again(): Promise<void> {
    elm.beforeWrite = undefined;
    await world.run(500);
    await elm.again();
  }

  /** `dies`: as soon as it knows that it was claimed. */
  async function pairWith(home: string, dies = false): Promise<void> {
    await until(() => status().code !== undefined, 'a code', 600_000);
    const dead = dies ? diesAtNextStep() : undefined;
    await stage.api('gateway.claim', { home, code: status().code ?? '' });
    if (dead !== undefined) {
      await until(dead, 'the kill', 5_000);
      await again();
    }
    await until(() => status().at === 'paired', 'it to be paired', 60_000);
    await world.run(90_000);
  }

  const newHome = async () => (await stage.api('home.create', { name: 'oak' })).id;

  /** A call of the time without the cloud, and the gateway is no longer this home's: killed once it has noted that, before it forgets the rest. */
  async function killedAsItForgets(): Promise<void> {
    world.partition(['cloud']);
    await cutOff(elm);
    await callInHouse();
    await remove();
    const dead = diesAtNextStep();
    world.heal();
    await until(dead, 'the kill', 600_000);
    expect(await files('agent')).toContain('outbox');
    await again();
  }

  it.each(['another home', 'the same'])(
    'killed before it has forgotten its home: it forgets it then, and is paired with %s',
    async (which) => {
      await killedAsItForgets();
      await pairWith(which === 'the same' ? elm.id : await newHome());
      expect(await told()).toEqual([]);
      await elm.restart();
      await world.run(60_000);
      expect([await told(), await files('sip/calls')]).toEqual([[], []]);
    },
  );

  it.each([
    ['another home', 'nobody', []],
    ['another home before it ends', 'nobody', []],
    ['another home, and killed as it is claimed', 'nobody', []],
    ['the same', 'that, once', ['house-call of both']],
  ])(
    'in the middle of a call in the house, then paired with %s: what became of it is told %s',
    async (which, _to, records) => {
      const call = await world.settle(a.dial(number(elm, 1)));
      await until(() => call.state === 'up', 'the answer');
      await remove();
      await until(() => status().code !== undefined, 'a code', 60_000);
      await world.run(5_000);
      const late = which.includes('before it ends');
      const end = async () => {
        call.hangup();
        await until(() => a2.calls.at(-1)?.state === 'ended', 'BYE to arrive');
        await world.run(1_000);
      };
      if (!late) await end();
      expect(await files('sip/calls')).toHaveLength(1);
      const to = which === 'the same' ? elm.id : await newHome();
      if (late) await stage.api('line.create', { home: to, name: 'first' });
      await pairWith(to, which.includes('killed'));
      if (late) await end();
      await world.run(60_000);
      expect((await told()).map((one) => one.replace(`${elm.id},${elm.id}`, 'both'))).toEqual(records);
      expect(await files('sip/calls')).toEqual([]);
    },
  );

  it('forgets what it had not told, and what its lines dialled', async () => {
    world.partition(['cloud']);
    await cutOff(elm);
    await callInHouse();
    await remove();
    world.heal();
    await pairWith(await newHome());
    expect(await told()).toEqual([]);
    const octets = await world.settle(elm.world.disk.read(`${stage.ground.folder('elm')}/sip/features.json`));
    expect(new TextDecoder().decode(octets)).toBe('{"v":1,"untold":[],"past":[],"pins":[]}');
  });
});
