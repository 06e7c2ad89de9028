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
  test('messages and groups', async () => {
    const home = String((await check('home.create', { name: 'Oak Street 2' })).body.id);
    const [from, to] = [await cloud.call('line.create', { home }), await cloud.call('line.create', { home })];
    const sent = await check('message.send', {
      from: from.id,
      to: to.number,
      text: 'Dinner is ready.',
      receipts: true,
    });
    const message = String(sent.body.id);
    await check('message.send', { from: from.id, to: '+15559999999', text: 'x' });
    await check('message.list', { home, line: to.id });
    await check('message.get', { message });
    await check('message.read', { message });
    const group = String(
      (await check('group.create', { home, name: 'Family', members: [from.id, to.number] })).body.id,
    );
    await check('group.list', { home });
    await check('group.get', { group });
    await check('group.update', { group, name: 'All' });
    await check('message.send', { from: from.id, group, text: 'x', expiresIn: 60_000 });
    await check('group.delete', { group });
    await check('message.delete', { message });
    await check('message.get', { message });
  });

  test('a walk through events, webhooks, keys, applications and consents', async () => {
    const home = String((await check('home.create', { name: 'Ash Lane 3' })).body.id);
    const token = await cloud.subscriber('eve', [home]);
    await cloud.subscriber('tim', [], 'technician');
    await check('event.list', {});
    const webhook = String((await check('webhook.create', { home, url: 'https://example.org/x' }, { token })).body.id);
    await check('webhook.create', { home, url: 'http://example.org/x' }, { token });
    await check('webhook.list', {});
    await check('webhook.get', { webhook });
    await check('webhook.update', { webhook, state: 'paused', about: 'x', types: ['home.*'] });
    const delivery = String((await check('webhook.test', { webhook })).body.id);
    await check('delivery.list', { webhook, state: 'pending' });
    await check('delivery.replay', { webhook, delivery });
    await check('webhook.delete', { webhook });
    await check('webhook.get', { webhook });
    const key = String((await check('key.create', { name: 'k', scopes: ['homes:read'] }, { token })).body.id);
    await check('key.list', {}, { token });
    await check('key.revoke', { key }, { token });
    const registered = { name: 'c', scopes: ['homes:read'], redirects: ['https://example.org/'], confidential: true };
    const client = String((await check('client.create', registered, { token })).body.id);
    await check('client.list', {}, { token });
    await check('client.delete', { client }, { token });
    await check('consent.technician.grant', { home, account: 'tim', minutes: 5 }, { token });
    const { body } = await check('consent.list', {}, { token });
    const [given] = body.items as { id: string }[];
    await check('consent.revoke', { consent: given?.id ?? '' }, { token });
    await check('consent.revoke', { consent: 'con_none' }, { token });
  });

  test('a walk through presence, quality, alarms and audit', async () => {
    const home = String((await check('home.create', { name: 'Yew Lane 4' })).body.id);
    await check('line.create', { home, name: 'Hall' });
    await check('presence.get', { home });
    await check('qos.profile.list', { home });
    const qos = String((await check('qos.session.create', { home, profile: 'video', duration: 60 })).body.id);
    await check('qos.session.create', { home, profile: 'video', duration: 60 });
    await check('qos.session.list', { home });
    await check('qos.session.get', { qos });
    await check('qos.session.extend', { qos, seconds: 5 });
    await check('qos.session.delete', { qos });
    await check('qos.session.get', { qos });
    await check('farm.stop', { server: 'conference' });
    await cloud.world.run(100);
    const alarm = String(((await check('alarm.list', { open: true })).body.items as { id: string }[])[0]?.id);
    await check('alarm.get', { alarm });
    await check('alarm.acknowledge', { alarm });
    await check('alarm.close', { alarm });
    await check('farm.start', { server: 'conference' });
    await check('audit.check', {});
  });

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

  test('a walk through mail', async () => {
    const home = (await cloud.call('home.create', { name: 'Mail' })).id;
    const mailbox = String((await check('mailbox.create', { home, address: 'contract' })).body.id);
    await check('mailbox.create', { home, address: 'contract' });
    await check('mailbox.list', { home });
    await check('mailbox.get', { mailbox });
    await check('mailbox.set', { mailbox, notices: false });
    await check('mailbox.password', { mailbox });
    const file = { name: 'a.txt', type: 'text/plain', content: 'YQ==' };
    const letter = { mailbox, subject: 'Hi', text: 'there', html: '<b>there</b>', attachments: [file] };
    const mail = String((await check('mail.send', { ...letter, to: ['contract@hearthline'] })).body.id);
    await check('mail.send', { ...letter, to: ['nobody@hearthline'] });
    await check('mail.send', { ...letter, to: ['a@other.example'] });
    await check('mail.list', { mailbox, folder: 'inbox', unseen: true });
    await check('mail.get', { mail });
    await check('mail.attachment', { mail, attachment: 'att_1' });
    await check('mail.attachment', { mail, attachment: 'att_2' });
    await check('mail.mark', { mail, seen: false });
    await check('mail.delete', { mail });
    await check('mail.get', { mail });
    await check('mail.queue.list', {});
    await check('mail.queue.retry', { domain: 'other.example' });
    await check('mail.domain', {});
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
