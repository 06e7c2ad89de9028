/** Third-party phones that subscribe: a busy lamp in a browser (JsSIP), waiting messages on baresip. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { BrowserPhone } from './browser-phone.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

type Line = VerbReply<'line.create'>;
let rig: LoopbackCloud;
let home: string;

beforeEach(async () => {
  rig = await LoopbackCloud.start({ ws: any });
  home = (await rig.ask('home.create', { name: 'Watchers' })).id;
});
afterEach(() => rig.stop());

const line = (): Promise<Line> => rig.ask('line.create', { home, class: 'unmetered' });

async function phone(of: Line): Promise<Phone> {
  const one = await Phone.open({
    ...{ world: rig.world, host: '127.0.0.1', server: rig.cloud.config.bound.sipUdp ?? any, domain: of.sip.domain },
    ...{ username: of.sip.username, password: of.sip.password ?? '', manner: 'ring' as const },
  });
  rig.phones.push(one);
  expect(await one.register()).toBe(200);
  return one;
}

describe('JsSIP', () => {
  it('shows the calls of another line of its home, from ringing to the end', async () => {
    const [desk, hall, third] = [await line(), await line(), await line()];
    const [watched, caller] = [await phone(hall), await phone(third)];
    const { config } = rig.cloud;
    const page = new BrowserPhone({
      ...{ url: `ws://127.0.0.1:${config.bound.ws?.port}/sip`, ca: config.authority.certificate },
      ...{ uri: `sip:${desk.sip.username}@${desk.sip.domain}`, password: desk.sip.password ?? '' },
    });
    page.start();
    await rig.until(() => page.ua.isRegistered(), 'the registration');
    const lamp = page.watch(`sip:${hall.number}@${hall.sip.domain}`, 'dialog', 'application/dialog-info+xml');
    await rig.until(() => lamp.bodies.length === 1, 'the first NOTIFY');
    expect(lamp.states()).toEqual(['none']);
    const call = await caller.dial(hall.number);
    await rig.until(() => lamp.states().at(-1) === 'early', 'ringing');
    watched.calls[0]?.answer();
    await rig.until(() => lamp.states().at(-1) === 'confirmed', 'the answer');
    call.hangup();
    await rig.until(() => lamp.states().at(-1) === 'terminated', 'the end');
    lamp.end();
    await rig.until(() => lamp.ended, 'the end of the subscription');
    page.stop();
  }, 40_000);
});

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it('is told of a message that waits, and when it was read', async () => {
    const [mine, other] = [await line(), await line()];
    const folder = join(rig.folder, 'baresip');
    mkdirSync(folder);
    const server = `127.0.0.1:${rig.cloud.config.bound.sipUdp?.port}`;
    writeFileSync(join(folder, 'contacts'), '');
    writeFileSync(
      join(folder, 'accounts'),
      `<sip:${mine.sip.username}@${mine.sip.domain};transport=udp>;auth_pass=${mine.sip.password};outbound="sip:${server};transport=udp";regint=300;mwi=yes;audio_codecs=PCMU/8000/1\n`,
    );
    writeFileSync(
      join(folder, 'config'),
      'sip_listen 127.0.0.1:0\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule_app account.so\nmodule_app menu.so\nmodule_app mwi.so\n',
    );
    const child = spawn('stdbuf', ['-o0', '-e0', 'baresip', '-f', folder], { stdio: ['ignore', 'pipe', 'pipe'] });
    rig.children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    await rig
      .until(() => /Messages-Waiting: no/.test(output), 'the first NOTIFY', 20_000)
      .catch((error: unknown) => {
        throw new Error(`${String(error)}\n${output}`);
      });
    const sent = await rig.ask('message.send', { from: other.id, to: mine.number, text: 'Dinner is ready.' });
    await rig.until(() => /Messages-Waiting: yes/.test(output), `the message: ${output}`);
    expect(output).toMatch(/Text-Message: 1\/0/);
    await rig.ask('message.read', { message: sent.id });
    await rig.until(() => /Text-Message: 0\/1/.test(output), `that it was read: ${output}`);
  }, 60_000);
});
