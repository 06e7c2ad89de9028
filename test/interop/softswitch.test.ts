/** Third-party phones at our softswitch, over real sockets on the loopback: SIPp and baresip. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';
import { callerScenario } from './sipp/caller.ts';

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
});
afterEach(() => rig.stop());

const line = () => rig.line();

const ourPhone = (of: Line, voice?: Int16Array): Promise<Phone> => rig.phone(of, voice && { voice });

function run(program: string, args: string[]): { exit: Promise<number | null>; output: () => string } {
  const child = spawn(program, args, { cwd: rig.folder, stdio: ['ignore', 'pipe', 'pipe'] });
  rig.children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += String(data)));
  return { exit: new Promise((resolve) => child.on('exit', resolve)), output: () => text };
}

const registered = async (of: Line) => (await rig.ask('registration.list', { lines: [of.id] })).items.length === 1;

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  it.each(['u1', 't1'])(
    'registers with digest, calls, and hangs up (%s)',
    async (transport) => {
      const [from, to] = [await line(), await line()];
      const callee = await ourPhone(to);
      const file = join(rig.folder, 'caller.xml');
      writeFileSync(file, callerScenario(from, to.number));
      const port = rig.cloud.config.bound.sipUdp?.port ?? 0;
      const { exit, output } = run('sipp', [
        ...['-sf', file, '-m', '5', '-r', '5', '-t', transport, '-i', '127.0.0.1', '-nostdin', '-timeout', '40'],
        `127.0.0.1:${port}`,
      ]);
      expect(await exit, output()).toBe(0);
      expect(callee.calls).toHaveLength(5);
      await rig.until(() => callee.calls.every((call) => call.state === 'ended'), 'every BYE');
    },
    60_000,
  );
});

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  function baresip(name: string, of: Line, args: string[] = []) {
    const home = join(rig.folder, name);
    const server = rig.cloud.config.bound.sipUdp;
    run('mkdir', ['-p', home]);
    const config = [
      'sip_listen 127.0.0.1:0',
      'module_path /usr/lib/baresip/modules',
      ...['g711.so', 'ausine.so', 'aufile.so'].map((module) => `module ${module}`),
      ...['account.so', 'menu.so'].map((module) => `module_app ${module}`),
      'audio_source ausine,800',
      'ausrc_srate 48000',
      'ausrc_channels 2',
      `audio_player aufile,${home}/heard.wav`,
      'audio_alert aufile,/dev/null',
      '',
    ].join('\n');
    const account = `<sip:${of.sip.username}@${of.sip.domain};transport=udp>;auth_pass=${of.sip.password};outbound="sip:127.0.0.1:${server?.port};transport=udp";regint=300;answermode=auto;audio_codecs=PCMU/8000/1\n`;
    return {
      home,
      start: async () => {
        await run('mkdir', ['-p', home]).exit;
        writeFileSync(join(home, 'config'), config);
        writeFileSync(join(home, 'accounts'), account);
        writeFileSync(join(home, 'contacts'), '');
        return run('baresip', ['-f', home, ...args]);
      },
    };
  }

  it('registers, is called, is heard and hears', async () => {
    const [from, to] = [await line(), await line()];
    const ours = await ourPhone(from, sine(600, -10, 8000));
    const theirs = await baresip('callee', to).start();
    await rig.until(() => registered(to), `the registration`);
    const call = await ours.dial(to.number);
    await rig.until(() => call.state === 'up', 'the answer');
    await rig.until(() => call.heard().length > 24_000, `its sound`);
    expect(levelOf(call.heard().slice(8_000, 16_000), 800)).toBeGreaterThan(-30);
    call.hangup();
    await rig.until(() => theirs.output().includes('terminated'), 'its end');
  }, 60_000);

  it('calls another one, and both registered with digest', async () => {
    const [from, to] = [await line(), await line()];
    const callee = await baresip('callee', to).start();
    await rig.until(() => registered(to), `the registration`);
    const caller = await baresip('caller', from, ['-e', `/dial ${to.number}`, '-t', '8']).start();
    await rig.until(
      () => callee.output().includes('Call established'),
      `the answer: ${caller.output()} ${callee.output()}`,
    );
    await rig.until(async () => (await rig.ask('channel.list', {})).items.length === 0, 'the end');
  }, 60_000);
});
