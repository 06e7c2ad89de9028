/** A SIPp phone at our softswitch that changes the sound before its call is answered: UPDATE after PRACK (RFC 3311). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';
import { audio, described } from './sipp/described.ts';

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
});
afterEach(() => rig.stop());

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  it('holds and resumes by UPDATE while it rings, and is answered without a description', async () => {
    const home = await rig.ask('home.create', { name: 'Interop' });
    const [from, to] = [await rig.line(home.id), await rig.line(home.id)];
    const b = await rig.phone(to, { early: true, manner: 'ring' });
    const file = join(rig.folder, 'caller.xml');
    writeFileSync(file, scenario(from, to.number));
    const port = rig.cloud.config.bound.sipUdp?.port ?? 0;
    const words = ['-sf', file, '-m', '1', '-t', 'u1', '-i', '127.0.0.1', '-nostdin', '-timeout', '30', '-trace_err'];
    const done = rig.run('sipp', [...words, `127.0.0.1:${port}`]);
    const call = () => b.calls[0];
    await rig.until(() => call()?.held === true, 'hold before the answer');
    expect(call()?.state).toBe('ringing');
    await rig.until(() => call()?.held === false, 'the end of it');
    call()?.answer();
    const { code, output } = await done;
    expect(code, output).toBe(0);
    await rig.until(() => call()?.state === 'ended', 'the end');
  }, 60_000);
});

/** What the phone sends, and what it expects; anything else fails it. */
function scenario({ sip: { username, password, domain } }: Line, to: string): string {
  const target = `sip:${to}@[remote_ip]:[remote_port]`;
  const request = (method: string, seq: number, more: string, uri = '[next_url]') => `<send><![CDATA[
${method} ${uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${username}@${domain}>;tag=[pid]x[call_number]
Call-ID: [call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${username}@[local_ip]:[local_port]>
${more}
]]></send>`;
  const empty = 'Content-Length: 0\n';
  const wants = (auth: string) =>
    `To: <${target}>\n${auth}Supported: 100rel\nAllow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE\n${described(1, audio())}`;
  const seen = (where: string, pattern: string, into: string) =>
    `<action><ereg regexp="${pattern}" search_in="${where}" check_it="true" assign_to="${into}"/></action>`;
  const update = (seq: number, direction: string, version: number) =>
    request('UPDATE', seq, `[last_To:]\n${described(version, audio(direction))}`);
  return `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="caller">
${request('INVITE', 1, wants(''), target)}
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>
${request('ACK', 1, `[last_To:]\n${empty}`, target).replace(/Via:.*/, '[last_Via:]')}
${request('INVITE', 2, wants(`[authentication username=${username} password=${password}]\n`), target)}
<recv response="100" optional="true"></recv>
<recv response="183" rrs="true">${seen('hdr" header="RSeq:', '[0-9]+', 'rseq')}</recv>
${request('PRACK', 3, `[last_To:]\nRAck: [$rseq] 2 INVITE\n${empty}`)}
<recv response="200"></recv>
${update(4, 'sendonly', 2)}
<recv response="200">${seen('body', 'a=recvonly', 'seen')}</recv>
<pause milliseconds="500"/>
${update(5, 'sendrecv', 3)}
<recv response="200">${seen('body', 'a=sendrecv', 'seen')}</recv>
<recv response="200" rrs="true">${seen('hdr" header="Content-Length:', ' 0', 'seen')}</recv>
${request('ACK', 2, `[last_To:]\n${empty}`)}
<pause milliseconds="300"/>
${request('BYE', 6, `[last_To:]\n${empty}`)}
<recv response="200"></recv>
<Reference variables="seen"/></scenario>`;
}
