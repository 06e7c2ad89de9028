/** A router that gives the gateway another address, as many do every night. */
import { expect, test } from 'vitest';
import { virtualStage } from '#simulator/virtual-stage.ts';

test('an address that is gone is noticed without waiting for a keep-alive, and the way to the softswitch is opened anew', async () => {
  const { stage, world } = await virtualStage({ seed: 61 });
  await using _stage = stage;
  const elm = await stage.home('elm');
  await elm.phone({ manner: 'answer' });
  await world.run(10_000);
  const { net } = elm.world;
  const connect = net.connect.bind(net);
  const [own] = net.addresses().filter(({ loopback }) => !loopback);
  if (own === undefined) throw new Error('no address');
  const opened: number[] = [];
  Object.assign(net, {
    addresses: () => [{ ...own, host: '10.99.0.1' }],
    connect: (options: Parameters<typeof connect>[0]) => {
      opened.push(options.port);
      return connect(options);
    },
  });
  const sips = stage.cloud.config.bound.sips?.port;
  await world.run(8_000);
  expect([opened, elm.gateway.status().voice.flow]).toEqual([[sips], 'up']);
  await world.run(30_000);
  expect(opened).toEqual([sips]);
});
