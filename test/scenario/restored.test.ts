/** Calls that were up when the softswitch or a gateway went away: whoever comes back finds out what the other side still knows. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { sleep } from '#shared/kernel/time.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { twoHomes } from './two-homes.ts';
import { wordsOf } from './words.ts';

describe('a call that was up when the cloud started again', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;
  let call: PhoneCall;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 41 }));
    ({ oak, a, b } = await twoHomes(stage));
    call = await world.settle(a.dial(oak.lines[0]?.number ?? ''));
    await until(() => call.state === 'up', 'the call to be answered');
    await world.run(1000);
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until } = wordsOf(() => stage);
  const session = async () => (await stage.api('session.list', {})).items[0];

  it('goes on, and ends by BYE', async () => {
    await stage.restartCloud();
    await world.run(120_000);
    expect([call.state, b.calls[0]?.state, (await session())?.state]).toEqual(['up', 'up', 'active']);
    a.hangup(call);
    await until(() => b.calls[0]?.state === 'ended', 'BYE to arrive', 5_000);
    await until(async () => (await session())?.reason === 'hangup', 'the session to end', 5_000);
  });

  it('ends for both where one phone hung up meanwhile', async () => {
    world.partition(['cloud']);
    await world.run(1000);
    a.hangup(call);
    await world.run(1000);
    await stage.restartCloud();
    world.heal();
    await until(() => b.calls[0]?.state === 'ended', 'the other phone to be told', 60_000);
    await until(async () => (await session())?.state === 'ended', 'the session to end', 5_000);
    expect((await stage.api('cdr.list', {})).items.length).toBe(2);
  });

  it('ends for both phones where the softswitch died before it could keep the call', async () => {
    await world.settle(stage.cloud.context.store.commit([sql('DELETE FROM channel')]));
    await stage.restartCloud();
    await until(() => call.state === 'ended' && b.calls[0]?.state === 'ended', 'both phones to be told', 10_000);
    await until(async () => (await session())?.reason === 'lost', 'the session to end', 40_000);
  });

  it('is not asked of another gateway than its own', async () => {
    // The first connection of the new process is then oak’s; that of the old one was elm’s.
    world.partition(['elm']);
    await stage.restartCloud();
    await world.run(80_000);
    expect((await session())?.state).toBe('active');
    world.heal();
  });

  it('ends where a gateway does not come back', async () => {
    world.partition(['oak']);
    await stage.restartCloud();
    await world.run(50_000);
    expect((await session())?.state).toBe('active');
    await until(() => call.state === 'ended', 'the caller to be told', 60_000);
    await until(async () => (await session())?.state === 'ended', 'the session to end', 5_000);
    world.heal();
    await until(() => b.calls[0]?.state === 'ended', 'the phone behind that gateway to be told', 60_000);
  });
});

it('a phone straight at the cloud that heard yes to its registration can be rung, though the cloud is killed in that moment', async () => {
  const { stage, world } = await virtualStage({ seed: 42 });
  try {
    const { id: home } = await stage.api('home.create', { name: 'direct' });
    const phone = async (name: string) => {
      const line = await stage.api('line.create', { home, name });
      const { username, password = '', domain } = line.sip;
      const host = name === 'one' ? '10.9.0.1' : '10.9.0.2';
      const of = { world: world.host(name, [host]), host, server: stage.ground.sip(stage.cloud) };
      return { number: line.number, phone: await world.settle(Phone.open({ ...of, username, password, domain })) };
    };
    const one = await phone('one');
    expect(await world.settle(one.phone.register())).toBe(200);
    const two = await phone('two');
    const { store } = stage.cloud.context;
    const commit = store.commit.bind(store);
    // As slow as a disk.
    Object.assign(store, {
      commit: (statements: Parameters<typeof commit>[0]) =>
        sleep(world.host('disk', []).clock, 20).then(() => commit(statements)),
    });
    expect(await world.settle(two.phone.register())).toBe(200);
    await stage.killCloud();
    await stage.startCloud();
    const call = await world.settle(one.phone.dial(two.number ?? ''));
    await stage.ground.until(() => call.state === 'up' || call.state === 'ended', 5_000, 'an answer');
    expect([call.state, call.status]).toEqual(['up', 0]);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});
