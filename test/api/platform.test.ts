/** Keys, technicians, preconditions, allowances, alarms, audit, presence and quality on demand, as a program meets them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import { notProblem, TestCloud } from './fixture.ts';

let cloud: TestCloud;
let home: string;
let other: string;
let ada: string;
let tom: string;

beforeAll(async () => {
  cloud = await TestCloud.start();
  home = (await cloud.call('home.create', { name: 'Elm' })).id;
  other = (await cloud.call('home.create', { name: 'Oak' })).id;
  ada = await cloud.subscriber('ada', [home]);
  tom = await cloud.subscriber('tom', [], 'technician');
});
afterAll(() => cloud.stop());
beforeEach(() => cloud.world.run(5000));

describe('API keys', () => {
  test('open what their scopes say, in their homes, until they are revoked or run out', async () => {
    const key = await cloud.call('key.create', { name: 'log', scopes: ['homes:read', 'keys:read'], days: 2 }, ada);
    expect(key).toMatchObject({ homes: [home], allHomes: false });
    expect((await cloud.call('home.list', {}, key.token)).items.map((one) => one.id)).toEqual([home]);
    expect((await cloud.call('auth.self', {}, key.token)).homes).toEqual([home]);
    const refused = await cloud.ask({ url: `/v1/homes/${home}/lines`, token: key.token ?? '' });
    expect(notProblem(refused, 'forbidden')).toBeUndefined();
    expect(refused.body.detail).toContain('lines:read');
    expect(JSON.stringify(await cloud.store.all('SELECT * FROM token'))).not.toContain(key.token);
    expect((await cloud.call('key.list', {}, ada)).items.map((one) => one.id)).toContain(key.id);
    await cloud.call('key.revoke', { key: key.id }, ada);
    expect(notProblem(await cloud.ask({ url: '/v1/homes', token: key.token ?? '' }), 'unauthorized')).toBeUndefined();
    const short = await cloud.call('key.create', { name: 'short', scopes: ['homes:read'], days: 1 }, ada);
    const over = cloud.cloud.context.world.clock.wall();
    await cloud.store.commit([sql('UPDATE token SET expires_at = ? WHERE id = ?', over, short.id)]);
    expect(notProblem(await cloud.ask({ url: '/v1/homes', token: short.token ?? '' }), 'unauthorized')).toBeUndefined();
  });

  test('are never wider than what makes them', async () => {
    const body = (more: object) =>
      ({ method: 'POST', url: '/v1/keys', body: { name: 'x', scopes: ['homes:read'], ...more } }) as const;
    const narrow = await cloud.call('key.create', { name: 'n', scopes: ['homes:read', 'keys:write'] }, ada);
    for (const [more, token, code] of [
      [{ homes: [other] }, ada, 'not_found'],
      [{ scopes: ['accounts:write'] }, ada, 'bad_request'],
      [{ scopes: ['nonsense:read'] }, ada, 'bad_request'],
      [{ scopes: ['lines:write'] }, narrow.token ?? '', 'forbidden'],
      [{}, tom, 'forbidden'],
    ] as const)
      expect([more, notProblem(await cloud.ask({ ...body(more), token }), code)]).toEqual([more, undefined]);
  });

  test('of the operator can be bound to one home', async () => {
    const key = await cloud.call('key.create', { name: 'one', scopes: ['homes:read', 'lines:read'], homes: [other] });
    expect((await cloud.call('home.list', {}, key.token)).items.map((one) => one.id)).toEqual([other]);
    expect(
      notProblem(await cloud.ask({ url: `/v1/homes/${home}/lines`, token: key.token ?? '' }), 'not_found'),
    ).toBeUndefined();
  });
});

describe('a technician', () => {
  test('sees a home from the owner’s consent until it ends, and every look is kept', async () => {
    const look = () => cloud.ask({ url: `/v1/homes/${home}/lines`, token: tom });
    expect((await look()).status).toBe(404);
    const consent = await cloud.call('consent.technician.grant', { home, account: 'tom', minutes: 30 }, ada);
    expect((await look()).status).toBe(200);
    expect((await cloud.ask({ method: 'POST', url: `/v1/homes/${home}/lines`, body: {}, token: tom })).status).toBe(
      403,
    );
    expect((await cloud.ask({ url: `/v1/homes/${home}/balance`, token: tom })).status).toBe(403);
    expect((await cloud.ask({ url: `/v1/homes/${other}/lines`, token: tom })).status).toBe(404);
    const audit = (await cloud.call('audit.list', { limit: 20 })).items;
    expect(audit.some((line) => line.verb === 'line.list' && line.target === home && line.outcome === 'ok')).toBe(true);
    expect((await cloud.call('consent.list', {}, ada)).items).toMatchObject([{ kind: 'technician', to: 'tom' }]);
    await cloud.call('consent.revoke', { consent: consent.id }, ada);
    expect((await look()).status).toBe(404);
    await cloud.call('consent.technician.grant', { home, account: 'tom', minutes: 1 }, ada);
    expect((await look()).status).toBe(200);
    await cloud.world.run(61_000);
    expect((await look()).status).toBe(404);
  });

  test.each([
    ['more than a day', () => ({ home, account: 'tom', minutes: 1441 }), 'bad_request'],
    ['somebody who is none', () => ({ home, account: 'ada', minutes: 5 }), 'not_found'],
    ['another home', () => ({ home: other, account: 'tom', minutes: 5 }), 'not_found'],
  ] as const)('cannot be let in for %s', async (_name, request, code) => {
    const { home: at, ...body } = request();
    const got = await cloud.ask({ method: 'POST', url: `/v1/homes/${at}/technicians`, body, token: ada });
    expect(notProblem(got, code)).toBeUndefined();
  });
});

describe('preconditions', () => {
  test('an ETag answers 304, and If-Match lets only the first of two changes through', async () => {
    const { id } = await cloud.call('webhook.create', { home, url: 'https://example.org/x' });
    const url = `/v1/webhooks/${id}`;
    const tag = String((await cloud.ask({ url })).headers.etag);
    const same = await cloud.ask({ url, headers: { 'if-none-match': `W/${tag}, "other"` } });
    expect([same.status, same.text, same.headers.etag]).toEqual([304, '', tag]);
    const change = (about: string, match: string) =>
      cloud.ask({ method: 'PUT', url, body: { about }, headers: { 'if-match': match } });
    expect((await change('one', tag)).status).toBe(200);
    expect(notProblem(await change('two', tag), 'precondition_failed')).toBeUndefined();
    expect((await cloud.call('webhook.get', { webhook: id })).about).toBe('one');
    expect((await change('three', '*')).status).toBe(200);
    const stale = await cloud.ask({ method: 'DELETE', url, headers: { 'if-match': tag } });
    expect(notProblem(stale, 'precondition_failed')).toBeUndefined();
    const now = String((await cloud.ask({ url })).headers.etag);
    const replay = await cloud.ask({ method: 'POST', url: `${url}/test`, body: {}, headers: { 'if-match': '"old"' } });
    expect(notProblem(replay, 'precondition_failed')).toBeUndefined();
    expect((await cloud.ask({ method: 'DELETE', url, headers: { 'if-match': now } })).status).toBe(204);
  });
});

describe('headers', () => {
  test('say what is left, and give a caller’s own names back', async () => {
    const trace = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const got = await cloud.ask({
      url: '/v1/homes',
      token: ada,
      headers: { traceparent: trace, 'x-correlator': 'c-1' },
    });
    expect(got.headers).toMatchObject({
      traceparent: trace,
      'x-correlator': 'c-1',
      'ratelimit-policy': '"read";q=100;w=2',
    });
    expect(got.headers.ratelimit).toMatch(/^"read";r=\d+;t=\d+$/);
    const junk = await cloud.ask({ url: '/v1/homes', headers: { traceparent: 'x', 'x-correlator': 'é "' } });
    expect([junk.headers.traceparent, junk.headers['x-correlator']]).toEqual([undefined, undefined]);
  });

  test('one past the allowance for reading is refused, while writing goes on', async () => {
    const own = await cloud.subscriber('greedy', [home]);
    let last = await cloud.ask({ url: '/v1/homes', token: own });
    for (let n = 0; n < 200 && last.status === 200; n++) last = await cloud.ask({ url: '/v1/self', token: own });
    expect(notProblem(last, 'rate_limited')).toBeUndefined();
    expect(last.headers['retry-after']).toBe('1');
    expect(last.headers.ratelimit).toBe('"default";r=0;t=1');
    const write = await cloud.ask({ method: 'POST', url: `/v1/homes/${home}/lines`, body: {}, token: own });
    expect(write.status).toBe(201);
  });

  test('a WebSocket path says so to those who come without one', async () => {
    expect(notProblem(await cloud.ask({ url: '/v1/events/ws' }), 'upgrade_required')).toBeUndefined();
  });
});

describe('operations', () => {
  test('alarms are acknowledged and cleared once, each with an event', async () => {
    const { cursor } = await cloud.call('event.list', {});
    const part = { principal: { kind: 'part', part: 'media' } } as const;
    await cloud.world.settle(
      cloud.cloud.bus.request('alarm.raise', { cause: 'media.late', severity: 'minor', text: 'Late.', home }, part),
    );
    const [alarm] = (await cloud.call('alarm.list', { open: true })).items.filter((one) => one.cause === 'media.late');
    const id = alarm?.id ?? '';
    expect(await cloud.call('alarm.acknowledge', { alarm: id })).toMatchObject({ acknowledgedBy: 'operator' });
    await cloud.call('alarm.acknowledge', { alarm: id });
    const closed = await cloud.call('alarm.close', { alarm: id });
    expect(closed.clearedAt).toBeDefined();
    expect(await cloud.call('alarm.close', { alarm: id })).toEqual(closed);
    expect(await cloud.call('alarm.get', { alarm: id })).toEqual(closed);
    const page = await cloud.call('event.list', { after: cursor, types: ['home.alarm.*'] });
    expect(page.items.map((event) => event.type)).toEqual(
      ['raised', 'acknowledged', 'cleared'].map((what) => `home.alarm.v1.${what}`),
    );
    expect(page.items[0]).toMatchObject({ home, subject: id });
  });

  test('the audit trail shows a line that was changed or taken out', async () => {
    const whole = await cloud.call('audit.check', {});
    expect(whole).toMatchObject({ intact: true });
    expect(whole.lines).toBeGreaterThan(5);
    const [row] = await cloud.store.all<{ id: string; outcome: string }>(
      'SELECT id, outcome FROM audit ORDER BY seq LIMIT 1 OFFSET 3',
    );
    const set = (outcome: string) =>
      cloud.store.commit([sql('UPDATE audit SET outcome = ? WHERE id = ?', outcome, row?.id ?? '')]);
    await set('ok, really');
    expect(await cloud.call('audit.check', {})).toMatchObject({ intact: false, brokenAt: row?.id });
    await set(row?.outcome ?? '');
    expect(await cloud.call('audit.check', {})).toMatchObject({ intact: true });
    await cloud.store.commit([sql('DELETE FROM audit WHERE id = ?', row?.id ?? '')]);
    expect(await cloud.call('audit.check', {})).toMatchObject({ intact: false });
  });
});

describe('broadband', () => {
  test('presence shows the phones, gateways and devices of one home', async () => {
    const at = (await cloud.call('home.create', { name: 'Ash' })).id;
    const line = await cloud.call('line.create', { home: at, name: 'Hall' });
    expect((await cloud.call('presence.get', { home: at })).lines).toMatchObject([{ id: line.id, registered: false }]);
    await cloud.phone(line);
    expect(await cloud.call('presence.get', { home: at })).toMatchObject({
      home: at,
      lines: [{ id: line.id, name: 'Hall', registered: true }],
      gateways: [],
      devices: [],
    });
  });

  test('a quality session is available, is extended, runs out, and says so', async () => {
    const { cursor } = await cloud.call('event.list', {}, ada);
    const made = await cloud.call('qos.session.create', { home, profile: 'video', duration: 60 }, ada);
    expect(made).toMatchObject({ state: 'AVAILABLE', kbits: 800, duration: 60 });
    expect((made.expiresAt ?? 0) - (made.startedAt ?? 0)).toBe(60_000);
    const extended = await cloud.call('qos.session.extend', { qos: made.id, seconds: 30 }, ada);
    expect((extended.expiresAt ?? 0) - (made.expiresAt ?? 0)).toBe(30_000);
    const given = (await cloud.call('qos.profile.list', { home }, ada)).items.find((one) => one.name === 'voice');
    expect(given).toMatchObject({ freeKbits: 200, sessionsNow: 2 });
    const refused = await cloud.call('qos.session.create', { home, profile: 'streaming', duration: 60 }, ada);
    expect(refused).toMatchObject({ state: 'UNAVAILABLE', statusInfo: 'NETWORK_TERMINATED' });
    expect(refused.why).toContain('800 of 1000 kbit/s');
    await cloud.world.run(70_000);
    expect((await cloud.call('qos.session.get', { qos: made.id }, ada)).state).toBe('AVAILABLE');
    await cloud.world.run(25_000);
    const over = await cloud.call('qos.session.get', { qos: made.id }, ada);
    expect(over).toMatchObject({ state: 'UNAVAILABLE', statusInfo: 'DURATION_EXPIRED' });
    const again = await cloud.ask({
      method: 'POST',
      url: `/v1/qos/sessions/${made.id}/extend`,
      body: { seconds: 1 },
      token: ada,
    });
    expect(notProblem(again, 'conflict')).toBeUndefined();
    const second = await cloud.call('qos.session.create', { home, profile: 'video', duration: 60 }, ada);
    await cloud.call('qos.session.delete', { qos: second.id }, ada);
    expect((await cloud.ask({ url: `/v1/qos/sessions/${second.id}`, token: ada })).status).toBe(404);
    const events = (await cloud.call('event.list', { after: cursor, types: ['home.qos.*'] }, ada)).items;
    const told = events.map(({ data }) => [
      (data as { state: string }).state,
      (data as { statusInfo?: string }).statusInfo,
    ]);
    expect(told).toEqual([
      ['AVAILABLE', undefined],
      ['UNAVAILABLE', 'NETWORK_TERMINATED'],
      ['UNAVAILABLE', 'DURATION_EXPIRED'],
      ['AVAILABLE', undefined],
      ['UNAVAILABLE', 'DELETE_REQUESTED'],
    ]);
  });

  test('a quality session holds its place after its server was started again', async () => {
    const at = (await cloud.call('home.create', { name: 'Yew' })).id;
    await cloud.call('qos.session.create', { home: at, profile: 'video', duration: 3600 });
    await cloud.call('farm.stop', { server: 'qos' });
    await cloud.call('farm.start', { server: 'qos' });
    const [voice] = (await cloud.call('qos.profile.list', { home: at })).items;
    expect(voice?.freeKbits).toBe(200);
  });
});
