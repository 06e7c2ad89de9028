/** Small third-party programs at our softswitch: sipsak. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { hasProgram } from '#test/peers.ts';
import { LoopbackCloud } from './loopback-cloud.ts';

type Line = VerbReply<'line.create'>;
let rig: LoopbackCloud;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

async function line(): Promise<Line> {
  const home = await rig.ask('home.create', { name: 'Small peers' });
  return rig.ask('line.create', { home: home.id, class: 'unmetered' });
}

const port = () => rig.cloud.config.bound.sipUdp?.port ?? 0;
const there = async (of: Line) => (await rig.ask('registration.list', { lines: [of.id] })).items.length;

describe.skipIf(!hasProgram('sipsak'))('sipsak', () => {
  async function sipsak(...words: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn('sipsak', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    rig.children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    return { code: await new Promise((resolve) => child.on('exit', resolve)), output };
  }

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
