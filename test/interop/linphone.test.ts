/** linphonec, a phone of others, at our softswitch: it registers, calls, is called, talks, holds and hangs up, over UDP and TCP. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { Linphone } from './linphone.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;
let rtp = 46_000;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

const line = () => rig.line();

async function linphone(of: Line, transport: 'udp' | 'tcp'): Promise<Linphone> {
  const { username, domain, password = '' } = of.sip;
  const { sipUdp, sipTcp } = rig.cloud.config.bound;
  const port = (transport === 'udp' ? sipUdp : sipTcp)?.port;
  const folder = join(rig.folder, `linphone-${username}`);
  rtp += 4;
  const one = new Linphone({ folder, server: `127.0.0.1:${port}`, transport, domain, username, password, rtp });
  rig.children.push(one.child);
  const there = async () => (await rig.ask('registration.list', { lines: [of.id] })).items.length === 1;
  await rig.until(there, 'the registration').catch((error: Error) => {
    throw new Error(`${error.message}\n${one.output}`);
  });
  return one;
}

const phone = (of: Line): Promise<Phone> => rig.phone(of, { voice: sine(660, -17, 8000) });

describe.skipIf(!hasProgram('linphonec'))('linphonec', () => {
  it.each(['udp', 'tcp'] as const)('over %s calls, talks, holds, and is called', async (transport) => {
    const [mine, theirs] = [await line(), await line()];
    const [peer, desk] = [await linphone(mine, transport), await phone(theirs)];
    peer.type(`call sip:${theirs.number}@${theirs.sip.domain}`);
    await rig
      .until(() => desk.calls[0]?.state === 'up', 'the call')
      .catch((error: Error) => {
        throw new Error(`${error.message}\n${peer.output}`);
      });
    const call = desk.calls[0] as NonNullable<(typeof desk.calls)[0]>;
    await rig.until(() => peer.output.includes('Media streams established'), 'its sound');
    peer.talk(440);
    const from = call.heard().length;
    await rig.until(() => call.heard().length > from + 20_000, 'sound');
    expect(levelOf(call.heard().slice(-8000), 440)).toBeGreaterThan(-30);
    peer.type('pause');
    await rig.until(() => call.held, 'the hold');
    // It takes no other command for the call before our answer.
    await rig.until(() => peer.output.includes('is now paused'), 'the hold at its end');
    peer.type('resume');
    await rig.until(() => !call.held, 'the end of the hold');
    peer.type('terminate');
    await rig.until(() => call.state === 'ended', 'the BYE');
    expect(levelOf(peer.heard().slice(4000, 12_000), 660)).toBeGreaterThan(-30);
    const back = await desk.dial(mine.number);
    await rig.until(() => back.state === 'ringing', 'the ringing');
    peer.type('answer');
    await rig.until(() => back.state === 'up', 'the answer');
    back.hangup();
    await rig.until(() => /Call \d+ with .* ended|CallReleased|Call .*released/i.test(peer.output), 'the end');
    await rig.until(async () => {
      const legs = (await rig.ask('cdr.list', { lines: [mine.id] } as never)).items;
      return legs.length >= 2;
    }, 'the records');
  });
});
