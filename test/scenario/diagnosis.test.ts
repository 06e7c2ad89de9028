/** Diagnosis through the cloud on the virtual world: who may ask, what comes back, and what the cloud says when nobody answers. */
import { describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { healthyHome, type Rig } from '#test/support/diagnosis-rig.ts';
import { seed } from '#test/support/seed.ts';

const gatewayOf = (rig: Rig) => rig.gateway.status().pairing.gateway;
const account = (role: 'operator' | 'subscriber' | 'technician', homes: readonly string[] | 'all'): Principal => ({
  kind: 'account',
  account: 'acc_1',
  role,
  homes,
  scopes: 'all',
});

/** Asks as somebody, as the open API does. */
function ask<V extends VerbName>(
  rig: Rig,
  verb: V,
  request: VerbRequest<V>,
  principal: Principal = account('operator', 'all'),
) {
  return rig.world.settle(rig.stage.cloud.bus.request(verb, request, { principal }));
}

async function reply<V extends VerbName>(rig: Rig, verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
  const outcome = await ask(rig, verb, request);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
  return outcome.value;
}

describe('a gateway far away', () => {
  test('answers everything that it answers on the spot', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed);
    const gateway = gatewayOf(rig);
    expect(await reply(rig, 'gateway.check', { gateway })).toMatchObject({ gateway, result: 'ok' });
    const status = await reply(rig, 'gateway.status', { gateway });
    expect(status).toMatchObject({ pairing: 'paired', cloud: { link: 'ready' }, sip: { flow: 'up', calls: 1 } });
    expect(status.lines.map(({ phones, upstream }) => [phones.length, upstream])).toEqual([
      [1, 'held'],
      [1, 'held'],
    ]);
    const [call] = (await reply(rig, 'gateway.calls', { gateway })).items;
    expect(call).toMatchObject({ to: rig.home.lines[1]?.number, answeredAt: expect.any(Number) });
    const { items } = await reply(rig, 'gateway.trace', { gateway, call: call?.id ?? '' });
    expect(items.map(({ summary }) => summary).join('\n')).toMatch(/INVITE.*180.*200 OK \(INVITE\).*the call is up/s);
    expect(call?.callIds.length).toBe(2);
    expect(items.filter(({ text }) => /response=/.test(text))).toEqual([]);
    expect((await reply(rig, 'gateway.logs', { gateway, level: 'info', limit: 5 })).items).toHaveLength(5);
    expect((await reply(rig, 'gateway.network', { gateway })).route).toContain(rig.router);
    expect((await reply(rig, 'gateway.hosts', { gateway })).items.length).toBeGreaterThan(0);
    expect(
      await reply(rig, 'gateway.why', { gateway, about: 'line', subject: rig.home.lines[1]?.number ?? '' }),
    ).toMatchObject({
      answer: expect.stringContaining('should ring'),
    });
    const { id, parts } = await reply(rig, 'gateway.bundle', { gateway });
    expect((await reply(rig, 'gateway.bundle', { gateway, bundle: id, part: parts - 1 })).data?.length).toBeGreaterThan(
      0,
    );
  });

  test('is asked by its home’s people and the operator alone', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed);
    const gateway = gatewayOf(rig);
    const others: readonly Principal[] = [
      account('subscriber', ['home_other']),
      account('technician', []),
      account('technician', 'all'),
    ];
    for (const principal of others)
      for (const verb of ['gateway.status', 'gateway.why', 'gateway.bundle'] as const)
        expect(await ask(rig, verb, { gateway }, principal)).toMatchObject({ ok: false, fault: { code: 'not_found' } });
    expect((await ask(rig, 'gateway.status', { gateway }, account('subscriber', [rig.home.id]))).ok).toBe(true);
    expect((await ask(rig, 'gateway.status', { gateway }, account('technician', [rig.home.id]))).ok).toBe(true);
    expect(await ask(rig, 'gateway.status', { gateway: 'gw_none' })).toMatchObject({ fault: { code: 'not_found' } });
  });

  test('that is away is spoken for by the cloud', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed);
    const gateway = gatewayOf(rig);
    rig.world.partition(['cloud']);
    await rig.run(120_000);
    expect(await ask(rig, 'gateway.check', { gateway })).toMatchObject({
      ok: false,
      fault: { code: 'gateway_offline' },
    });
    const why = await reply(rig, 'gateway.why', { gateway });
    expect([why.answer, why.evidence.join(), why.certain]).toEqual([
      expect.stringContaining('no connection to the cloud'),
      expect.stringContaining('missing since 2026-'),
      false,
    ]);
    rig.world.heal();
    await rig.run(90_000);
    expect((await reply(rig, 'gateway.why', { gateway })).answer).not.toContain('no connection');
  });

  test('a session that ended is explained from its journal', { timeout: 30_000 }, async () => {
    await using rig = await healthyHome(seed);
    const gateway = gatewayOf(rig);
    await rig.world.settle(rig.phones[1].register(0));
    await rig.run(2_000);
    const [from, to] = rig.home.lines.map(({ id }) => id);
    const { id } = await rig.stage.api('call.create', { from: from ?? '', to: to ?? '' });
    await rig.run(60_000);
    const why = await reply(rig, 'gateway.why', { gateway, about: 'call', subject: id });
    expect(why.answer).toMatch(/^The session ended/);
    expect(why.evidence.length).toBeGreaterThan(0);
    const trace = await reply(rig, 'session.trace', { session: id });
    expect(trace.items.map(({ summary, kind }) => `${kind} ${summary}`).join('\n')).toMatch(
      /out INVITE .*in 200 OK \(INVITE\)/s,
    );
    const stranger = account('subscriber', ['home_other']);
    expect(await ask(rig, 'session.trace', { session: id }, stranger)).toMatchObject({ fault: { code: 'not_found' } });
    expect(await ask(rig, 'gateway.why', { gateway, about: 'call', subject: 'ses_none' })).toMatchObject({
      fault: { code: 'not_found' },
    });
  });
});
