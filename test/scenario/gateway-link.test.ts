/** The user agent's bond with the cloud, both ends real, on the virtual world: nothing is lost and nothing is done twice. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type Agent, createAgent } from '#device/agent/agent.ts';
import { createApplicantLink } from '#device/agent/applicant.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import {
  CLOUD_ADDRESS,
  type Credentials,
  MQTT_PORT,
  makeCloud,
  makeHostCloud,
  type VirtualCloud,
} from '#test/support/edge.ts';

let cloud: VirtualCloud;
const agents: Agent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
  await cloud?.edge.stop();
  cloud?.virtual[Symbol.dispose]();
  cloud = undefined as never;
});

function agentOf(made: Credentials, host = 'home'): Agent {
  const agent = createAgent({
    world: cloud.virtual.host(host, ['10.0.1.1']),
    identity: { gateway: made.id, certificate: made.certificate, key: made.key },
    mqtt: { host: CLOUD_ADDRESS, port: MQTT_PORT },
    ca: cloud.config.authority.certificate,
    state: '/state',
    profile: 'residential-gateway',
    version: '0.1.0',
  });
  agents.push(agent);
  return agent;
}
const part = { principal: { kind: 'part', part: 'oamp' } } as const;

test('a gateway greets, gets its documents, reports them, obeys and asks', async () => {
  const system = { home: 'home_1', homeName: 'Elm Street', reportEvery: 60_000 };
  cloud = await makeCloud(1, {
    'gateway.hello': async () => ok({ epoch: 7, at: 0, documents: [{ doc: 'system', version: 3, body: system }] }),
  });
  const agent = agentOf(await cloud.gateway('gw_1'));
  const applied: unknown[] = [];
  agent.onDesired('system', async (document, version) => {
    applied.push([document, version]);
    return ok({});
  });
  agent.onCommand('device.wake.local', async ({ mac }) =>
    mac.startsWith('02') ? ok({ sent: 3 }) : err(fault('gateway_refused', 'no such device')),
  );
  await agent.start();
  await cloud.virtual.until(() => agent.status.at === 'ready', 10_000);
  expect(agent.status.epoch).toBe(7);
  await cloud.virtual.run(1000);
  expect(applied).toEqual([[system, 3]]);
  expect(cloud.asked.find(({ verb }) => verb === 'gateway.reported')?.body).toMatchObject({
    doc: 'system',
    applied: 3,
  });
  const wake = (mac: string) =>
    cloud.virtual.settle(
      cloud.bus.request('gateway.command', { gateway: 'gw_1', verb: 'device.wake.local', body: { mac } }, part),
    );
  expect(await wake('02:00:00:00:00:01')).toEqual(ok({ body: { sent: 3 } }));
  expect(await wake('04:00:00:00:00:01')).toEqual(err(fault('gateway_refused', 'no such device')));
  const list = await cloud.virtual.settle(cloud.bus.request('presence.list', {}, part));
  expect(list).toEqual(ok({ items: [{ gateway: 'gw_1', epoch: 7, address: '10.0.1.1' }] }));
});

test('an applicant announces itself and hears that it was claimed', async () => {
  cloud = await makeCloud(2);
  const made = await cloud.applicant();
  const link = createApplicantLink({
    world: cloud.virtual.host('home', ['10.0.1.1']),
    keyHash: made.keyHash,
    certificate: made.certificate,
    key: made.key,
    mqtt: { host: CLOUD_ADDRESS, port: MQTT_PORT },
    ca: cloud.config.authority.certificate,
  });
  const claimed: unknown[] = [];
  link.onClaimed((message) => claimed.push(message));
  link.start();
  const body = { codeHash: '0'.repeat(64), profile: 'residential-gateway', version: '0.1.0' } as const;
  const announced = await cloud.virtual.settle(link.request('pairing.announce', body));
  expect(announced.ok).toBe(true);
  expect(cloud.asked.at(-1)?.context.principal).toEqual({ kind: 'applicant', keyHash: made.keyHash });
  const message = { keyHash: made.keyHash, claimed: true };
  expect(await cloud.virtual.settle(cloud.bus.request('pairing.claimed', message, part))).toEqual(ok({}));
  expect(claimed).toEqual([message]);
  link.stop();
});

describe('events', () => {
  for (const seed of [1, 2, 3]) {
    test(`are all told, in whatever way connections break and the power goes (seed ${seed})`, async () => {
      cloud = await makeCloud(seed);
      const made = await cloud.gateway('gw_1');
      let agent = agentOf(made);
      await agent.start();
      cloud.virtual.link({ delay: 20, jitter: 30 });
      const sent: string[] = [];
      for (let i = 0; i < 300; i++) {
        const cause = `c${i}`;
        sent.push(cause);
        const body = { cause, severity: 'minor', text: 'x' } as const;
        expect(await cloud.virtual.settle(agent.report('alarm.raise', body, { priority: 'voice' }))).toEqual(
          ok(undefined),
        );
        if (i % 20 === 7) cloud.virtual.network.drop('home', i % 40 === 7);
        if (i % 60 === 13) {
          const cut = { gateway: 'gw_1', reason: 'test' };
          await cloud.virtual.settle(cloud.bus.request('gateway.disconnect', cut, part));
        }
        if (i % 100 === 50) {
          await cloud.virtual.settle(agent.stop());
          agent = agentOf(made);
          await agent.start();
        }
        await cloud.virtual.run(i % 20 === 9 ? 50_000 : 5);
      }
      await cloud.virtual.run(400_000);
      const told = cloud.asked.filter(({ verb }) => verb === 'alarm.raise');
      const causes = new Map(
        told.map(({ context, body }) => [context.idempotency?.key, (body as { cause: string }).cause]),
      );
      expect([...causes.values()].sort()).toEqual(sent.sort());
      // It did break, and each hello told what was still in the outbox.
      const hellos = cloud.asked.filter(({ verb }) => verb === 'gateway.hello');
      expect(hellos.length).toBeGreaterThan(8);
      expect(hellos.at(-1)?.body).toMatchObject({ outbox: { lost: 0 } });
    });
  }

  test('wait for a server that is stopped, and keep their order', async () => {
    cloud = await makeCloud(4);
    const agent = agentOf(await cloud.gateway('gw_1'));
    await agent.start();
    await cloud.virtual.until(() => agent.status.at === 'ready', 10_000);
    const back = cloud.stopOamp();
    for (const cause of ['a', 'b', 'c']) {
      void agent.report('alarm.raise', { cause, severity: 'minor', text: 'x' }, { order: 'alarms', priority: 'alarm' });
    }
    await cloud.virtual.run(20_000);
    back();
    await cloud.virtual.run(60_000);
    const told = cloud.asked.filter(({ verb }) => verb === 'alarm.raise');
    expect(told.map(({ body }) => (body as { cause: string }).cause)).toEqual(['a', 'b', 'c']);
    expect(agent.status.at).toBe('ready');
  });

  test('that were told are not told again after a restart', async () => {
    cloud = await makeCloud(11);
    const made = await cloud.gateway('gw_1');
    for (let run = 1; run <= 3; run++) {
      const agent = agentOf(made);
      await agent.start();
      await cloud.virtual.until(() => agent.status.at === 'ready', 10_000);
      if (run === 1) void agent.report('alarm.raise', { cause: 'c', severity: 'minor', text: 'x' });
      await cloud.virtual.run(60_000);
      await cloud.virtual.settle(agent.stop());
    }
    expect(cloud.asked.filter(({ verb }) => verb === 'alarm.raise')).toHaveLength(1);
    const hello = cloud.asked.filter(({ verb }) => verb === 'gateway.hello').at(-1)?.body;
    expect(hello).toMatchObject({ outbox: { first: 1, last: 1, lost: 0 } });
  });

  test('and requests that no packet can carry are refused before they are sent', async () => {
    cloud = await makeCloud(10);
    const agent = agentOf(await cloud.gateway('gw_1'));
    await agent.start();
    await cloud.virtual.until(() => agent.status.at === 'ready', 10_000);
    const body = (octets: number) => ({ cause: 'c', severity: 'minor', text: 'x'.repeat(octets) }) as const;
    const large = err(expect.objectContaining({ code: 'too_large' }));
    expect(await agent.report('alarm.raise', body(61_440))).toEqual(large);
    expect(await agent.request('alarm.raise', body(65_000))).toEqual(large);
    expect(agent.status.at).toBe('ready');
  });

  test('that nobody wants any more are not told', async () => {
    cloud = await makeCloud(5);
    const agent = agentOf(await cloud.gateway('gw_1'));
    await cloud.virtual.settle(agent.start());
    cloud.virtual.partition(['home']);
    for (const [cause, expiresIn] of [
      ['old', 30_000],
      ['good', 300_000],
    ] as const) {
      void agent.report('alarm.raise', { cause, severity: 'minor', text: 'x' }, { expiresIn });
    }
    await cloud.virtual.run(60_000);
    cloud.virtual.heal();
    await cloud.virtual.run(120_000);
    const told = cloud.asked.filter(({ verb }) => verb === 'alarm.raise');
    expect(told.map(({ body }) => (body as { cause: string }).cause)).toEqual(['good']);
  });

  const DAY = 86_400_000;
  test.each([
    ['from 1970 to today', -56 * 365 * DAY],
    ['three weeks ahead', -21 * DAY],
    ['back to 1970', 56 * 365 * DAY],
  ])('outlive a clock that jumps %s, before the first greeting, in a session, and between two', async (_way, off) => {
    cloud = await makeCloud(12);
    const made = await cloud.gateway('gw_1');
    const raise = (agent: Agent, cause: string) =>
      cloud.virtual.settle(agent.report('alarm.raise', { cause, severity: 'minor', text: 'x' }));
    cloud.virtual.skew('home', off);
    cloud.virtual.partition(['home']);
    const first = agentOf(made);
    await first.start();
    expect(await raise(first, 'first start')).toEqual(ok(undefined));
    await cloud.virtual.settle(first.stop());
    await cloud.virtual.run(1000);
    const agent = agentOf(made);
    agent.onCommand('device.wake.local', async () => ok({ sent: 1 }));
    await agent.start();
    await raise(agent, 'second start');
    cloud.virtual.skew('home', -off);
    cloud.virtual.heal();
    await cloud.virtual.until(() => agent.status.at === 'ready', 120_000);
    cloud.virtual.skew('home', off);
    const asked = await cloud.virtual.settle(agent.request('media.list', {}, 5000));
    expect(asked).not.toMatchObject({ fault: { code: 'timeout' } });
    const wake = { gateway: 'gw_1', verb: 'device.wake.local', body: { mac: '02:00:00:00:00:01' } } as const;
    expect(await cloud.virtual.settle(cloud.bus.request('gateway.command', wake, part))).toEqual(
      ok({ body: { sent: 1 } }),
    );
    cloud.virtual.network.drop('home', false);
    await raise(agent, 'between sessions');
    cloud.virtual.skew('home', -off);
    await cloud.virtual.run(60_000);
    const told = cloud.asked.filter(({ verb }) => verb === 'alarm.raise');
    expect(told.map(({ body }) => (body as { cause: string }).cause)).toEqual([
      'first start',
      'second start',
      'between sessions',
    ]);
    expect(agent.insight().outbox).toMatchObject({ waiting: 0, lost: 0 });
  });
});

describe('a gateway whose cloud', () => {
  test('cannot serve the hello stays connected and says it again', async () => {
    cloud = await makeCloud(6);
    const back = cloud.stopOamp();
    const agent = agentOf(await cloud.gateway('gw_1'));
    const phases: string[] = [];
    agent.onState(({ at }) => phases.push(at));
    await agent.start();
    await cloud.virtual.run(10_000);
    expect(agent.status.at).toBe('greeting');
    back();
    await cloud.virtual.until(() => agent.status.at === 'ready', 5000);
    expect(phases).toEqual(['connecting', 'greeting', 'ready']);
  });

  test('is away for an hour comes back within the longest wait and a try, and its requests time out meanwhile', async () => {
    cloud = await makeCloud(7);
    const agent = agentOf(await cloud.gateway('gw_1'));
    await agent.start();
    await cloud.virtual.run(1000);
    cloud.virtual.partition(['home']);
    await cloud.virtual.run(3_600_000);
    const outcome = await cloud.virtual.settle(agent.request('media.list', {}, 5000));
    expect(outcome).toMatchObject({ ok: false, fault: { code: 'timeout' } });
    cloud.virtual.heal();
    await cloud.virtual.until(() => agent.status.at === 'ready', 80_000);
  });

  test('gives it another certificate connects with it, and the lease goes over', async () => {
    cloud = await makeCloud(8);
    const agent = agentOf(await cloud.gateway('gw_1'));
    await agent.start();
    await cloud.virtual.until(() => agent.status.at === 'ready', 10_000);
    const next = await cloud.gateway('gw_1');
    agent.changeIdentity({ gateway: 'gw_1', certificate: next.certificate, key: next.key });
    await cloud.virtual.until(() => agent.status.epoch === 2, 10_000);
    const serial = (await cloud.world.crypto.readCertificate(next.certificate))?.serial;
    await cloud.virtual.run(1000);
    expect(cloud.asked.filter(({ verb }) => verb === 'gateway.seen').at(-1)?.body).toEqual({
      gateway: 'gw_1',
      online: true,
      epoch: 2,
      certificateSerial: serial,
    });
  });

  test('gives it another certificate while it is connecting is tried with that one; the old try’s end is nothing', async () => {
    cloud = await makeCloud(12);
    const made = await cloud.gateway('gw_1');
    const agent = agentOf(made);
    cloud.virtual.partition(['cloud']);
    await agent.start();
    await cloud.virtual.run(5000);
    agent.changeIdentity({ gateway: 'gw_1', certificate: made.certificate, key: made.key });
    await cloud.virtual.run(12_000);
    expect(agent.status.at).toBe('connecting');
    await cloud.virtual.run(3050);
    expect(agent.status).toMatchObject({ at: 'waiting', why: expect.stringContaining('no connection in time') });
  });

  test('has removed it keeps away: it tries ever less often', async () => {
    cloud = await makeCloud(9);
    const made = await cloud.gateway('gw_1');
    await cloud.store.commit([{ sql: 'DELETE FROM gateway', params: [] }]);
    const agent = agentOf(made);
    let tries = 0;
    agent.onState(({ at }) => {
      if (at === 'connecting') tries++;
    });
    await agent.start();
    await cloud.virtual.run(3_600_000);
    // Half the longest wait on average, some 120 in an hour: far from the thousands of a first wait for ever.
    expect(tries).toBeGreaterThan(60);
    expect(tries).toBeLessThan(180);
  });
});

test('the same seed gives the same run, packet for packet; another seed another one', async () => {
  const run = async (seed: number) => {
    cloud = await makeCloud(seed);
    cloud.virtual.link({ delay: 20, jitter: 30 });
    const agent = agentOf(await cloud.gateway('gw_1'));
    await agent.start();
    for (let i = 0; i < 20; i++) {
      void agent.report('alarm.raise', { cause: `c${i}`, severity: 'minor', text: 'x' });
      if (i === 10) cloud.virtual.network.drop('home', true);
      await cloud.virtual.run(3000);
    }
    await agent.stop();
    await cloud.edge.stop();
    cloud.virtual[Symbol.dispose]();
    return cloud.virtual.hash();
  };
  const [first, again, other] = [await run(20), await run(20), await run(21)];
  expect(again).toBe(first);
  expect(other).not.toBe(first);
});

test('on real sockets with real TLS: greeted, told, asked, commanded', async () => {
  const real = await makeHostCloud();
  const made = await real.gateway('gw_1');
  const { host, port, tls } = real.target(made);
  const state = await mkdtemp(join(tmpdir(), 'hearthline-'));
  const agent = createAgent({
    world: real.world,
    identity: { gateway: 'gw_1', certificate: made.certificate, key: made.key },
    mqtt: { host, port },
    ca: tls.ca ?? '',
    state,
    profile: 'residential-gateway',
    version: '0.1.0',
  });
  agent.onCommand('inventory.scan', async () => ok({ devices: 2 }));
  const ready = new Promise<void>((resolve) => void agent.onState(({ at }) => at === 'ready' && resolve()));
  await agent.start();
  await ready;
  expect(await agent.report('alarm.raise', { cause: 'c', severity: 'minor', text: 'x' })).toEqual(ok(undefined));
  expect(await agent.request('media.list', {})).toMatchObject({ ok: false, fault: { code: 'server_unavailable' } });
  const scan = { gateway: 'gw_1', verb: 'inventory.scan', body: {} };
  expect(await real.bus.request('gateway.command', scan, part)).toEqual(ok({ body: { devices: 2 } }));
  expect(real.asked.map(({ verb }) => verb)).toContain('alarm.raise');
  await agent.stop();
  await real.edge.stop();
  await rm(state, { recursive: true });
});
