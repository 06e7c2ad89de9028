/** A real baresip at our softswitch calls two phones, one after the other, and joins them: REFER with Replaces (RFC 5589 section 7.3). What they hear then is measured. */
import { createSocket } from 'node:dgram';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { tone } from '#simulator/voice.ts';
import { hasProgram } from '#test/peers.ts';
import { freePort } from './free-port.ts';
import { LoopbackCloud } from './loopback-cloud.ts';

/** Hertz: baresip, and our two phones. */
const [OURS, B, C] = [800, 617, 1450];

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
});
afterEach(() => rig.stop());

/** The newest answered INVITE in a trace, as its caller names the dialog (RFC 3891 section 3: to-tag is the other side's). */
function newestDialog(trace: string): string {
  const answered = trace.slice(trace.lastIndexOf('SIP/2.0 200 OK', trace.lastIndexOf(' INVITE\r\n')));
  const of = (pattern: RegExp) => pattern.exec(answered)?.[1] ?? '';
  const tags = `to-tag=${of(/^To:.*;tag=([^;\s]+)/im)};from-tag=${of(/^From:.*;tag=([^;\s]+)/im)}`;
  return encodeURIComponent(`${of(/^Call-ID: *(\S+)/im)};${tags}`);
}

const up = (phone: Phone) => rig.until(() => phone.calls[0]?.state === 'up', 'the answer');
/** Whether a tone is in what came last. */
const hears = (call: PhoneCall | undefined, hertz: number) =>
  levelOf(call?.heard().subarray(-6_000) ?? new Int16Array(0), hertz) > -30;

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  it('joins the two whom it called: they hear each other, and it is out of both calls', async () => {
    const home = await rig.ask('home.create', { name: 'Interop' });
    const [own, first, second] = [await rig.line(home.id), await rig.line(home.id), await rig.line(home.id)];
    const voice = (hertz: number) => ({ answerAfter: 100, voice: tone(hertz, 1) });
    const [b, c] = [await rig.phone(first, voice(B)), await rig.phone(second, voice(C))];
    const port = await freePort();
    const program = rig.baresip(own, {
      trace: true,
      modules: ['cons.so'],
      config: [
        ...['module ausine.so', 'module aufile.so', `cons_listen 127.0.0.1:${port}`, `audio_source ausine,${OURS}`],
        ...['ausrc_srate 48000', 'ausrc_channels 2', `audio_player aufile,${join(rig.folder, 'heard.wav')}`],
        ...['audio_alert aufile,/dev/null', 'rtp_ports 46000-46999', 'call_max_calls 4'],
      ],
    });
    const socket = createSocket('udp4');
    const command = (words: string) => new Promise((resolve) => socket.send(`/${words}\n`, port, '127.0.0.1', resolve));
    await rig.until(() => /200 OK/.test(program.output), 'the registration');
    await command(`dial ${first.number}`);
    await up(b);
    const [call] = b.calls;
    await rig.until(() => hears(call, OURS), 'sound');
    const replaces = newestDialog(program.output);
    await command('hold');
    await rig.until(() => call?.held === true, 'hold');
    await command(`dial ${second.number}`);
    await up(c);
    await rig.until(() => hears(c.calls[0], OURS), 'sound');
    await command(`transfer <sip:${first.number}@${own.sip.domain}?Replaces=${replaces}>`);
    await rig.until(() => hears(call, C) && hears(c.calls[0], B), 'the two to hear each other');
    await rig.until(() => !hears(call, OURS) && !hears(c.calls[0], OURS), 'baresip to be silent');
    expect(call?.held).toBe(false);
    const channels = async () => (await rig.ask('channel.list', {})).items.length;
    await rig.until(async () => (await channels()) === 2, 'baresip to be out of both');
    c.calls[0]?.hangup();
    await rig.until(() => call?.state === 'ended', 'the end');
    socket.close();
    await rig.until(async () => (await channels()) === 0, 'nothing to be left');
    const { items } = await rig.ask('cdr.list', {});
    // Its own two legs, and that of the first phone, which goes on as a leg of the other call.
    const gone = ['transferred', 'transferred', 'transferred'];
    expect(items.map(({ reason }) => reason).sort()).toEqual(['hangup', 'hangup', ...gone]);
  }, 60_000);
});
