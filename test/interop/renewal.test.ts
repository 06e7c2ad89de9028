/** The cloud's own certificate: made anew in time, and shown at every door from then on, without a restart. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadCredentials, renewInTime } from '#cloud/authority.ts';
import type { Address } from '#shared/kernel/world.ts';
import { Operator } from '../scenario/operator.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

const LOCAL = { servername: 'localhost', checkServerIdentity: () => undefined };

/** The last line of an answer has come. */
async function answered(socket: Socket): Promise<void> {
  for (let text = ''; !/^\d{3} .*\r\n$/m.test(text); ) {
    const [data] = (await once(socket, 'data')) as [Buffer];
    text += String(data);
  }
}

describe('on its doors', () => {
  let rig: LoopbackCloud;
  beforeEach(async () => {
    rig = await LoopbackCloud.start({ https: any, wss: any, mail: { smtp: any, submission: any } });
  });
  afterEach(() => rig.stop());

  const serial = (at: Address | { readonly socket: Socket }): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ ...at, ca: rig.cloud.config.authority.certificate, ...LOCAL }, () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      });
      socket.on('error', reject);
    });
  /** The same behind STARTTLS (RFC 3207). */
  const mailSerial = async ({ host, port }: Address): Promise<string> => {
    const socket = connectPlain({ host, port });
    for (const say of ['', 'EHLO client.example\r\n', 'STARTTLS\r\n']) {
      if (say !== '') socket.write(say);
      await answered(socket);
    }
    return serial({ socket });
  };

  it('is shown anew by SIP, WebSockets, MQTT, HTTPS and SMTP', async () => {
    const { config, bus } = rig.cloud;
    const { bound, data } = config;
    const https = new URL(bound.https ?? '');
    const doors = [bound.sips, bound.wss, bound.mqtt, { host: https.hostname, port: Number(https.port) }];
    const mail = [bound.smtp, bound.submission];
    const serials = () =>
      Promise.all([...doors.map((door) => serial(door ?? any)), ...mail.map((door) => mailSerial(door ?? any))]);
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

it('fits its key where the process ended while it was made anew', async () => {
  const operator = await Operator.start(73, []);
  const { cloud: world, config } = operator;
  const load = (names: readonly string[]) => operator.world.settle(loadCredentials(world, config.data, names));
  const before = (await load(['a.example'])).server;
  const { write } = world.disk;
  const dead = Object.assign(Object.create(world.disk), {
    write: (path: string, octets: Uint8Array) =>
      path.endsWith('.pem') ? Promise.reject(new Error('gone')) : write.call(world.disk, path, octets),
  });
  const dying = loadCredentials({ ...world, disk: dead }, config.data, ['b.example']);
  await expect(operator.world.settle(dying)).rejects.toThrow('gone');
  const after = (await load(['a.example'])).server;
  expect(after.certificate === before.certificate).toBe(after.key === before.key);
  await operator.stop();
});
