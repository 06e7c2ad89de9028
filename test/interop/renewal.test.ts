/** The cloud's own certificate: made anew in time, and shown at every door from then on, without a restart. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCredentials, renewInTime } from '#cloud/authority.ts';
import type { Address } from '#shared/kernel/world.ts';
import { Operator } from '../scenario/operator.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

describe('on its doors', () => {
  let rig: LoopbackCloud;
  beforeEach(async () => {
    rig = await LoopbackCloud.start({ https: any, wss: any });
  });
  afterEach(() => rig.stop());

  const serial = ({ host, port }: Address): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ host, port, ca: rig.cloud.config.authority.certificate }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    });

  it('is shown anew by SIP, WebSockets, MQTT and HTTPS', async () => {
    const { config, bus } = rig.cloud;
    const { bound, data } = config;
    const https = new URL(bound.https ?? '');
    const doors = [bound.sips, bound.wss, bound.mqtt, { host: https.hostname, port: Number(https.port) }];
    const serials = () => Promise.all(doors.map((door) => serial(door ?? any)));
    const before = new Set(await serials());
    rmSync(join(data, 'server.pem'));
    const names: string[] = JSON.parse(readFileSync(join(data, 'server.names'), 'utf8'));
    const { server } = await loadCredentials(rig.world, data, names);
    const { serialNumber } = new X509Certificate(server.certificate);
    expect(before.has(serialNumber)).toBe(false);
    bus.publish('certificate.renewed', {});
    await rig.until(async () => (await serials()).every((one) => one === serialNumber), 'the new certificate');
    expect(config.server).toEqual(server);
  });
});

it('is made anew thirty days before its end, once', async () => {
  const operator = await Operator.start(73, []);
  const { cloud: world, bus, config, store } = operator;
  const names = [config.domain];
  Object.assign(config, await operator.world.settle(loadCredentials(world, config.data, names)));
  let heard = 0;
  bus.subscribe('certificate.renewed', () => heard++);
  const end = renewInTime({ world, bus, config, store }, names);
  const days = (count: number) => operator.world.run(count * 86_400_000);
  await days(334);
  expect(heard).toBe(0);
  await days(2);
  expect(heard).toBe(1);
  end();
  await operator.stop();
});
