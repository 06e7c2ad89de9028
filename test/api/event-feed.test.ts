/** Events of a home: the same octets as a page, as server-sent events and by webhook; signed, retried, in order. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventRow, type PlatformEvent } from '#cloud/store/event-log.ts';
import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import type { HttpReply } from '#shared/kernel/world.ts';
import { notProblem, OPERATOR_TOKEN, TestCloud } from './fixture.ts';

interface Posted {
  readonly id: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly body: string;
}

let cloud: TestCloud;
let home: string;
let other: string;
let ada: string;
const posted: Posted[] = [];
let answer: (one: Posted) => number | Promise<number>;
const AT = '10.0.9.9:8000';

beforeAll(async () => {
  cloud = await TestCloud.start();
  home = (await cloud.call('home.create', { name: 'Elm' })).id;
  other = (await cloud.call('home.create', { name: 'Oak' })).id;
  ada = await cloud.subscriber('ada', [home]);
  cloud.world.host('receiver', ['10.0.9.9']);
  cloud.world.serveHttp('receiver', AT, async ({ headers = {}, body = '' }): Promise<HttpReply> => {
    const one = {
      id: headers['webhook-id'] ?? '',
      signature: headers['webhook-signature'] ?? '',
      timestamp: headers['webhook-timestamp'] ?? '',
      body,
    };
    const status = await answer(one);
    posted.push(one);
    return { status, headers: {}, body: '' };
  });
});
afterAll(() => cloud.stop());

/** A fact as a server of the farm would write it. */
async function happen(event: Partial<PlatformEvent> & { readonly subject: string }): Promise<void> {
  const row = eventRow(cloud.cloud.context.world, { type: 'home.thing.v1.happened', home, data: {}, ...event });
  await cloud.store.commit([row]);
  cloud.cloud.bus.publish('event.appended', {});
}

const hook = (more: object = {}) => cloud.call('webhook.create', { home, url: `http://${AT}/hook`, ...more });

function open(url: string, token = OPERATOR_TOKEN, headers: Record<string, string> = {}) {
  const stream = { text: '', ended: false };
  const all = { authorization: `Bearer ${token}`, accept: 'text/event-stream', ...headers };
  void cloud.app.inject({ url, headers: all, payloadAsStream: true }).then(async (reply) => {
    for await (const chunk of reply.stream()) stream.text += String(chunk);
    stream.ended = true;
  });
  return stream;
}
const dataOf = (text: string) => text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [line.slice(6)] : []));
const idsOf = (text: string) => text.split('\n').flatMap((line) => (line.startsWith('id: ') ? [line.slice(4)] : []));

describe('events', () => {
  test('are the same octets as a page, on a stream and by webhook, signed with the secret', async () => {
    posted.length = 0;
    answer = () => 204;
    const made = await hook({ types: ['home.update.*'] });
    const { cursor } = await cloud.call('event.list', {}, ada);
    const stream = open('/v1/events', ada);
    await cloud.world.run(10);
    await happen({ type: 'home.update.v1.good', subject: 'thing_1', data: { n: 1, text: 'é' } });
    await cloud.world.run(200);
    const [one] = posted;
    expect(dataOf(stream.text)).toEqual([one?.body]);
    const page = await cloud.ask({ url: `/v1/events?after=${cursor}`, token: ada });
    expect(page.text).toContain(one?.body);
    expect(JSON.parse(one?.body ?? '')).toMatchObject({
      specversion: '1.0',
      type: 'home.update.v1.good',
      source: '/v1',
      subject: 'thing_1',
      home,
      data: { n: 1, text: 'é' },
    });
    const key = fromBase64(made.secret?.slice('whsec_'.length) ?? '') ?? new Uint8Array();
    const signed = utf8(`${one?.id}.${one?.timestamp}.${one?.body}`);
    expect(one?.signature).toBe(`v1,${toBase64(cloud.cloud.context.world.crypto.hmac('sha256', key, signed))}`);
    expect(one?.id).toBe(JSON.parse(one?.body ?? '').id);
    await cloud.call('webhook.delete', { webhook: made.id });
  });

  test('of another home, and of types not asked for, are not heard', async () => {
    const mine = open(`/v1/events?home=${home}&types=home.thing.*`, ada);
    const all = open('/v1/events');
    await cloud.world.run(10);
    await happen({ subject: 'a' });
    await happen({ subject: 'b', home: other });
    await happen({ subject: 'c', type: 'home.else.v1.happened' });
    await cloud.world.run(100);
    expect(dataOf(mine.text).map((text) => JSON.parse(text).subject)).toEqual(['a']);
    expect(dataOf(all.text).map((text) => JSON.parse(text).subject)).toEqual(['a', 'b', 'c']);
    expect(notProblem(await cloud.ask({ url: `/v1/events?home=${other}`, token: ada }), 'not_found')).toBeUndefined();
  });

  test('go on behind Last-Event-ID, without gap and without repetition', async () => {
    const first = open('/v1/events', ada);
    await cloud.world.run(10);
    for (const n of [1, 2, 3]) await happen({ subject: `r${n}` });
    await cloud.world.run(100);
    const ids = idsOf(first.text);
    const second = open('/v1/events', ada, { 'last-event-id': ids[ids.length - 2] ?? '' });
    await cloud.world.run(100);
    expect(dataOf(second.text).map((text) => JSON.parse(text).subject)).toEqual(['r3']);
  });

  test('a session’s come from its journal, in order, and name no other home', async () => {
    const lines = [
      await cloud.call('line.create', { home }),
      await cloud.call('line.create', { home: other }),
    ] as const;
    for (const line of lines) await cloud.phone(line);
    const stream = open('/v1/events', ada);
    await cloud.world.run(10);
    const { id } = await cloud.call('call.create', { from: lines[0].id, to: lines[1].id });
    await cloud.world.run(3000);
    await cloud.call('session.end', { session: id });
    await cloud.world.run(3000);
    const events = dataOf(stream.text).map((text) => JSON.parse(text));
    const own = events.filter((event) => event.session === id && event.sequence !== undefined);
    expect(own.map((event) => Number(event.sequence))).toEqual(own.map((_event, i) => i + 1));
    expect(own[0]).toMatchObject({ type: 'home.session.v1.created', id: `${id}.1` });
    expect(own.at(-1)).toMatchObject({ type: 'home.session.v1.ended' });
    expect(stream.text).not.toContain(other);
  });
});

describe('webhooks', () => {
  test('a test event goes to its webhook alone, and shows among its deliveries', async () => {
    posted.length = 0;
    answer = () => 200;
    const { id } = await hook();
    await hook();
    const made = await cloud.call('webhook.test', { webhook: id });
    await cloud.world.run(500);
    expect(posted.map((one) => JSON.parse(one.body).type)).toEqual(['home.webhook.v1.test']);
    expect((await cloud.call('delivery.list', { webhook: id })).items).toMatchObject([
      { id: made.id, state: 'delivered' },
    ]);
  });

  test.each([
    ['http', 'http://example.org/hook'],
    ['a private address', 'https://192.168.1.1/hook'],
    ['a mapped address', 'https://[::ffff:10.0.0.1]/hook'],
    ['loopback', 'https://localhost/hook'],
    ['a name and password', 'https://me:secret@example.org/'],
    ['no URL', 'https://'],
    ['a fragment', 'https://example.org/#x'],
  ])('of a subscriber cannot go to %s', async (_name, url) => {
    const got = await cloud.ask({ method: 'POST', url: '/v1/webhooks', token: ada, body: { home, url } });
    expect(notProblem(got, 'bad_request')).toBeUndefined();
    expect(got.body.pointer).toBe('/url');
  });

  test('a name that stands for a private address is refused when it is used', async () => {
    const made = await cloud.call('webhook.create', { home, url: 'https://inside.example/hook' }, ada);
    cloud.world.serveHttp('receiver', 'inside.example:443', () => Promise.reject(new Error('must not be asked')));
    await happen({ subject: 'x' });
    await cloud.world.run(500);
    const list = (await cloud.call('delivery.list', { webhook: made.id }, ada)).items;
    expect(list[0]?.error).toContain('EACCES');
    await cloud.call('webhook.delete', { webhook: made.id }, ada);
  });

  test('at most 20 for one home', async () => {
    const made = [];
    for (;;) {
      const got = await cloud.ask({ method: 'POST', url: '/v1/webhooks', body: { home: other, url: `http://${AT}/` } });
      if (got.status !== 201) {
        expect(notProblem(got, 'limit_reached')).toBeUndefined();
        break;
      }
      made.push(got.body.id);
    }
    expect(made).toHaveLength(20);
  });
});
