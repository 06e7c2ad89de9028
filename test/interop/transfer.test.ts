/** A SIPp phone at our softswitch that uses what carriers' phones use: session timers, reliable ringing, hold, and transfer by REFER. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';
import { audio, described } from './sipp/described.ts';

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
});
afterEach(() => rig.stop());

const ourPhone = (of: Line): Promise<Phone> => rig.phone(of, { answerAfter: 300 });

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  it('gets 422 and its timer, acknowledges ringing by PRACK, holds, and transfers by REFER', async () => {
    const home = await rig.ask('home.create', { name: 'Interop' });
    const line = () => rig.line(home.id);
    const [from, first, second] = [await line(), await line(), await line()];
    const [b, c] = [await ourPhone(first), await ourPhone(second)];
    const file = join(rig.folder, 'caller.xml');
    writeFileSync(file, scenario(from, first.number, second.number));
    const port = rig.cloud.config.bound.sipUdp?.port ?? 0;
    const words = ['-sf', file, '-m', '1', '-t', 'u1', '-i', '127.0.0.1', '-nostdin', '-timeout', '30', '-trace_err'];
    const { code, output } = await rig.run('sipp', [...words, `127.0.0.1:${port}`]);
    expect(code, output).toBe(0);
    const [call] = b.calls;
    expect([call?.state, c.calls[0]?.state]).toEqual(['up', 'up']);
    // The phone that transferred is out; the other two talk until one hangs up.
    c.calls[0]?.hangup();
    await rig.until(() => call?.state === 'ended', 'the end');
    const [session] = (await rig.ask('session.list', {})).items;
    expect(session?.legs.map(({ reason }) => reason)).toEqual(['transferred', 'hangup', 'hangup']);
    await rig.until(async () => (await rig.ask('cdr.list', {})).items.length === 3, 'three records');
  }, 60_000);
});

/** What the phone sends, and what it expects; anything else fails it. */
function scenario({ sip: { username, password, domain } }: Line, to: string, next: string): string {
  const target = `sip:${to}@[remote_ip]:[remote_port]`;
  const head = (method: string, uri: string, seq: number, more = '') =>
    `${method} ${uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${username}@${domain}>;tag=[pid]x[call_number]
Call-ID: [call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${username}@[local_ip]:[local_port]>
${more}`;
  const auth = `[authentication username=${username} password=${password}]\n`;
  const send = (text: string) => `<send retrans="500"><![CDATA[\n${text}\n]]></send>`;
  const plain = (text: string) => `<send><![CDATA[\n${text}\n]]></send>`;
  const empty = 'Content-Length: 0\n\n';
  const ack = (seq: number) => plain(head('ACK', target, seq, `[last_To:]\n${empty}`).replace(/Via:.*/, '[last_Via:]'));
  const wants = (seconds: number, more = '') =>
    `To: <${target}>\n${more}Supported: timer\nRequire: 100rel\nSession-Expires: ${seconds}\n${described(1, audio())}`;
  const has = (header: string, pattern: string) =>
    `<action><ereg regexp="${pattern}" search_in="hdr" header="${header}" check_it="true" assign_to="seen"/></action>`;
  const ok = plain(
    ['SIP/2.0 200 OK', '[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]', empty].join(
      '\n',
    ),
  );
  const notify = (pattern: string) =>
    `<recv request="NOTIFY"><action><ereg regexp="${pattern}" search_in="body" check_it="true" assign_to="seen"/></action></recv>${ok}`;
  return `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="caller">
${send(head('INVITE', target, 1, wants(30)))}
<recv response="100" optional="true"></recv><recv response="422">${has('Min-SE:', '90')}</recv>${ack(1)}
${send(head('INVITE', target, 2, wants(90)))}
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>${ack(2)}
${send(head('INVITE', target, 3, wants(90, auth)))}
<recv response="100" optional="true"></recv>
<recv response="180" rrs="true"><action><ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/></action></recv>
${send(head('PRACK', '[next_url]', 4, `[last_To:]\nRAck: [$rseq] 3 INVITE\n${empty}`))}
<recv response="200"></recv>
<recv response="200" rrs="true">${has('Session-Expires:', '90;refresher=uac')}</recv>
${plain(head('ACK', '[next_url]', 3, `[last_To:]\n${empty}`))}
${send(head('INVITE', '[next_url]', 5, `[last_To:]\n${described(2, audio('sendonly'))}`))}
<recv response="100" optional="true"></recv><recv response="200"></recv>
${plain(head('ACK', '[next_url]', 5, `[last_To:]\n${empty}`))}
<pause milliseconds="500"/>
<!-- The hold has brought the sound to the media server, for the music: the transfer has nothing to ask of this phone. -->
${send(head('REFER', '[next_url]', 6, `[last_To:]\nRefer-To: <sip:${next}@${domain}>\n${empty}`))}
<recv response="202"></recv>
${notify('SIP/2.0 100')}
${notify('SIP/2.0 200')}
<recv request="BYE"></recv>${ok}
<Reference variables="seen"/></scenario>`;
}
