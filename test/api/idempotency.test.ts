import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notProblem, TestCloud } from './fixture.ts';

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await TestCloud.start();
});
afterAll(() => cloud.stop());

const create = (key: string | undefined, body: object | string, more: { url?: string; token?: string } = {}) =>
  cloud.ask({
    method: 'POST',
    url: '/v1/homes',
    body,
    headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) },
    ...more,
  });
const homes = async () => (await cloud.call('home.list', { limit: 500 })).items.length;

describe('Idempotency-Key', () => {
  test('the same key and request: one home, the first reply again', async () => {
    const before = await homes();
    const first = await create('k1', { name: 'Elm' });
    const second = await create('k1', { name: 'Elm' });
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.text).toBe(first.text);
    expect(second.headers.location).toBe(`/v1/homes/${first.body.id}`);
    expect([first.headers['idempotency-replayed'], second.headers['idempotency-replayed']]).toEqual([
      undefined,
      'true',
    ]);
    expect(await homes()).toBe(before + 1);
  });

  test('the order of fields and white space do not matter', async () => {
    const home = (await create('k2', { name: 'Elm' })).body.id;
    const url = `/v1/homes/${home}/lines`;
    const first = await create('k3', '{"name":"Hall","kind":"phone"}', { url });
    const second = await create('k3', '{ "kind": "phone",  "name": "Hall" }', { url });
    expect(second.text).toBe(first.text);
    expect((await cloud.call('line.list', { home: String(home) })).items).toHaveLength(1);
  });

  test('the same key with another request: 422', async () => {
    await create('k4', { name: 'Elm' });
    expect(notProblem(await create('k4', { name: 'Oak' }), 'idempotency_mismatch')).toBeUndefined();
  });

  test('the same key for another resource of the route: 422', async () => {
    const [a, b] = [(await create(undefined, { name: 'A' })).body.id, (await create(undefined, { name: 'B' })).body.id];
    await create('k5', {}, { url: `/v1/homes/${a}/lines` });
    const got = await create('k5', {}, { url: `/v1/homes/${b}/lines` });
    expect(notProblem(got, 'idempotency_mismatch')).toBeUndefined();
  });

  test('the same key on another route or by another token is another key', async () => {
    const home = String((await create('k6', { name: 'Elm' })).body.id);
    expect((await create('k6', {}, { url: `/v1/homes/${home}/lines` })).status).toBe(201);
    const token = await cloud.subscriber('ada', [home]);
    const line = await create('k6', {}, { url: `/v1/homes/${home}/lines`, token });
    expect(line.status).toBe(201);
    expect((await cloud.call('line.list', { home })).items).toHaveLength(2);
  });

  test('two at the same time: one is done, the other is told to wait', async () => {
    const before = await homes();
    const [one, two] = await Promise.all([create('k7', { name: 'Elm' }), create('k7', { name: 'Elm' })]);
    expect([one.status, two.status].sort()).toEqual([201, 409]);
    expect(notProblem(one.status === 409 ? one : two, 'idempotency_in_flight')).toBeUndefined();
    expect((await create('k7', { name: 'Elm' })).status).toBe(201);
    expect(await homes()).toBe(before + 1);
  });

  test('without a key each request counts', async () => {
    const before = await homes();
    await create(undefined, { name: 'Elm' });
    await create(undefined, { name: 'Elm' });
    expect(await homes()).toBe(before + 2);
  });

  test('a request that was refused for its form does not use up the key', async () => {
    expect((await create('k8', { nam: 'Elm' })).status).toBe(400);
    expect((await create('k8', { name: 'Elm' })).status).toBe(201);
  });
});
