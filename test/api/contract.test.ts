/** Live replies against the OpenAPI document that the cloud itself serves, unknown fields refused. */
import type Type from 'typebox';
import { Compile } from 'typebox/compile';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Got, TestCloud, toAsk } from './fixture.ts';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
let cloud: TestCloud;
let operations: Map<string, Operation>;
let problem: object;

beforeAll(async () => {
  cloud = await TestCloud.start();
  const document = (await cloud.ask({ url: '/openapi.json', token: '' })).body as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: { Problem: object } };
  };
  operations = new Map(
    Object.values(document.paths)
      .flatMap((path) => Object.values(path))
      .map((one) => [one.operationId, one]),
  );
  problem = document.components.schemas.Problem;
});
afterAll(() => cloud.stop());

/** Calls a verb and holds the reply against the document. */
async function check<V extends VerbName>(
  verb: V,
  request: VerbRequest<V>,
  more: { token?: string } = {},
): Promise<Got> {
  const got = await cloud.ask({ ...toAsk(verb, request), ...more });
  expect(deviation(verb, got)).toEqual([]);
  return got;
}

function deviation(verb: string, got: Got): unknown[] {
  const response = operations.get(verb)?.responses[got.status];
  if (response === undefined) return [`${verb} does not document ${got.status}`];
  const type = String(got.headers['content-type'] ?? '').split(';')[0] ?? '';
  const schema = response.content?.[type]?.schema;
  if (got.text === '') return response.content === undefined ? [] : ['an empty reply'];
  if (schema === undefined) return [`${verb} ${got.status} does not document ${type}`];
  const exact = Compile(strict('$ref' in schema ? problem : schema) as Type.TSchema);
  return exact.Check(got.body) ? [] : exact.Errors(got.body);
}

/** The same schema, with fields that it does not name refused at every level. */
function strict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, strict(value)]));
  return 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner;
}

describe('replies are what the document says', () => {
  test('a walk through the directory', async () => {
    const home = String((await check('home.create', { name: 'Elm Street 1' })).body.id);
    await check('home.list', {});
    await check('home.get', { home });
    const line = String((await check('line.create', { home, name: 'Kitchen' })).body.id);
    await check('line.create', { home, number: '+15550109999', kind: 'appliance' });
    await check('line.create', { home, number: '+15550109999' });
    await check('line.list', { home });
    await check('line.remove', { home, line });
    await check('gateway.list', { home });
    await check('gateway.get', { home, gateway: 'gw_none' });
    await check('gateway.claim', { home, code: 'BCDF-GHJK' });
    await check('device.list', { home });
    await check('device.wake', { home, device: 'dev_none' });
    await check('account.create', {
      name: 'ada',
      password: 'correct horse battery',
      role: 'subscriber',
      homes: [home],
    });
    await check('account.create', {
      name: 'ada',
      password: 'correct horse battery',
      role: 'subscriber',
      homes: [home],
    });
    await check('account.list', {});
    await check('alarm.list', {});
    await check('audit.list', { limit: 3 });
    await check('farm.list', {});
    await check('farm.stop', { server: 'home-networking' });
    await check('device.list', { home });
    await check('farm.start', { server: 'home-networking' });
    const { body } = await check('auth.sign-in', { name: 'ada', password: 'correct horse battery' }, { token: '' });
    const token = String(body.token);
    await check('auth.self', {}, { token });
    await check('home.create', { name: 'no' }, { token });
    await check('auth.sign-out', {}, { token });
    await check('auth.self', {}, { token });
  });

  test('a walk through calls, media and a conference', async () => {
    const homes = await Promise.all(['Elm', 'Oak'].map((name) => cloud.call('home.create', { name })));
    const lines = await Promise.all(homes.map(({ id }) => cloud.call('line.create', { home: id })));
    const [a, b] = lines;
    if (a === undefined || b === undefined) throw new Error('two lines');
    for (const line of lines) await cloud.phone(line);
    await check('line.list', { home: a.home });
    const item = String(((await check('media.list', {})).body.items as { id: string }[])[0]?.id);
    await check('call.create', { from: a.id, to: '+15559999999' });
    await check('media.play', { to: a.id, item: 'none' });

    const call = String((await check('call.create', { from: a.id, to: b.number })).body.id);
    await cloud.world.run(3000);
    await check('session.get', { session: call });
    await check('session.list', { live: true });
    await check('session.end', { session: call });
    await cloud.world.run(2000);
    await check('session.get', { session: call });

    const play = String((await check('media.play', { to: a.id, item })).body.id);
    await cloud.world.run(3000);
    await check('session.get', { session: play });
    const sounding = (await cloud.call('session.get', { session: play })).legs[0]?.id ?? '';
    await check('media.quality', { session: play, leg: sounding });
    await check('media.quality', { session: play, leg: 'leg_none' });
    await check('session.end', { session: play });
    await cloud.world.run(2000);

    const room = (await check('conference.create', { participants: [a.id, b.id], media: { item, to: 'room' } })).body;
    await cloud.world.run(3000);
    const { legs } = await cloud.call('session.get', { session: String(room.id) });
    const leg = legs.find((one) => one.kind === 'voice')?.id ?? '';
    await check('conference.roster', { session: String(room.id) });
    await check('conference.mute', { session: String(room.id), leg, muted: true });
    await check('leg.add', { session: String(room.id), kind: 'media', party: b.id, item });
    await check('leg.add', { session: String(room.id), kind: 'device', home: a.home, action: 'list' });
    await check('leg.remove', { session: String(room.id), leg });
    await check('session.end', { session: String(room.id) });
    await cloud.world.run(10_000);
    await check('cdr.list', {});
    await check('cdr.list', { session: String(room.id) });
    await check('balance.get', { home: a.home });
    await check('balance.set', { home: a.home, mode: 'prepaid', add: 1_000_000 });
  });

  test('the check itself sees a wrong field, a missing one and an unknown status', () => {
    const got = (status: number, body: Record<string, unknown>): Got => ({
      status,
      headers: { 'content-type': 'application/json' },
      text: 'x',
      body,
    });
    expect(deviation('home.get', got(200, { id: 'home_1', name: 'x', createdAt: 1 }))).toEqual([]);
    expect(deviation('home.get', got(200, { id: 'home_1', name: 'x', createdAt: 1, more: 1 }))).not.toEqual([]);
    expect(deviation('home.get', got(200, { id: 'home_1', name: 'x' }))).not.toEqual([]);
    expect(deviation('home.get', got(418, {}))).not.toEqual([]);
  });

  test('every operation says who may call it and what may go wrong', () => {
    expect(operations.size).toBeGreaterThan(30);
    for (const operation of operations.values()) {
      expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['400', '429', '500', '503']));
    }
  });
});
