/**
 * Two homes never see each other: every verb that names something, asked with the other home's ids, by every kind of credential. A new
 * verb is tried by itself; what its path names is taken for something of a home unless it stands in `common`.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Items } from '#cloud/application-server/oauth/items.ts';
import { mayCall, scopesOfRole } from '#cloud/application-server/open-api/access.ts';
import { type Route, routes } from '#cloud/application-server/open-api/routes.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { sql } from '#cloud/store/store.ts';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Ask, type Got, TestCloud, toAsk } from './fixture.ts';

/** Ids by the name of the field that carries them. */
type House = Readonly<Record<string, string>>;
interface Homes {
  readonly mine: House;
  readonly theirs: House;
}
let cloud: TestCloud;
let houses: Homes;
/** What shows a credential, by its kind. */
const shows = new Map<string, Pick<Ask, 'token' | 'headers'>>();

/** Names in paths that belong to no home: servers, and what the e-center offers everybody. */
const common = ['server', 'app', 'application', 'version', 'service', 'item'];
/** Fields outside of paths that name something of a home. */
const naming = [
  'home',
  'line',
  'gateway',
  'device',
  'session',
  'leg',
  'from',
  'participants',
  'mailbox',
  'group',
  'homes',
];

beforeAll(async () => {
  cloud = await TestCloud.start();
  houses = { mine: await furnish('mine'), theirs: await furnish('theirs') };
  await credentials(houses.mine.home ?? '');
});
afterAll(() => cloud.stop());

/** The three kinds of credential of a person who sees one home. */
async function credentials(home: string): Promise<void> {
  const cookie = await cloud.subscriber('ada', [home]);
  shows.set('cookie', { token: '', headers: { cookie: `hearthline=${cookie}`, origin: 'http://localhost:80' } });
  const account = (await cloud.call('auth.self', {}, cookie)).account;
  const key = await cloud.call('key.create', { name: 'all', scopes: scopesOfRole('subscriber') }, cookie);
  shows.set('key', { token: key.token ?? '' });
  await cloud.store.commit([
    sql(
      'INSERT INTO consent (id, account, client, homes, scopes, at) VALUES (?, ?, ?, ?, ?, 0)',
      ...['con_app', account, 'clt_app', JSON.stringify([home]), '[]'],
    ),
  ]);
  const scope = scopesOfRole('subscriber').join(' ');
  const items = new Items('AccessToken', cloud.cloud.context);
  const payload = { clientId: 'clt_app', grantId: 'con_app', scope };
  await cloud.world.settle(items.upsert('token-of-an-application', payload, 3600));
  shows.set('oauth', { token: 'token-of-an-application' });
}

/** A home with a gateway, a device, two phones, a call between them, and one of everything that a person may make. */
async function furnish(name: string): Promise<House> {
  const home = (await cloud.call('home.create', { name })).id;
  const lines = [await cloud.call('line.create', { home }), await cloud.call('line.create', { home })] as const;
  for (const line of lines) await cloud.phone(line);
  const gateway = `gw_${name}`;
  const insert =
    "INSERT INTO gateway (id, home, key_hash, state, stage, claimed_at, paired_at) VALUES (?, ?, ?, 'paired', 'done', 0, 0)";
  await cloud.store.commit([sql(insert, gateway, home, name)]);
  const facts = {
    id: `dev_${name}`,
    name,
    kind: 'speaker',
    address: '192.168.1.2',
    mac: '02:00:00:00:00:01',
    found: 'ssdp',
    wakes: true,
    seenAt: 0,
  } as const;
  const reported = cloud.cloud.bus.request(
    'device.report',
    { devices: [facts] },
    { principal: { kind: 'gateway', gateway, home } },
  );
  expect(await cloud.world.settle(reported)).toMatchObject({ ok: true });
  const session = (await cloud.call('call.create', { from: lines[0].id, to: lines[1].id })).id;
  await cloud.world.run(2000);
  const leg = (await cloud.call('session.get', { session })).legs[0]?.id ?? '';
  const { id: line, number, sip } = lines[0];
  const own = { home, line, number, username: sip.username, gateway, device: facts.id, session, leg };
  return { ...own, ...(await belongings(name, home, line)) };
}

async function belongings(name: string, home: string, line: string): Promise<House> {
  const person = await cloud.subscriber(`owner-${name}`, [home]);
  const webhook = (
    await cloud.call('webhook.create', { home, url: 'https://example.org/x', about: `about-${name}` }, person)
  ).id;
  const delivery = (await cloud.call('webhook.test', { webhook }, person)).id;
  const key = (await cloud.call('key.create', { name: `key-${name}`, scopes: ['homes:read'] }, person)).id;
  const client = (
    await cloud.call(
      'client.create',
      { name: `client-${name}`, redirects: ['https://example.org/'], scopes: ['homes:read'] },
      person,
    )
  ).id;
  await cloud.subscriber(`tom-${name}`, [], 'technician');
  const consent = (await cloud.call('consent.technician.grant', { home, account: `tom-${name}`, minutes: 60 }, person))
    .id;
  const row = eventRow(cloud.cloud.context.world, {
    type: 'home.test.v1.happened',
    home,
    subject: `subject-${name}`,
    data: {},
  });
  await cloud.store.commit([row]);
  const made = async (url: string, body: object) =>
    String((await cloud.ask({ method: 'POST', url, body })).body.id ?? '');
  const message = (await made('/v1/messages', { from: line, to: line, text: `text-${name}` })) || `msg_${name}`;
  const group = (await made('/v1/groups', { home, name: `group-${name}`, members: [line] })) || `grp_${name}`;
  const mailbox = (await made('/v1/mailboxes', { home, name: `box-${name}` })) || `box_${name}`;
  const letter = { mailbox, to: [`box-${name}@hearthline`], subject: `about-${name}`, text: 'x' };
  const mail = (await made('/v1/mails', letter)) || `mail_${name}`;
  const route =
    (await made(`/v1/homes/${home}/call-routes`, { match: '700', application: `app_${name}` })) || `route_${name}`;
  const qos = (await made('/v1/qos/sessions', { home, profile: 'voice', duration: 600 })) || `qos_${name}`;
  const about = {
    about: `about-${name}`,
    keyName: `key-${name}`,
    clientName: `client-${name}`,
    subject: `subject-${name}`,
  };
  return { webhook, delivery, key, client, consent, message, group, mailbox, mail, route, qos, ...about };
}

const person = { kind: 'account', account: 'acc_1', role: 'subscriber', homes: [], scopes: 'all' } as const;
const reachable = routes.filter(
  (route) => mayCall(route.entry, person) === undefined && !route.verb.startsWith('auth.'),
);
const kinds = ['cookie', 'key', 'oauth'] as const;
const cases = kinds.flatMap((kind) => reachable.map((route) => ({ kind, route, verb: route.verb })));

/** The fields of a verb that name something of a home. */
function namingFields({ entry, verb, params }: Route): string[] {
  const { properties = {}, required = [] } = entry.request as { properties?: object; required?: readonly string[] };
  const inPath = params.filter((name) => !common.includes(name));
  const inBody = Object.keys(properties).filter(
    (name) =>
      (naming.includes(name) || (verb === 'media.play' && name === 'to')) &&
      (required.includes(name) || name === 'home' || name === 'homes'),
  );
  return [...new Set([...inPath, ...inBody])];
}

/** The verb's example with the ids of a house in those fields; what nobody has furnished gets a name that gives it away. */
function requestWith(route: Route, house: House): Record<string, unknown> {
  const line = house.line ?? '';
  const values: Record<string, unknown> = {
    ...house,
    from: line,
    to: line,
    participants: [line],
    homes: [house.home],
  };
  const named = namingFields(route).map((name) => [name, values[name] ?? `${name}-${house.subject}`] as const);
  return { ...route.entry.example, ...Object.fromEntries(named) };
}

const ask = (kind: string, route: Route, request: Record<string, unknown>): Promise<Got> =>
  cloud.ask({ ...toAsk(route.verb, request as VerbRequest<VerbName>), ...shows.get(kind) });

function leaks(text: string): string[] {
  return Object.entries(houses.theirs).flatMap(([name, value]) => (text.includes(value) ? [name] : []));
}

/** Refused as if there were no such thing; a server that this cloud runs without cannot tell. */
function hides(got: Got): boolean {
  return [403, 404].includes(got.status) || got.body.code === 'server_unavailable';
}

describe('another home does not exist', () => {
  test('the table covers what a subscriber may do', () => {
    expect(reachable.length).toBeGreaterThan(60);
    expect(reachable.filter((route) => namingFields(route).length > 0).length).toBeGreaterThan(50);
  });

  test.each(cases)('$kind: $verb', async ({ kind, route }) => {
    const got = await ask(kind, route, requestWith(route, houses.theirs));
    const names = namingFields(route).length > 0;
    expect([got.status, got.body.code, !names || hides(got)]).toEqual([got.status, got.body.code, true]);
    expect(leaks(JSON.stringify({ ...got.body, instance: '' }))).toEqual([]);
    if (got.headers['content-type'] !== 'application/problem+json; charset=utf-8') expect(leaks(got.text)).toEqual([]);
  });

  test.each(cases.filter(({ route }) => namingFields(route).length > 1))(
    '$kind: $verb with one id of the other home among one’s own',
    async ({ kind, route }) => {
      // The table is long: a credential's allowance grows again meanwhile.
      await cloud.world.run(500);
      const own = requestWith(route, houses.mine);
      const foreign = requestWith(route, houses.theirs);
      for (const name of namingFields(route)) {
        const got = await ask(kind, route, { ...own, [name]: foreign[name] });
        // One's own gateway is asked, and is not there to answer.
        const hidden = hides(got) || (name !== 'gateway' && got.body.code === 'gateway_offline');
        expect([name, got.status, got.body.code, hidden]).toEqual([name, got.status, got.body.code, true]);
      }
    },
  );

  test('nothing of theirs was changed', async () => {
    const { home = '', gateway, session = '', webhook = '' } = houses.theirs;
    expect((await cloud.call('line.list', { home })).items).toHaveLength(2);
    expect((await cloud.call('gateway.list', { home })).items.map((one) => one.id)).toEqual([gateway]);
    const shown = await cloud.call('session.get', { session });
    expect([shown.state, shown.legs.every((leg) => leg.state === 'up')]).toEqual(['active', true]);
    expect((await cloud.call('webhook.get', { webhook })).state).toBe('active');
  });
});
