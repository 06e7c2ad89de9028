/** A third-party phone takes a call that rings at another phone of its home: baresip dials `*8`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start({});
});
afterEach(() => rig.stop());

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it('takes a call that rings elsewhere in its home', async () => {
    const home = (await rig.ask('home.create', { name: 'Elm' })).id;
    const line = () => rig.line(home);
    const phone = (of: Line) => rig.phone(of, { manner: 'ring' });
    const [hall, desk, third] = [await line(), await line(), await line()];
    const [rings, caller] = [await phone(hall), await phone(third)];
    const call = await caller.dial(hall.number);
    await rig.until(() => call.progress.includes(180), 'ringing');
    const phoneOfDesk = rig.baresip(desk, { command: `/dial sip:*8@${desk.sip.domain}` });
    await rig
      .until(() => /Call established/.test(phoneOfDesk.output) && call.state === 'up', 'both to talk')
      .catch((error: unknown) => {
        throw new Error(`${String(error)}\n${call.state}\n${phoneOfDesk.output}`);
      });
    expect(rings.calls[0]?.state).toBe('ended');
    call.hangup();
    await rig.until(
      () => /session closed|terminated|Call with/.test(phoneOfDesk.output.split('Call established')[1] ?? ''),
      'the end',
    );
  }, 60_000);
});
