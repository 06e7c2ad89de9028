import { afterEach, describe, expect, test } from 'vitest';
import { openMqtt } from '#shared/host/mqtt.ts';
import { type Cloud, makeCloud } from './fixture.ts';

let cloud: Cloud | undefined;
afterEach(async () => {
  await cloud?.edge.stop();
  cloud?.virtual[Symbol.dispose]();
  cloud = undefined;
});

const open = async (
  c: Cloud,
  ...[target, handlers]: [Parameters<typeof openMqtt>[1], Partial<Parameters<typeof openMqtt>[2]>?]
) => {
  const host = c.virtual.host(target.clientId, ['10.0.1.2']);
  return c.virtual.settle(openMqtt(host, target, { message() {}, closed() {}, ...handlers }));
};

describe('who may connect', () => {
  test('a gateway that the directory knows', async () => {
    cloud = await makeCloud(1);
    const gw = await cloud.gateway('gw_1');
    const messages: string[] = [];
    const connection = await open(cloud, cloud.target(gw), {
      message: (topic, payload) => messages.push(topic + Buffer.from(payload)),
    });
    connection.publish(
      'hl/1/g/gw_1/hello',
      Buffer.from(
        JSON.stringify({
          v: 1,
          id: 'a',
          type: 'gateway.hello',
          ts: 0,
          epoch: 0,
          seq: 1,
          body: { version: '1', profile: 'residential-gateway', applied: {}, outbox: { first: 0, last: 0, lost: 0 } },
        }),
      ),
    );
    await cloud.virtual.run(1000);
    expect(messages).toEqual([]);
    expect(cloud.asked.map((a) => a.verb)).toEqual([]);
  });
});
