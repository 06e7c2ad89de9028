/** A SIPp scenario: registers with digest, calls with digest, and hangs up; on the way it may switch over to fax. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { audio, described } from './described.ts';

/** `to` is whom it calls; `fax` the port where it wants datagrams of T.38, for four seconds. */
export function callerScenario(
  { sip: { username, password, domain } }: VerbReply<'line.create'>,
  to: string,
  fax?: number,
): string {
  const head = (method: string, uri: string, seq: number, more = '') =>
    `${method} ${uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${username}@${domain}>;tag=[pid]${method === 'REGISTER' ? 'r' : 'i'}[call_number]
Call-ID: ${method === 'REGISTER' ? 'r///' : ''}[call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${username}@[local_ip]:[local_port];transport=[transport]>
${more}`;
  const auth = `[authentication username=${username} password=${password}]\n`;
  const target = `sip:${to}@[remote_ip]:[remote_port]`;
  const own = `To: <sip:${username}@${domain}>\n`;
  const offer = described(1, audio());
  const send = (text: string) => `<send retrans="500"><![CDATA[\n${text}\n]]></send>`;
  const plain = (text: string) => `<send><![CDATA[\n${text}\n]]></send>`;
  const empty = 'Content-Length: 0\n\n';
  const optional = [100, 180, 183].map((status) => `<recv response="${status}" optional="true"></recv>`).join('');
  const image = described(2, `m=image ${fax} udptl t38\na=T38FaxVersion:0\na=T38MaxBitRate:9600`);
  const middle =
    fax === undefined
      ? '<pause milliseconds="300"/>'
      : `${send(head('INVITE', '[next_url]', 5, `[last_To:]\n${image}`))}
<recv response="100" optional="true"></recv><recv response="200" rrs="true"></recv>
${plain(head('ACK', '[next_url]', 5, `[last_To:]\n${empty}`))}
<pause milliseconds="4000"/>`;
  return `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="caller">
${send(head('REGISTER', `sip:${domain}`, 1, `${own}${empty}`))}
<recv response="401" auth="true"></recv>
${send(head('REGISTER', `sip:${domain}`, 2, `${own}${auth}${empty}`))}
<recv response="200"></recv>
${send(head('INVITE', target, 3, `To: <${target}>\n${offer}`))}
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>
${plain(head('ACK', target, 3, `[last_To:]\n${empty}`).replace(/Via:.*/, '[last_Via:]'))}
${send(head('INVITE', target, 4, `To: <${target}>\n${auth}${offer}`))}
${optional}<recv response="200" rrs="true"></recv>
${plain(head('ACK', '[next_url]', 4, `[last_To:]\n${empty}`))}
${middle}
${send(head('BYE', '[next_url]', fax === undefined ? 5 : 6, `[last_To:]\n${empty}`))}
<recv response="200"></recv></scenario>`;
}
