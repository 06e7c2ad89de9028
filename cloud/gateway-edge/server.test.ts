/** The edge as a whole on the virtual world: real TLS identities, real MQTT clients, real bus and store. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MqttTarget } from '#shared/host/mqtt.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Answers, type Credentials, makeCloud, type VirtualCloud } from '#test/support/edge.ts';
import { Gateway } from '#test/support/mqtt-gateway.ts';
import { APPLICANTS_BURST } from './admission.ts';
import { COMMANDS_LIMIT } from './commands.ts';
import { BODY_LIMIT } from './exchange.ts';

let cloud: VirtualCloud;
let answers: { -readonly [V in keyof Answers]: Answers[V] };
const part = { principal: { kind: 'part', part: 'oamp' } } as const;

beforeEach(async () => {
  answers = {};
  cloud = await makeCloud(1, answers);
});
afterEach(async () => {
  await cloud.edge.stop();
  cloud.virtual[Symbol.dispose]();
});

const gateway = async (id = 'gw_1') => (await new Gateway(cloud, await cloud.gateway(id)).open()).greet();
const alarm = (cause: string) => ({ cause, severity: 'minor', text: 'x' });
const asked = (verb: string) => cloud.asked.filter((a) => a.verb === verb);
const present = async () => {
  const list = await cloud.virtual.settle(cloud.bus.request('presence.list', {}, part));
  return list.ok ? list.value.items.map(({ gateway: id, epoch }) => `${id} ${epoch}`) : list;
};
const command = (body: VerbRequest<'gateway.command'>) =>
  cloud.virtual.settle(cloud.bus.request('gateway.command', body, part, 60_000));
const SCAN = { gateway: 'gw_1', verb: 'inventory.scan', body: {} };

describe('a connection is refused', () => {
  const table: [string, () => Promise<[Credentials, Partial<MqttTarget>]>][] = [
    [
      'without a certificate',
      async () => {
        const made = await cloud.gateway('gw_1');
        const { ca = '' } = cloud.target(made).tls;
        return [made, { tls: { ca } }];
      },
    ],
    [
      'to a gateway under another’s client id',
      async () => {
        await cloud.gateway('gw_2');
        return [await cloud.gateway('gw_1'), { clientId: 'gw_2', filter: 'hl/1/d/gw_2/#' }];
      },
    ],
    [
      'to an applicant under a gateway’s client id',
      async () => {
        await cloud.gateway('gw_1');
        return [await cloud.applicant(), { clientId: 'gw_1', filter: 'hl/1/d/gw_1/#' }];
      },
    ],
    [
      'to a gateway whose certificate was replaced twice',
      async () => {
        const old = await cloud.gateway('gw_1');
        await cloud.gateway('gw_1');
        await cloud.gateway('gw_1');
        return [old, {}];
      },
    ],
    [
      'to a gateway that was removed',
      async () => {
        const made = await cloud.gateway('gw_1');
        await cloud.store.commit([{ sql: 'DELETE FROM gateway', params: [] }]);
        return [made, {}];
      },
    ],
    ['that subscribes to another gateway', async () => [await cloud.gateway('gw_1'), { filter: 'hl/1/d/gw_2/#' }]],
    ['that subscribes to everything', async () => [await cloud.gateway('gw_1'), { filter: '#' }]],
    [
      'that subscribes in a shared group',
      async () => [await cloud.gateway('gw_1'), { filter: '$share/g/hl/1/d/gw_1/#' }],
    ],
    ['that subscribes to the broker’s own topics', async () => [await cloud.gateway('gw_1'), { filter: '$SYS/#' }]],
    ['without keep-alive', async () => [await cloud.gateway('gw_1'), { keepalive: 0 }]],
    ['with a keep-alive of ten minutes', async () => [await cloud.gateway('gw_1'), { keepalive: 600 }]],
  ];
  test.each(table)('%s', async (_name, make) => {
    const [made, more] = await make();
    await expect(new Gateway(cloud, made).open(more)).rejects.toThrow();
    expect(await present()).toEqual([]);
  });

  test('to unpaired gateways that come too fast from one address', async () => {
    const all = await Promise.all(Array.from({ length: APPLICANTS_BURST + 5 }, () => cloud.applicant()));
    const opened = await Promise.allSettled(all.map((made) => new Gateway(cloud, made).open()));
    expect(opened.filter(({ status }) => status === 'rejected')).toHaveLength(5);
  });
});

describe('a gateway', () => {
  test('is present from its hello on, and absent once it is gone; oamp and the bus are told', async () => {
    const events: unknown[] = [];
    cloud.bus.subscribe('gateway.presence', ({ online, epoch }) => events.push([online, epoch]));
    const gw = await new Gateway(cloud, await cloud.gateway('gw_1')).open();
    expect(await present()).toEqual([]);
    await gw.greet();
    expect(await present()).toEqual(['gw_1 1']);
    gw.connection?.close();
    await cloud.virtual.run(100);
    expect(await present()).toEqual([]);
    const serial = (await cloud.world.crypto.readCertificate(gw.made.certificate))?.serial;
    expect(asked('gateway.seen').map(({ body }) => body)).toEqual([
      { gateway: 'gw_1', online: true, epoch: 1, certificateSerial: serial },
      { gateway: 'gw_1', online: false, epoch: 1, why: expect.any(String) },
    ]);
    expect(events).toEqual([
      [true, 1],
      [false, 1],
    ]);
  });

  test('that vanishes without a word is absent after one and a half keep-alives', async () => {
    await gateway();
    cloud.virtual.network.drop(`home 10.0.1.1`, true);
    await cloud.virtual.run(43_000);
    expect(await present()).toEqual(['gw_1 1']);
    await cloud.virtual.run(3000);
    expect(await present()).toEqual([]);
  });

  test('that connects again takes over; the old connection’s end does not end the new lease', async () => {
    const first = await gateway();
    const second = await (await new Gateway(cloud, first.made).open({}, '10.0.1.2')).greet();
    expect(first.ends).toHaveLength(1);
    expect(second.ends).toEqual([]);
    expect(await present()).toEqual(['gw_1 2']);
    await cloud.virtual.run(10_000);
    expect(asked('gateway.seen').map(({ body }) => body as object)).toMatchObject([
      { online: true, epoch: 1 },
      { online: false, epoch: 1, why: expect.any(String) },
      { online: true, epoch: 2 },
    ]);
  });

  test('cannot be put out by another one that takes its name', async () => {
    const first = await gateway();
    await expect(new Gateway(cloud, await cloud.gateway('gw_2')).open({ clientId: 'gw_1' })).rejects.toThrow();
    await cloud.virtual.run(1000);
    expect(first.ends).toEqual([]);
    expect(await present()).toEqual(['gw_1 1']);
  });

  test('is cut off by gateway.disconnect', async () => {
    const gw = await gateway();
    await cloud.virtual.settle(cloud.bus.request('gateway.disconnect', { gateway: 'gw_1', reason: 'unpaired' }, part));
    await cloud.virtual.run(100);
    expect(gw.ends).toHaveLength(1);
    expect(await present()).toEqual([]);
  });

  test('that publishes to another’s topic is closed', async () => {
    const gw = await gateway();
    gw.connection?.publish('hl/1/g/gw_2/event', Buffer.from('{}'));
    await cloud.virtual.run(100);
    expect(gw.ends).toHaveLength(1);
  });

  test('is told when a part that its request needs is stopped, and stays', async () => {
    const gw = await gateway();
    gw.say('req', 'media.list', {});
    await cloud.virtual.run(100);
    expect(gw.got.at(-1)).toMatchObject({ re: 'i2', fault: { code: 'server_unavailable', server: 'media' } });
    expect(gw.ends).toEqual([]);
  });

  test('has its presence told to oamp as soon as oamp is back, the latest state only', async () => {
    const gw = await gateway();
    const back = cloud.stopOamp();
    gw.connection?.close();
    await cloud.virtual.run(12_000);
    back();
    await cloud.virtual.run(6000);
    expect(asked('gateway.seen').at(-1)?.body).toEqual({
      gateway: 'gw_1',
      online: false,
      epoch: 1,
      why: expect.any(String),
    });
  });
});

describe('an event', () => {
  test('comes with the identity of the channel and the envelope’s id as its key', async () => {
    const gw = await gateway();
    gw.say('event', 'alarm.raise', { ...alarm('a'), gateway: 'gw_9' });
    await cloud.virtual.run(100);
    expect(asked('alarm.raise')[0]?.context).toMatchObject({
      principal: { kind: 'gateway', gateway: 'gw_1', home: 'home_1' },
      idempotency: { scope: 'gw:gw_1', key: 'i2', bodyHash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(gw.got.at(-1)).toMatchObject({ re: 'i2', type: 'alarm.raise', body: {}, epoch: 1 });
  });

  test('is answered only after its handler is done; the same id meanwhile runs once', async () => {
    let finish = () => {};
    answers['alarm.raise'] = () =>
      new Promise((resolve) => {
        finish = () => resolve(ok({}));
      });
    const gw = await gateway();
    for (let i = 0; i < 3; i++) gw.say('event', 'alarm.raise', alarm('a'), { id: 'same' });
    await cloud.virtual.run(3000);
    expect(asked('alarm.raise')).toHaveLength(1);
    expect(gw.got.filter(({ re }) => re === 'same')).toHaveLength(0);
    finish();
    await cloud.virtual.run(100);
    expect(asked('alarm.raise')).toHaveLength(1);
    expect(gw.got.filter(({ re }) => re === 'same')).toHaveLength(1);
  });

  test('waits for the one before it, a request does not', async () => {
    const order: string[] = [];
    answers['alarm.raise'] = async ({ cause }) => {
      order.push(`begin ${cause}`);
      await new Promise<void>((resolve) => void cloud.world.clock.at(cloud.world.clock.mono() + 500, resolve));
      order.push(`end ${cause}`);
      return ok({});
    };
    const gw = await gateway();
    for (const cause of ['a', 'b']) gw.say('event', 'alarm.raise', alarm(cause));
    gw.say('req', 'media.list', {});
    await cloud.virtual.run(2000);
    expect(order).toEqual(['begin a', 'end a', 'begin b', 'end b']);
    expect(gw.got.map(({ re }) => re)).toEqual(['i1', 'i4', 'i2', 'i3']);
  });

  test('beyond 16 under way is not even read; nothing is lost', async () => {
    let open = 0;
    let most = 0;
    cloud.bus.serve('media', {
      'media.list': async () => {
        most = Math.max(most, ++open);
        await new Promise<void>((resolve) => void cloud.world.clock.at(cloud.world.clock.mono() + 200, resolve));
        open--;
        return ok({ items: [] });
      },
    } as never);
    const gw = await gateway();
    for (let i = 0; i < 60; i++) gw.say('req', 'media.list', {});
    await cloud.virtual.run(5000);
    expect(most).toBe(16);
    expect(gw.got.filter(({ type, body }) => type === 'media.list' && body !== undefined)).toHaveLength(60);
  });
});

describe('a command', () => {
  test('to a gateway that is absent or not yet greeted is gateway_offline', async () => {
    expect(await command(SCAN)).toEqual(err(fault('gateway_offline')));
    await new Gateway(cloud, await cloud.gateway('gw_1')).open();
    expect(await command(SCAN)).toEqual(err(fault('gateway_offline')));
  });

  test('that is none, or with a wrong body, is refused before it is sent', async () => {
    const gw = await gateway();
    for (const verb of ['home.create', 'nothing', '__proto__', 'media.play']) {
      expect(await command({ ...SCAN, verb })).toMatchObject({ ok: false, fault: { code: 'bad_request' } });
    }
    expect(await command({ ...SCAN, verb: 'device.wake.local', body: { mac: 'x' } })).toMatchObject({ ok: false });
    expect(gw.got).toHaveLength(1);
  });

  test('is answered by this gateway alone, once', async () => {
    const gw = await gateway();
    const other = await gateway('gw_2');
    const outcome = command(SCAN);
    await Promise.resolve();
    const sent = () => gw.got.find(({ type }) => type === 'inventory.scan');
    const timer = setInterval(() => {
      const id = sent()?.id;
      if (id === undefined) return;
      clearInterval(timer);
      other.say('res', 'answer', { devices: 99 }, { re: id });
      setTimeout(() => gw.say('res', 'answer', { devices: 3 }, { re: id }), 50);
      setTimeout(() => gw.say('res', 'answer', { devices: 4 }, { re: id }), 60);
    }, 1);
    expect(await outcome).toEqual(ok({ body: { devices: 3 } }));
    expect(sent()).toMatchObject({ epoch: 1, exp: expect.any(Number), body: {} });
  });

  test('whose answer is not of the verb’s form is gateway_refused', async () => {
    const gw = await gateway();
    const timer = setInterval(() => {
      const id = gw.got.find(({ type }) => type === 'inventory.scan')?.id;
      if (id === undefined) return;
      clearInterval(timer);
      gw.say('res', 'answer', { devices: 'many' }, { re: id });
    }, 1);
    expect(await command(SCAN)).toMatchObject({ ok: false, fault: { code: 'gateway_refused' } });
  });

  test('without an answer times out; with the connection’s end it is gateway_offline', async () => {
    const gw = await gateway();
    expect(await command({ ...SCAN, timeout: 500 })).toMatchObject({ ok: false, fault: { code: 'timeout' } });
    setTimeout(() => gw.connection?.close(), 200);
    expect(await command({ ...SCAN, timeout: 60_000 })).toEqual(err(fault('gateway_offline')));
  });
});

describe('what is too much', () => {
  test('a 65th command that waits for one gateway is rate_limited', async () => {
    await gateway();
    const all = Array.from({ length: COMMANDS_LIMIT + 1 }, () =>
      cloud.bus.request('gateway.command', { ...SCAN, timeout: 1000 }, part),
    );
    const outcomes = await cloud.virtual.settle(Promise.all(all));
    const codes = outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.fault.code));
    expect(codes.filter((code) => code === 'timeout')).toHaveLength(COMMANDS_LIMIT);
    expect(codes.at(-1)).toBe('rate_limited');
    expect(await command({ ...SCAN, timeout: 100 })).toMatchObject({ fault: { code: 'timeout' } });
  });

  test('a document that no packet can carry is refused, one that just fits arrives', async () => {
    const gw = await gateway();
    const desire = (filler: number) => {
      const body = 'x'.repeat(filler - 2);
      const document = { gateway: 'gw_1', doc: 'system', version: 1, body };
      return cloud.virtual.settle(cloud.bus.request('gateway.desire', document, part));
    };
    expect(await desire(BODY_LIMIT)).toEqual(ok({ sent: true }));
    expect(await desire(BODY_LIMIT + 1)).toMatchObject({ ok: false, fault: { code: 'too_large' } });
    await cloud.virtual.run(1000);
    expect(gw.got.filter(({ type }) => type === 'desired')).toHaveLength(1);
    expect(gw.ends).toEqual([]);
  });

  test('an answer that no packet can carry becomes too_large', async () => {
    const list = { 'media.list': async () => ok({ items: [{ id: 'x'.repeat(70_000) }] }) };
    cloud.bus.serve('media', list as never);
    const gw = await gateway();
    gw.say('req', 'media.list', {});
    await cloud.virtual.run(100);
    expect(gw.got.at(-1)).toMatchObject({ re: 'i2', fault: { code: 'too_large' } });
    expect(gw.got.at(-1)?.body).toBeUndefined();
  });
});

test('a gateway that cannot be looked up is refused, and the edge goes on', async () => {
  const made = await cloud.gateway('gw_1');
  await cloud.store.close();
  await expect(new Gateway(cloud, made).open()).rejects.toThrow();
  await new Gateway(cloud, await cloud.applicant()).open();
});

test('after stop nothing listens and every gateway is told about as absent', async () => {
  const gw = await gateway();
  await cloud.virtual.settle(cloud.edge.stop());
  await cloud.virtual.run(100);
  expect(gw.ends).toHaveLength(1);
  expect(asked('gateway.seen').at(-1)?.body).toMatchObject({ online: false });
  await expect(new Gateway(cloud, gw.made).open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});
