/** Third-party phones that subscribe: a busy lamp in a browser (JsSIP), waiting messages on baresip. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { BrowserPhone } from './browser-phone.ts';
import { any, type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;
let home: string;

beforeEach(async () => {
  rig = await LoopbackCloud.start({ ws: any });
  home = (await rig.ask('home.create', { name: 'Watchers' })).id;
});
afterEach(() => rig.stop());

const line = (): Promise<Line> => rig.line(home);

const phone = (of: Line): Promise<Phone> => rig.phone(of, { manner: 'ring' });

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

/**
 * baresip that has its first NOTIFY. Its module's timer of 1 ms subscribes again for every subscription there is, walking the very
 * list that grows by it: where the registration is through before that timer runs, it never ends. Such a start is made again.
 */
async function watching(mine: Line): Promise<ReturnType<LoopbackCloud['baresip']>> {
  for (let start = 1; ; start += 1) {
    const told = rig.baresip(mine, { account: ';mwi=yes', modules: ['mwi.so'] });
    const endless = (): boolean => told.output.split('mwi: subscribing').length > 20;
    const began = rig.until(() => /Messages-Waiting: no/.test(told.output) || endless(), 'the first NOTIFY');
    await began.catch((error: unknown) => {
      throw new Error(`${String(error)}\n${told.output.slice(0, 10_000)}`);
    });
    if (!endless()) return told;
    told.stop();
    if (start === 5) throw new Error('baresip subscribes without end at every start');
  }
}

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it('is told of a message that waits, and when it was read', async () => {
    const [mine, other] = [await line(), await line()];
    const told = await watching(mine);
    const sent = await rig.ask('message.send', { from: other.id, to: mine.number, text: 'Dinner is ready.' });
    await rig.until(() => /Messages-Waiting: yes/.test(told.output), `the message: ${told.output}`);
    expect(told.output).toMatch(/Text-Message: 1\/0/);
    await rig.ask('message.read', { message: sent.id });
    await rig.until(() => /Text-Message: 0\/1/.test(told.output), `that it was read: ${told.output}`);
  }, 60_000);
});
