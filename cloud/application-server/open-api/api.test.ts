import { expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Api, OAUTH_RATE, OPERATOR_RATE } from './api.ts';
import { ensureOperatorToken } from './credentials.ts';
import type { Incoming } from './request.ts';
import { routes } from './routes.ts';

test('the operator’s credential has its own rate', async () => {
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  await ensureOperatorToken(store, world, 'op');
  const api = new Api({ world, store, bus: createBus(world) });
  const route = routes.find((one) => one.verb === 'auth.self');
  if (route === undefined) throw new Error('no such verb');
  const headers: Readonly<Record<string, string>> = { authorization: 'Bearer op' };
  const incoming: Incoming = {
    method: 'GET',
    path: '/v1/self',
    source: '10.0.0.9',
    secure: false,
    header: (name) => headers[name],
  };
  for (let i = 0; i < OPERATOR_RATE.burst; i++) {
    const admitted = await api.admit(route, incoming);
    if (!admitted.ok) expect.fail(`refused after ${i}: ${admitted.fault.code}`);
  }
  expect(await api.admit(route, incoming)).toMatchObject({ ok: false, fault: { code: 'rate_limited', retryAfter: 1 } });
  await virtual.run(1);
  expect(await api.admit(route, incoming)).toMatchObject({ ok: true });
});

test('a source has an allowance of its own for /oauth', async () => {
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const api = new Api({ world, store: openLocalStore(':memory:'), bus: createBus(world) });
  const from = (source: string): Incoming => ({
    method: 'POST',
    path: '/oauth/token',
    source,
    secure: false,
    header: () => undefined,
  });
  for (let n = 0; n < OAUTH_RATE.burst; n++) expect(api.oauthBudget(from('10.0.0.9'))).toBeUndefined();
  expect(api.oauthBudget(from('10.0.0.9'))).toMatchObject({ code: 'rate_limited', retryAfter: 20 });
  expect(api.oauthBudget(from('10.0.0.8'))).toBeUndefined();
});
