/** A gateway with nothing but a modem on real serial lines (pseudo terminals), the modem a process of its own: 112 is dialled and talked. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostWorld } from '#shared/host/world.ts';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { eventually, stopped } from './netns.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-modem-'));
const at = (name: string) => join(folder, name);
const started: ChildProcess[] = [];
let output = '';
let phone: Phone;

function run(program: string, ...words: string[]): ChildProcess {
  const child = spawn(program, words, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  return child;
}

describe.skipIf(!hasProgram('socat'))('a gateway whose only way out is a modem', () => {
  beforeAll(async () => {
    for (const name of ['at', 'pcm'])
      run('socat', `pty,raw,echo=0,link=${at(`${name}-gateway`)}`, `pty,raw,echo=0,link=${at(`${name}-modem`)}`);
    await eventually(() => existsSync(at('at-modem')) && existsSync(at('pcm-modem')), 5_000, 'the serial lines');
    run(join(root, 'bin/node'), 'test/support/modem-program.ts', at('at-modem'), at('pcm-modem')).stdout?.on(
      'data',
      (data) => {
        output += String(data);
      },
    );
    const lines = ['--emergency-modem', at('at-gateway'), '--emergency-modem-audio', `${at('pcm-gateway')}:921600`];
    const own = ['--sip', '127.0.0.1:0', '--page', '127.0.0.1:0', '--media', '127.0.0.1:33500-33599'];
    run(
      join(root, 'bin/hearthline'),
      'device',
      '--state',
      at('gateway'),
      ...own,
      ...lines,
      '--ready',
      at('ready.json'),
    );
    await eventually(() => existsSync(at('ready.json')), 30_000, 'the gateway');
  }, 60_000);
  afterAll(async () => {
    await phone?.close();
    for (const child of started.reverse()) await stopped(child);
    rmSync(folder, { recursive: true, force: true });
  });

  const status = () =>
    JSON.parse(
      execFileSync(join(root, 'bin/hearthline'), ['status', '--state', at('gateway'), '--json'], {
        cwd: root,
      }).toString(),
    );

  it('calls for help by it, and both hear each other', async () => {
    const { sip } = JSON.parse(readFileSync(at('ready.json'), 'utf8')) as { sip: { udp: string } };
    const server = { host: '127.0.0.1', port: Number(sip.udp.split(':').at(-1)) };
    const voice = sine(440, -17, 8000);
    phone = await Phone.open({
      ...{
        world: hostWorld(),
        host: '127.0.0.1',
        server,
        domain: 'house',
        username: 'nobody',
        password: 'none',
        voice,
      },
    });
    let call = await phone.dial('112');
    // Until the modem has been set up there is no way out, and the phone hears so at once.
    for (let i = 0; i < 20 && !output.includes('dialled'); i++) {
      await eventually(() => call.state === 'ended' || output.includes('dialled'), 10_000, 'the modem to dial');
      if (!output.includes('dialled')) call = await phone.dial('112');
    }
    await eventually(() => call.state === 'up', 20_000, 'the answer');
    await eventually(() => output.includes('dialled 112, hears the tone'), 10_000, `the tone: ${output}`);
    await eventually(() => levelOf(call.heard().slice(-8000), 850) > -25, 10_000, 'the voice of who helps');
    phone.hangup(call);
    await eventually(() => output.trim().endsWith('idle'), 5_000, 'the modem to hang up');
  }, 60_000);

  it('shows the modem to a technician', async () => {
    const shown = () => {
      try {
        return status().modem;
      } catch (error) {
        // The exit code says that the gateway is not paired.
        return JSON.parse(String((error as { stdout: Buffer }).stdout)).modem;
      }
    };
    // The modem has said that its call is over; the gateway hears so a moment later.
    await eventually(() => shown().call === false, 10_000, 'the call to be over');
    expect(shown()).toEqual({
      ...{ state: 'ready', registration: 'home', sim: 'ready', signal: -73, sound: true, call: false },
    });
  }, 30_000);
});
