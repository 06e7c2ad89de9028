/** Publishing and installing through the open API: who may, in which order, and how far. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENTRIES_LIMIT, ENTRY_SIZE } from '#shared/applet/service.ts';
import { hostCrypto } from '#shared/host/crypto.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { isApproved, makePackage, packageHash, withHashes } from '#shared/protocol/applet-package.ts';
import { TestCloud } from '#test/api/fixture.ts';
import { INSTALLS_LIMIT } from './installs.ts';
import { readTicket, TICKET_LIFE, writeTicket } from './tickets.ts';

const crypto = hostCrypto();
let cloud: TestCloud;
let key: KeyPair;
let developer: string;
let home: string;

const APPLET = 'hearthline.take = () => {}';

function make(id: string, version = '1.0.0', change: Partial<Manifest> = {}): Promise<AppPackage> {
  const base = {
    format: 1 as const,
    id,
    version,
    name: id,
    about: 'Does little.',
    api: 1,
    matches: '^1.0.0',
    scopes: [],
    events: [],
    services: [],
    permissions: { 'call.events': {} },
    ...change,
  };
  return makePackage(withHashes(base, { applet: APPLET }, crypto), { applet: APPLET }, key, crypto);
}

const publish = async (value: unknown, token?: string) => {
  const got = await cloud.ask({
    method: 'POST',
    url: '/v1/apps',
    body: { package: value },
    ...(token === undefined ? {} : { token }),
  });
  return { status: got.status, code: got.body.code, state: got.body.state };
};

beforeAll(async () => {
  cloud = await TestCloud.start();
  key = await crypto.createKey('Ed25519');
  home = (await cloud.call('home.create', { name: 'elm' })).id;
  developer = await cloud.subscriber('grace', [], 'developer');
});
afterAll(() => cloud.stop());

describe('a developer', () => {
  it('submits, the operator publishes; only then can it be found, and only countersigned', async () => {
    expect(await publish(await make('porch-light'), developer)).toMatchObject({ status: 201, state: 'review' });
    expect((await cloud.call('catalogue.list', {})).items).toEqual([]);
    await cloud.call('app.review', { app: 'porch-light', version: '1.0.0', decision: 'publish' });
    expect((await cloud.call('catalogue.list', {}, developer)).items).toMatchObject([{ app: 'porch-light' }]);
    const row = await cloud.world.settle(
      cloud.store.one<{ package: string; sha256: string }>('SELECT package, sha256 FROM app_version', []),
    );
    const pack = JSON.parse(row?.package ?? '{}') as AppPackage;
    expect(packageHash(pack, crypto)).toBe(row?.sha256);
    expect(await isApproved(pack, pack.operator?.key ?? '', crypto)).toBe(true);
  });

  it('sees no other developer’s versions, and publishes none of the operator’s', async () => {
    const other = await cloud.subscriber('joan', [], 'developer');
    expect((await cloud.call('app.list', {}, other)).items).toEqual([]);
    expect((await cloud.ask({ url: '/v1/apps/porch-light/versions/1.0.0', token: other })).status).toBe(404);
    expect(await publish(await make('porch-light', '1.0.1'), other)).toMatchObject({ code: 'app_of_another' });
    expect(
      (
        await cloud.ask({
          method: 'POST',
          url: '/v1/apps/porch-light/versions/1.0.0/review',
          token: developer,
          body: { decision: 'revoke' },
        })
      ).status,
    ).toBe(403);
    expect(await publish(await make('side-light'), await cloud.subscriber('ada', [home]))).toMatchObject({
      status: 403,
    });
  });

  it('is rejected with a reason, and a decision is taken once', async () => {
    await publish(await make('porch-light', '1.1.0'), developer);
    const rejected = await cloud.call('app.review', {
      app: 'porch-light',
      version: '1.1.0',
      decision: 'reject',
      why: 'too bright',
    });
    expect(rejected).toMatchObject({ state: 'rejected', why: 'too bright' });
    const again = await cloud.ask({
      method: 'POST',
      url: '/v1/apps/porch-light/versions/1.1.0/review',
      body: { decision: 'publish' },
    });
    expect(again.body.code).toBe('conflict');
  });

  it('a submitted countersignature means nothing', async () => {
    const pack = await make('porch-light', '1.2.0');
    expect(await publish({ ...pack, operator: pack.developer }, developer)).toMatchObject({ state: 'review' });
    const row = await cloud.world.settle(
      cloud.store.one<{ package: string }>("SELECT package FROM app_version WHERE version = '1.2.0'", []),
    );
    expect((JSON.parse(row?.package ?? '{}') as AppPackage).operator).toBeUndefined();
  });

  it('the same request with the same key publishes once', async () => {
    const body = { package: await make('porch-light', '1.3.0') };
    const ask = {
      method: 'POST' as const,
      url: '/v1/apps',
      token: developer,
      body,
      headers: { 'idempotency-key': 'once' },
    };
    const [first, second] = [await cloud.ask(ask), await cloud.ask(ask)];
    expect([first.status, second.status, second.text === first.text]).toEqual([201, 201, true]);
  });
});

describe('a home', () => {
  it(`has at most ${INSTALLS_LIMIT} applications`, async () => {
    const full = (await cloud.call('home.create', { name: 'full' })).id;
    for (let i = 0; i <= INSTALLS_LIMIT; i++) {
      const id = `light-${i}`;
      await publish(await make(id));
      const got = await cloud.ask({
        method: 'POST',
        url: `/v1/homes/${full}/installs`,
        body: { app: id, consent: ['permission:call.events'] },
      });
      expect(got.body.code).toBe(i < INSTALLS_LIMIT ? undefined : 'limit_reached');
    }
  });

  it('keeps what a version was taken back for out of its document', async () => {
    const { id } = await cloud.call('install.create', { home, app: 'light-0', consent: ['permission:call.events'] });
    const document = async () => {
      const find = "SELECT body FROM desired WHERE home = ? AND doc = 'applets'";
      const row = await cloud.world.settle(cloud.store.one<{ body: string }>(find, [home]));
      return (JSON.parse(row?.body ?? '{}') as { installs: { application: string }[] }).installs.map(
        ({ application }) => application,
      );
    };
    expect(await document()).toEqual(['light-0']);
    await cloud.call('app.review', { app: 'light-0', version: '1.0.0', decision: 'revoke' });
    expect(await document()).toEqual([]);
    await cloud.call('install.remove', { install: id });
  });

  it(`of each service keeps ${ENTRIES_LIMIT} entries of ${ENTRY_SIZE} characters`, async () => {
    const put = (input: object) =>
      cloud.ask({ method: 'POST', url: `/v1/homes/${home}/services/address-book`, body: { method: 'put', input } });
    for (let i = 0; i < ENTRIES_LIMIT; i++)
      expect((await put({ name: `Ada ${i}`, party: '+15550100042' })).status).toBe(200);
    expect((await put({ name: 'One more', party: '+15550100042' })).body.code).toBe('limit_reached');
    const wide = '\u0800'.repeat(64);
    expect(
      (
        await put({
          id: 'x',
          name: wide,
          party: `sip:${'a'.repeat(250)}`,
          groups: Array.from({ length: 8 }, () => wide),
        })
      ).body.code,
    ).toBe('limit_reached');
  });
});

describe('a ticket', () => {
  const wanted = { gateway: 'gw_1', application: 'doorbell', version: '1.0.0' };
  const secret = new Uint8Array(32).fill(7);
  const ticket = writeTicket(crypto, secret, wanted, 1_000_000);
  it.each([
    ['opens its package', wanted, ticket, 1_000_000 + TICKET_LIFE, 'gw_1'],
    ['no other version', { ...wanted, version: '1.0.1' }, ticket, 1_000_000, undefined],
    ['no other application', { ...wanted, application: 'radio' }, ticket, 1_000_000, undefined],
    ['not after its time', wanted, ticket, 1_000_001 + TICKET_LIFE, undefined],
    ['not for another gateway', wanted, ticket.replace('gw_1', 'gw_2'), 1_000_000, undefined],
    ['not with more time', wanted, ticket.replace(/^\d+/, '9999999999999'), 1_000_000, undefined],
    ['nothing else opens', wanted, 'x', 1_000_000, undefined],
  ] as const)('%s', (_what, asked, shown, wall, gateway) => {
    expect(readTicket(crypto, secret, asked, shown, wall)).toBe(gateway);
  });
});
