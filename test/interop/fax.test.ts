/** SIPp switches a call over to fax (T.38): its re-INVITE is passed on, and the datagrams arrive, straight or through the media server. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram } from '#test/peers.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';
import { callerScenario } from './sipp/caller.ts';

const PAGES = 40;
let rig: LoopbackCloud;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

const line = () => rig.line();

describe.skipIf(!hasProgram('sipp'))('fax', () => {
  it.each([
    ['straight from end to end', {}],
    ['through the media server', { believes: '10.9.9.9' }],
  ])('%s', async (name, hidden) => {
    const [from, to] = [await line(), await line()];
    const { username } = to.sip;
    const server = rig.cloud.config.bound.sipUdp ?? any;
    const phone = await rig.phone(to, { fax: true, ...hidden });
    const heard: number[] = [];
    const socket = createSocket('udp4', (data) => heard.push(data.readUInt16BE(0)));
    await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
    const [file, messages] = [join(rig.folder, `${username}.xml`), join(rig.folder, `${username}.log`)];
    writeFileSync(file, callerScenario(from, to.number, socket.address().port));
    const words = ['-sf', file, '-m', '1', '-i', '127.0.0.1', '-nostdin', '-timeout', '30', '-trace_msg'];
    const child = spawn('sipp', [...words, '-message_file', messages, `127.0.0.1:${server.port}`], { stdio: 'ignore' });
    rig.children.push(child);
    const exit = new Promise((done) => child.on('exit', done));
    await rig.until(() => phone.calls[0]?.fax === true, `T.38 at the phone (${name})`);
    const image = () =>
      [...readFileSync(messages, 'utf8').matchAll(/^m=image (\d+) udptl/gm)].map(([, port]) => Number(port));
    await rig.until(() => image().length >= 2, 'the answer to SIPp');
    const relayed = (image().at(-1) ?? 0) >= 43_000 && (image().at(-1) ?? 0) < 43_200;
    expect(relayed).toBe('believes' in hidden);
    for (let n = 0; n < PAGES; n++) {
      const page = Uint8Array.of(n >> 8, n & 255, 1, 6, 0, 0);
      socket.send(page, image().at(-1) ?? 0, '127.0.0.1');
      phone.calls[0]?.rtp.send(page);
      await new Promise((done) => setTimeout(done, 20));
    }
    const all = Array.from({ length: PAGES }, (_, n) => n);
    await rig.until(() => heard.length >= PAGES && (phone.calls[0]?.pages.length ?? 0) >= PAGES, 'all datagrams');
    expect([heard, phone.calls[0]?.pages.map((page) => page[1])]).toEqual([all, all]);
    expect(await exit).toBe(0);
    socket.close();
  });
});
