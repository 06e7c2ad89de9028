/** Two homes never see each other: every verb that a subscriber may call, asked with the other home's ids. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mayCall } from '#cloud/application-server/open-api/access.ts';
import { type Route, routes } from '#cloud/application-server/open-api/routes.ts';
import { sql } from '#cloud/store/store.ts';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Got, TestCloud, toAsk } from './fixture.ts';

/** Everything that names something of one home. */
interface House {
  readonly home: string;
  readonly line: string;
  readonly number: string;
  readonly username: string;
  readonly gateway: string;
  readonly device: string;
  readonly session: string;
  readonly leg: string;
}
let cloud: TestCloud;
let mine: House;
let theirs: House;
let token: string;

beforeAll(async () => {
  cloud = await TestCloud.start();
  mine = await furnish('mine');
  theirs = await furnish('theirs');
  token = await cloud.subscriber('ada', [mine.home]);
});
afterAll(() => cloud.stop());

/** A home with a gateway, a device, two phones and a call between them. */
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
  return { home, line, number, username: sip.username, gateway, device: facts.id, session, leg };
}

const reachable = routes.filter(
  (route) =>
    mayCall(route.entry, { kind: 'account', account: 'acc_1', role: 'subscriber', homes: [], scopes: 'all' }) ===
      undefined && !route.verb.startsWith('auth.'),
);

/** The fields of a verb that name something of a home: those it needs, and a home to filter by. */
function namingFields({ entry, verb }: Route): string[] {
  const { properties = {}, required = [] } = entry.request as { properties?: object; required?: readonly string[] };
  const naming = ['home', 'line', 'gateway', 'device', 'session', 'leg', 'from', 'participants'];
  if (verb === 'media.play') naming.push('to');
  return Object.keys(properties).filter(
    (name) => naming.includes(name) && (required.includes(name) || name === 'home'),
  );
}

/** The verb's example with the ids of a house in those fields. */
function requestWith(route: Route, house: House): Record<string, unknown> {
  const { number: _number, username: _username, ...ids } = house;
  const values: Record<string, unknown> = { ...ids, from: house.line, to: house.line, participants: [house.line] };
  const named = namingFields(route).map((name) => [name, values[name]] as const);
  return { ...route.entry.example, ...Object.fromEntries(named) };
}

const ask = (route: Route, request: Record<string, unknown>): Promise<Got> =>
  cloud.ask({ ...toAsk(route.verb, request as VerbRequest<VerbName>), token });

function leaks(text: string): string[] {
  return Object.entries(theirs).flatMap(([name, value]) => (text.includes(value) ? [name] : []));
}

describe('another home does not exist', () => {
  test('the table covers what a subscriber may do', () => {
    expect(reachable.length).toBeGreaterThan(20);
    expect(reachable.filter((route) => namingFields(route).length > 0).length).toBeGreaterThan(15);
  });

  test.each(reachable)('$verb', async (route) => {
    const got = await ask(route, requestWith(route, theirs));
    if (namingFields(route).length > 0) {
      expect([403, 404]).toContain(got.status);
      const detail = { ...got.body, instance: '' };
      expect(leaks(JSON.stringify(detail))).toEqual([]);
    } else {
      expect(got.status).toBeLessThan(300);
      expect(leaks(got.text)).toEqual([]);
    }
  });

  test.each(reachable.filter((route) => namingFields(route).length > 1))(
    '$verb with one id of the other home among one’s own',
    async (route) => {
      const own = requestWith(route, mine);
      const foreign = requestWith(route, theirs);
      for (const name of namingFields(route)) {
        const got = await ask(route, { ...own, [name]: foreign[name] });
        expect([name, [403, 404].includes(got.status)]).toEqual([name, true]);
      }
    },
  );

  test('nothing of theirs was changed', async () => {
    expect((await cloud.call('line.list', { home: theirs.home })).items).toHaveLength(2);
    expect((await cloud.call('gateway.list', { home: theirs.home })).items.map((one) => one.id)).toEqual([
      theirs.gateway,
    ]);
    const session = await cloud.call('session.get', { session: theirs.session });
    expect([session.state, session.legs.every((leg) => leg.state === 'up')]).toEqual(['active', true]);
  });
});
