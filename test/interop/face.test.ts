/** The example of docs/api/sip-stack.md as its reader runs it: against our cloud, with our phone and with baresip at the other end. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

const root = resolve(import.meta.dirname, '../..');
let rig: LoopbackCloud;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

const line = () => rig.line();

/** Runs the example for a line. */
async function example(from: Line, to: string, password = from.sip.password ?? '') {
  const { username, domain } = from.sip;
  const server = `sip:127.0.0.1:${rig.cloud.config.bound.sipUdp?.port}`;
  const words = [join(root, 'examples/call.ts'), `sip:${username}@${domain}`, password, `sip:${to}@${domain}`, server];
  return rig.run(join(root, 'bin/node'), words);
}

const heardBy = (output: string) => Number(/heard ([0-9.]+) s/.exec(output)?.[1] ?? 0);

it('is short enough to be read at one glance', () => {
  expect(readFileSync(join(root, 'examples/call.ts'), 'utf8').trim().split('\n').length).toBeLessThanOrEqual(20);
});

describe('the example', () => {
  it('registers, calls a phone of ours, and both hear each other', async () => {
    const [mine, theirs] = [await line(), await line()];
    const phone = await rig.phone(theirs, { voice: sine(660, -17, 8000) });
    const { code, output } = await example(mine, theirs.number);
    expect(code, output).toBe(0);
    expect(heardBy(output)).toBeGreaterThan(1);
    expect(levelOf(phone.calls[0]?.heard().slice(4000, 12_000) ?? new Int16Array(), 440)).toBeGreaterThan(-25);
    expect((await rig.ask('registration.list', { lines: [mine.id] })).items).toEqual([]);
  });

  it('says what to do about a wrong password, and about a number that nobody has', async () => {
    const [mine, theirs] = [await line(), await line()];
    const wrong = await example(mine, theirs.number, 'guessed');
    expect([wrong.code, wrong.output]).toEqual([2, expect.stringContaining('Check username and password')]);
    const nobody = await example(theirs, mine.number);
    expect([nobody.code, nobody.output]).toEqual([2, expect.stringContaining('Try again later')]);
  });
});

describe.skipIf(!hasProgram('baresip'))('the example and baresip', () => {
  it('talk with each other', async () => {
    const [mine, theirs] = [await line(), await line()];
    const config = [
      ...['module ausine.so', 'module aufile.so', 'audio_source ausine,800', 'ausrc_srate 48000', 'ausrc_channels 2'],
      `audio_player aufile,${join(rig.folder, 'heard.wav')}`,
      'audio_alert aufile,/dev/null',
    ];
    const peer = rig.baresip(theirs, { account: ';answermode=auto', config });
    const there = async () => (await rig.ask('registration.list', { lines: [theirs.id] })).items.length === 1;
    await rig.until(there, 'the registration of baresip');
    const { code, output } = await example(mine, theirs.number);
    expect(code, output + peer.output).toBe(0);
    expect(heardBy(output)).toBeGreaterThan(1);
    expect(peer.output).toMatch(/Call established/i);
  });
});
