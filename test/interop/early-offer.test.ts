/** A SIPp phone at our softswitch whose sound is agreed, or changed, before its call is answered: by PRACK (RFC 3262) and UPDATE (RFC 3311). */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PhoneCall } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';
import { audio, described } from './sipp/described.ts';

let rig: LoopbackCloud;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
});
afterEach(() => rig.stop());

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  /** A SIPp phone runs what `steps` says against a phone of ours that rings with sound; `meanwhile` is what happens there. */
  async function play(
    steps: (say: Words) => string,
    meanwhile: (call: () => PhoneCall | undefined) => Promise<void>,
  ): Promise<void> {
    const home = await rig.ask('home.create', { name: 'Interop' });
    const [from, to] = [await rig.line(home.id), await rig.line(home.id)];
    const b = await rig.phone(to, { early: true, manner: 'ring' });
    const file = join(rig.folder, 'caller.xml');
    const xml = '<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="caller">';
    writeFileSync(file, `${xml}${steps(wordsOf(from, to.number))}\n<Reference variables="seen"/></scenario>`);
    const port = rig.cloud.config.bound.sipUdp?.port ?? 0;
    const words = ['-sf', file, '-m', '1', '-t', 'u1', '-i', '127.0.0.1', '-nostdin', '-timeout', '30', '-trace_err'];
    const done = rig.run('sipp', [...words, `127.0.0.1:${port}`]);
    const call = () => b.calls[0];
    await meanwhile(call);
    call()?.answer();
    const { code, output } = await done;
    expect(code, output).toBe(0);
    await rig.until(() => call()?.state === 'ended', 'the end');
  }

  const heldAndBack = async (call: () => PhoneCall | undefined) => {
    await rig.until(() => call()?.held === true, 'hold before the answer');
    expect(call()?.state).toBe('ringing');
    await rig.until(() => call()?.held === false, 'the end of it');
  };
  const ringing = (call: () => PhoneCall | undefined) => rig.until(() => call()?.state === 'ringing', 'ringing');

  it('holds and resumes by UPDATE while it rings, and is answered without a description', async () => {
    await play(
      (say) => `${say.invite(audio())}${say.prack(3)}
${say.update(4, 'sendonly', 2, 'recvonly')}
<pause milliseconds="500"/>
${say.update(5, 'sendrecv', 3, 'sendrecv')}
${say.answered(6)}`,
      heldAndBack,
    );
  }, 60_000);

  it('holds by PRACK and resumes by UPDATE', async () => {
    await play(
      (say) => `${say.invite(audio())}${say.prack(3, described(2, audio('sendonly')), 'a=recvonly')}
<pause milliseconds="500"/>
${say.update(4, 'sendrecv', 3, 'sendrecv')}
${say.answered(5)}`,
      heldAndBack,
    );
  }, 60_000);

  it('offers by PRACK through media of ours', async () => {
    await play(
      (say) => `${say.invite(audio(), '192.0.2.7')}${say.prack(3, described(2, audio('sendonly')), 'a=recvonly')}
${say.answered(4)}`,
      ringing,
    );
  }, 60_000);

  it('offers nothing, and answers our offer in its PRACK', async () => {
    await play(
      (say) => `${say.invite()}${say.prack(3, described(1, audio()), '')}
${say.answered(4)}`,
      ringing,
    );
  }, 60_000);
});

/** The parts of a scenario: what the phone sends, and what it expects; anything else fails it. */
interface Words {
  /** With digest, until it hears a reliable 183; `contact`: an address that it only believes to have. */
  readonly invite: (stream?: string, contact?: string) => string;
  readonly prack: (seq: number, body?: string, pattern?: string) => string;
  readonly update: (seq: number, direction: string, version: number, answer: string) => string;
  /** The 200 says nothing of the sound; then BYE. */
  readonly answered: (seq: number) => string;
}

function wordsOf({ sip: { username, password, domain } }: Line, to: string): Words {
  const target = `sip:${to}@[remote_ip]:[remote_port]`;
  let at = '[local_ip]';
  const request = (method: string, seq: number, more: string, uri = '[next_url]') => `<send><![CDATA[
${method} ${uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${username}@${domain}>;tag=[pid]x[call_number]
Call-ID: [call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${username}@${at}:[local_port]>
${more}
]]></send>`;
  const empty = 'Content-Length: 0\n';
  const ereg = (where: string, pattern: string, into = 'seen') =>
    `<ereg regexp="${pattern}" search_in="${where}" check_it="true" assign_to="${into}"/>`;
  // Of several actions SIPp heeds the first alone.
  const seen = (...all: string[]) => `<action>${all.join('')}</action>`;
  const ok = (pattern = '') => `<recv response="200">${pattern === '' ? '' : seen(ereg('body', pattern))}</recv>`;
  return {
    invite(stream, contact = '[local_ip]') {
      at = contact;
      const wants = (auth: string) =>
        `To: <${target}>\n${auth}Supported: 100rel\nAllow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE\n${stream === undefined ? empty : described(1, stream)}`;
      const auth = `[authentication username=${username} password=${password}]\n`;
      return `${request('INVITE', 1, wants(''), target)}
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>
${request('ACK', 1, `[last_To:]\n${empty}`, target).replace(/Via:.*/, '[last_Via:]')}
${request('INVITE', 2, wants(auth), target)}
<recv response="100" optional="true"></recv>
<recv response="183" rrs="true">${seen(ereg('hdr" header="RSeq:', '[0-9]+', 'rseq'), ereg('body', 'm=audio'))}</recv>`;
    },
    prack: (seq, body = empty, pattern = '') =>
      `${request('PRACK', seq, `[last_To:]\nRAck: [$rseq] 2 INVITE\n${body}`)}${ok(pattern)}`,
    update: (seq, direction, version, answer) =>
      `${request('UPDATE', seq, `[last_To:]\n${described(version, audio(direction))}`)}${ok(`a=${answer}`)}`,
    answered: (seq) => `<recv response="183" optional="true"></recv>
<recv response="200" rrs="true">${seen(ereg('hdr" header="Content-Length:', ' 0'))}</recv>
${request('ACK', 2, `[last_To:]\n${empty}`)}
<pause milliseconds="300"/>
${request('BYE', seq, `[last_To:]\n${empty}`)}${ok()}`,
  };
}
