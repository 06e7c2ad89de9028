/** The live commands' verbs: who may, what is refused, and their limits. */
import { afterEach, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { createFarm, type Farm } from '#test/support/session-farm.ts';
import { COMMANDS_PER_SESSION } from './command-state.ts';
import { ROUTES_PER_HOME } from './incoming.ts';

let farm: Farm;
afterEach(() => farm.end());

const as = (home: string, key?: string): Context => ({
  principal: { kind: 'account', account: 'acc_1', role: 'subscriber', homes: [home], scopes: 'all' },
  ...(key === undefined ? {} : { idempotency: { scope: 'x', key, bodyHash: 'h' } }),
});

/** A call of the API between two homes, both talking. */
async function talking() {
  farm = await createFarm([billing, qos]);
  const { id } = await farm.get('call.create', { from: 'line_11', to: 'line_21' });
  const [a, b] = (await farm.session(id)).legs;
  for (const leg of [a, b]) await farm.report(id, leg?.id ?? '', 'answered');
  return { id, a: a?.id ?? '', b: b?.id ?? '', homeA: a?.home ?? '', homeB: b?.home ?? '' };
}

it('who began a call steers all of it, the other home its own leg, a third home nothing', async () => {
  const { id, a, b, homeA, homeB } = await talking();
  expect(await farm.ask('call.mute', { session: id, leg: b }, as(homeA))).toMatchObject({ ok: true });
  expect(await farm.ask('call.mute', { session: id, leg: b }, as(homeB))).toMatchObject({ ok: true });
  expect(await farm.ask('call.mute', { session: id, leg: a }, as(homeB))).toMatchObject({
    fault: { code: 'forbidden' },
  });
  expect(await farm.ask('call.hangup', { session: id }, as(homeB))).toMatchObject({ fault: { code: 'forbidden' } });
  for (const verb of ['call.mute', 'call.hold', 'call.unhold'] as const) {
    expect(await farm.ask(verb, { session: id, leg: a }, as('home_9'))).toMatchObject({ fault: { code: 'not_found' } });
  }
  expect(await farm.ask('call.commands', { session: id }, as('home_9'))).toMatchObject({
    fault: { code: 'not_found' },
  });
  expect(await farm.ask('leg.refer', { session: id, leg: a, to: 'line_12' }, as(homeA))).toMatchObject({
    fault: { code: 'forbidden' },
  });
});

it('a repeated command is one command', async () => {
  const { id, a, homeA } = await talking();
  const request = { session: id, leg: a, max: 2 };
  const first = await farm.ask('call.gather', request, as(homeA, 'k1'));
  expect(await farm.ask('call.gather', request, as(homeA, 'k1'))).toMatchObject({
    value: { id: (first as { value: { id: string } }).value.id },
  });
  expect((await farm.get('call.commands', { session: id })).items).toHaveLength(1);
  const held = await farm.ask('call.hold', { session: id, leg: a }, as(homeA, 'k2'));
  expect(await farm.ask('call.hold', { session: id, leg: a }, as(homeA, 'k2'))).toEqual(held);
});

it('a call takes so many commands', async () => {
  const { id, a } = await talking();
  for (let i = 0; i < COMMANDS_PER_SESSION; i++) await farm.get('call.gather', { session: id, leg: a });
  expect(await farm.ask('call.gather', { session: id, leg: a })).toMatchObject({ fault: { code: 'limit_reached' } });
});

it('a home has so many numbers that applications answer', async () => {
  farm = await createFarm([billing, qos]);
  const home = 'home_1';
  for (let i = 0; i < ROUTES_PER_HOME; i++) {
    await farm.get('call-route.create', { home, match: `*5${100 + i}`, application: 'app_1' });
  }
  const more = { home, match: '*999', application: 'app_1' };
  expect(await farm.ask('call-route.create', more)).toMatchObject({ fault: { code: 'limit_reached' } });
  const { items } = await farm.get('call-route.list', { home });
  await farm.get('call-route.delete', { home, route: items[0]?.id ?? '' });
  expect(await farm.ask('call-route.create', more)).toMatchObject({ ok: true });
});
