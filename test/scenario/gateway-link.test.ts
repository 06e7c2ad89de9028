/** The user agent's bond with the cloud, both ends real, on the virtual world: nothing is lost and nothing is done twice. */
import { afterEach, describe, expect, test } from 'vitest';
import { type Agent, createAgent } from '#device/agent/agent.ts';
import { createApplicantLink } from '#device/agent/applicant.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { CLOUD_ADDRESS, type Credentials, MQTT_PORT, makeCloud, type VirtualCloud } from '#test/support/edge.ts';

let cloud: VirtualCloud;
const agents: Agent[] = [];
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
  await cloud.edge.stop();
  cloud.virtual[Symbol.dispose]();
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
    test(`are all told, in whatever way connections break (seed ${seed})`, async () => {
      cloud = await makeCloud(seed);
      const agent = agentOf(await cloud.gateway('gw_1'));
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
        if (i % 60 === 13)
          await cloud.virtual.settle(
            cloud.bus.request('gateway.disconnect', { gateway: 'gw_1', reason: 'test' }, part),
          );
        await cloud.virtual.run(i % 11 === 0 ? 400 : 5);
      }
      await cloud.virtual.run(400_000);
      const told = cloud.asked.filter(({ verb }) => verb === 'alarm.raise');
      const ids = new Map(
        told.map(({ context, body }) => [context.idempotency?.key, (body as { cause: string }).cause]),
      );
      expect([...ids.values()].sort()).toEqual(sent.sort());
    });
  }
});
