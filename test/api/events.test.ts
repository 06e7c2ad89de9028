/** A session's events as they are sent: in order, resumable, live, and ended with the session. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { type Ask, notProblem, OPERATOR_TOKEN, TestCloud } from './fixture.ts';

let cloud: TestCloud;
let a: string;
let b: string;
let phones: Phone[];

beforeAll(async () => {
  cloud = await TestCloud.start();
  const home = (await cloud.call('home.create', { name: 'Elm' })).id;
  const lines = [await cloud.call('line.create', { home }), await cloud.call('line.create', { home })];
  phones = [];
  for (const line of lines) phones.push(await cloud.phone(line));
  [a, b] = lines.map((line) => line.id) as [string, string];
});
afterAll(() => cloud.stop());

interface Sent {
  readonly id: number;
  readonly data: { readonly seq: number; readonly type: string; readonly session: string };
}

/** The events in a stream's text. */
function read(text: string): Sent[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id: '))
    .map((block) => {
      const [id = '', data = ''] = block.split('\n');
      return { id: Number(id.slice(4)), data: JSON.parse(data.slice(6)) as Sent['data'] };
    });
}

const path = (session: string) => `/v1/sessions/${session}/events`;
const wholeStream = async (ask: Ask) => {
  const got = await cloud.ask(ask);
  return { ...got, events: read(got.text) };
};

/** Opens a stream and collects what comes, until it ends. */
function open(url: string, token = OPERATOR_TOKEN) {
  const stream = { text: '', ended: false };
  void cloud.app
    .inject({ url, headers: { authorization: `Bearer ${token}` }, payloadAsStream: true })
    .then(async (reply) => {
      for await (const chunk of reply.stream()) stream.text += String(chunk);
      stream.ended = true;
    });
  return stream;
}

async function endedCall(): Promise<string> {
  const { id } = await cloud.call('call.create', { from: a, to: b });
  await cloud.world.run(3000);
  await cloud.call('session.end', { session: id });
  await cloud.world.run(3000);
  expect((await cloud.call('session.get', { session: id })).state).toBe('ended');
  return id;
}

describe('GET /v1/sessions/{session}/events', () => {
  test('of an ended session: everything in order, then the end', async () => {
    const session = await endedCall();
    const got = await wholeStream({ url: path(session) });
    expect(got.headers['content-type']).toBe('text/event-stream');
    expect(got.events.length).toBeGreaterThan(4);
    expect(got.events.map((event) => event.id)).toEqual(got.events.map((_event, i) => i + 1));
    for (const { id, data } of got.events) expect(data).toMatchObject({ seq: id, session });
    expect(got.events.at(-1)?.data.type).toBe('ended');
  });

  test('Last-Event-ID goes on behind it, as does `after`', async () => {
    const session = await endedCall();
    const all = (await wholeStream({ url: path(session) })).events;
    const resumed = await wholeStream({ url: path(session), headers: { 'last-event-id': '2' } });
    expect(resumed.events).toEqual(all.slice(2));
    expect((await wholeStream({ url: `${path(session)}?after=3` })).events).toEqual(all.slice(3));
  });

  test('nothing left of an ended session: 204, so that an EventSource stays away', async () => {
    const session = await endedCall();
    const got = await cloud.ask({ url: path(session), headers: { 'last-event-id': '9999' } });
    expect([got.status, got.text]).toEqual([204, '']);
  });

  test('live: comes as it happens, keeps a silent stream open, ends with the session', async () => {
    const { id } = await cloud.call('call.create', { from: a, to: b });
    const stream = open(path(id));
    await cloud.world.run(3000);
    const types = read(stream.text).map((event) => event.data.type);
    expect(types[0]).toBe('created');
    expect(types.filter((type) => type === 'answered').length).toBeGreaterThan(0);
    expect(stream.text).not.toContain(': still here');
    await cloud.world.run(31_000);
    expect(stream.text.match(/: still here/g)).toHaveLength(2);
    phones[0]?.calls.at(-1)?.hangup();
    await cloud.world.until(() => stream.ended, 10_000, 'the end of the stream');
    const events = read(stream.text);
    expect(events.map((event) => event.id)).toEqual(events.map((_event, i) => i + 1));
    expect(events.at(-1)?.data.type).toBe('ended');
  });

  test('another home’s session does not exist', async () => {
    const session = await endedCall();
    const token = await cloud.subscriber('eve', [(await cloud.call('home.create', { name: 'Oak' })).id]);
    expect(notProblem(await cloud.ask({ url: path(session), token }), 'not_found')).toBeUndefined();
    expect(notProblem(await cloud.ask({ url: path('ses_none') }), 'not_found')).toBeUndefined();
  });

  test('ends when the credential ends', async () => {
    const { home } = (await cloud.call('line.list', { home: (await cloud.call('home.list', {})).items[0]?.id ?? '' }))
      .items[0] ?? { home: '' };
    const token = await cloud.subscriber('bob', [home]);
    const { id } = await cloud.call('call.create', { from: a, to: b });
    const stream = open(path(id), token);
    await cloud.world.run(3000);
    expect([stream.text.includes('id: 1\n'), stream.ended]).toEqual([true, false]);
    await cloud.ask({ method: 'POST', url: '/v1/sign-out', token });
    await cloud.world.run(15_000);
    expect(stream.ended).toBe(true);
    await cloud.call('session.end', { session: id });
  });

  test('32 streams of one credential, the next is refused; closing one makes room', async () => {
    const { id } = await cloud.call('call.create', { from: a, to: b });
    await cloud.world.run(2000);
    const streams = Array.from({ length: 32 }, () => open(path(id)));
    await cloud.world.run(100);
    expect(streams.every((stream) => stream.text.includes('id: 1\n'))).toBe(true);
    expect(notProblem(await cloud.ask({ url: path(id) }), 'rate_limited')).toBeUndefined();
    await cloud.call('session.end', { session: id });
    await cloud.world.until(() => streams.every((stream) => stream.ended), 10_000, 'the end of the streams');
    await cloud.world.run(100);
    expect((await cloud.ask({ url: path(id) })).status).toBe(200);
  });
});
