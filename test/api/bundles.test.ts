/** Bundles over HTTP: ranges (RFC 9110), tickets, releases that are withdrawn. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readRange } from '#cloud/application-server/open-api/range.ts';
import { sql } from '#cloud/store/store.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { UPLOAD_PART } from '#shared/protocol/verbs/rollout.ts';
import { TestCloud } from './fixture.ts';

const bundle = new Uint8Array(UPLOAD_PART + 5_000).map((_one, i) => 32 + (i % 90));
let cloud: TestCloud;
let release: string;
let path: string;

beforeAll(async () => {
  cloud = await TestCloud.start();
  const home = (await cloud.call('home.create', { name: 'Elm' })).id;
  const { crypto } = cloud.cloud.context.world;
  const facts = { version: '1.1.0', board: 'test', sha256: hex(crypto.hash('sha256', bundle)), size: bundle.length };
  release = (await cloud.call('release.create', facts)).id;
  for (let offset = 0; offset < bundle.length; offset += UPLOAD_PART)
    await cloud.call('release.upload', {
      release,
      offset,
      data: toBase64(bundle.subarray(offset, offset + UPLOAD_PART)),
    });
  await cloud.store.commit([
    sql("INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES ('gw_1', ?, 'k', 'paired', 0)", home),
  ]);
  const { id } = await cloud.call('rollout.create', { release });
  await cloud.store.commit([sql("UPDATE rollout_gateway SET state = 'asked' WHERE rollout = ?", id)]);
  const ticket = cloud.cloud.bus.request(
    'release.ticket',
    { release },
    { principal: { kind: 'gateway', gateway: 'gw_1', home } },
  );
  const told = await cloud.world.settle(ticket);
  path = told.ok ? (told.value.path ?? '') : '';
});
afterAll(() => cloud.stop());

const get = (range?: string, more: Record<string, string> = {}) =>
  cloud.ask({ url: path, token: '', headers: { ...(range === undefined ? {} : { range }), ...more } });
const text = (from: number, to: number) => String.fromCharCode(...bundle.subarray(from, to));

describe('a bundle', () => {
  test('comes whole, and in ranges that fit together', async () => {
    const whole = await get();
    expect([whole.status, whole.text.length, whole.headers['accept-ranges']]).toEqual([200, bundle.length, 'bytes']);
    const part = await get('bytes=5-9');
    expect([part.status, part.headers['content-range'], part.text]).toEqual([
      206,
      `bytes 5-9/${bundle.length}`,
      text(5, 10),
    ]);
    const rest = await get(`bytes=${UPLOAD_PART}-`);
    expect([rest.status, rest.text]).toEqual([206, text(UPLOAD_PART, bundle.length)]);
    expect((await get('bytes=-3')).text).toBe(text(bundle.length - 3, bundle.length));
    expect((await get(`bytes=${bundle.length}-`)).status).toBe(416);
    const stale = await get('bytes=5-9', { 'if-range': '"other"' });
    expect([stale.status, stale.text.length]).toEqual([200, bundle.length]);
  });

  test('opens to nobody without its ticket, nor to one of another release', async () => {
    for (const url of [
      `/bundles/${release}`,
      `/bundles/${release}?ticket=1.gw_1.00`,
      path.replace(release, release.replace(/.$/, '0')),
      `/bundles/..%2F..%2Fkey?ticket=x`,
    ])
      expect((await cloud.ask({ url, token: '' })).status).toBeGreaterThanOrEqual(400);
    expect((await cloud.ask({ url: `/bundles/${release}` })).status).toBeGreaterThanOrEqual(400);
  });

  test('is gone with its release', async () => {
    await cloud.call('release.withdraw', { release });
    expect((await get()).status).toBe(409);
  });
});

test.each([
  [undefined, undefined],
  ['bytes=0-0', { first: 0, last: 0 }],
  ['bytes=0-99', { first: 0, last: 9 }],
  ['bytes=9-', { first: 9, last: 9 }],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=-99', { first: 0, last: 9 }],
  ['bytes=5-4', undefined],
  ['bytes=0-1,3-4', undefined],
  ['bytes=-', undefined],
  ['lines=0-1', undefined],
] as const)('the range %s of ten octets', (header, range) => {
  expect(readRange(header, 10)).toEqual(range);
});
