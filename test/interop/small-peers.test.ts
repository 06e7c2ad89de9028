/** Small third-party programs at our softswitch: sipsak. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

const line = () => rig.line();

const port = () => rig.cloud.config.bound.sipUdp?.port ?? 0;
const there = async (of: Line) => (await rig.ask('registration.list', { lines: [of.id] })).items.length;

describe.skipIf(!hasProgram('sipsak'))('sipsak', () => {
  const sipsak = (...words: string[]) => rig.run('sipsak', words);

  it('gets an answer to OPTIONS', async () => {
    const { code, output } = await sipsak('-v', '-s', `sip:127.0.0.1:${port()}`);
    expect(code, output).toBe(0);
    expect(output).toMatch(/SIP\/2\.0 200/);
  });

  it('registers with digest, and not with a wrong password', async () => {
    const mine = await line();
    const { username, domain, password = '' } = mine.sip;
    const words = ['-U', '-C', `sip:${username}@127.0.0.1:45999`, '-x', '600', '-p', `127.0.0.1:${port()}`];
    const wrong = await sipsak(...words, '-u', username, '-a', 'guessed', '-s', `sip:${username}@${domain}`);
    expect([wrong.code === 0, await there(mine)]).toEqual([false, 0]);
    const { code, output } = await sipsak(...words, '-u', username, '-a', password, '-s', `sip:${username}@${domain}`);
    expect(code, output).toBe(0);
    expect(await there(mine)).toBe(1);
  });
});
