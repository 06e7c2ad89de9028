/** A phone behind two proxies (RFC 3327): what is sent to it goes by both, in their order, over the flow by which it registered. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import type { Phone } from '#simulator/phone.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

const NEAR = '<sip:near@10.2.0.1;lr>';
const BEHIND = '<sip:behind@10.2.0.9;lr>';
const OFFER = 'v=0\r\no=- 1 1 IN IP4 10.2.0.1\r\ns=-\r\nc=IN IP4 10.2.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';

let operator: Operator;
let alice: Phone;
let b: Line;
/** The nearer proxy, with everything behind it. */
let proxy: Agent;
let texts: string[];

beforeEach(async () => {
  operator = await Operator.start(72);
  const home = await operator.home('home_1');
  alice = await operator.ready(await operator.line(home, 1));
  b = await operator.line(home, 2);
  texts = [];
  const host = operator.world.host('proxy', ['10.2.0.1']);
  proxy = agent(host, {
    trace: (way, _flow, text) => void (way === 'in' && texts.push(text)),
    onOutput(output) {
      proxy.seen.push(output);
      const answer = { sdp: OFFER, contact: 'sip:bob@10.9.9.9' };
      if (output.do === 'incoming')
        proxy.transport.act((now, out) => proxy.endpoint.answer(output.call, answer, now, out));
    },
  });
  await operator.world.settle(proxy.transport.bind({ udp: { host: '10.2.0.1', port: 5060 } }));
});
afterEach(() => operator.stop());

/** Registers the phone; the answer. */
async function register(path: readonly string[], expires = 600): Promise<SipMessage | undefined> {
  const { world, config } = operator;
  const sip = config.bound.sipUdp ?? { host: '', port: 0 };
  const flow = await world.settle(proxy.transport.flowTo({ protocol: 'udp', host: config.publicHost, port: sip.port }));
  const own = `<sip:${b.username}@${DOMAIN}>`;
  const message = newRequest('REGISTER', `sip:${DOMAIN}`, [
    ['From', own],
    ['To', own],
    ['Supported', 'path'],
    ...path.map((value): [string, string] => ['Path', value]),
    ['Contact', `<sip:bob@10.9.9.9>;expires=${expires}`],
  ]);
  const hash = sipHash(operator.cloud.crypto);
  const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, b.username, DOMAIN, b.password, hash);
  const credentials = { username: b.username, realm: DOMAIN, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } };
  proxy.transport.act((now, out) => proxy.endpoint.request(message, flow, now, out, credentials));
  await world.run(1_000);
  const last = proxy.seen.findLast((output) => output.do === 'response');
  return last?.do === 'response' ? last.message : undefined;
}

test.each([
  ['two header fields', [NEAR, BEHIND]],
  ['one with both', [`${NEAR}, ${BEHIND}`]],
])('%s', async (_name, path) => {
  const answer = await register(path);
  expect([answer?.status, answer?.headerAll('Path')]).toEqual([200, [NEAR, BEHIND]]);
  const call = await operator.world.settle(alice.dial(b.number));
  await operator.world.until(() => call.state === 'up', 10_000, `the answer: ${call.status}`);
  const invite = texts.find((text) => text.startsWith('INVITE ')) ?? '';
  expect(invite).toMatch(/^INVITE sip:bob@10\.9\.9\.9 SIP/);
  const routes = invite.split('\r\n').filter((line) => line.startsWith('Route:'));
  expect(routes.join(', ').replaceAll('Route: ', '')).toBe(`${NEAR}, ${BEHIND}`);
  call.hangup();
  await operator.world.run(1_000);
  expect(texts.some((text) => text.startsWith('BYE sip:bob@10.9.9.9 '))).toBe(true);
});

test('another way that is registered replaces the first', async () => {
  await register([NEAR, BEHIND]);
  const answer = await register([BEHIND]);
  expect(answer?.headerAll('Path')).toEqual([BEHIND]);
  await operator.world.settle(alice.dial(b.number));
  await operator.world.run(2_000);
  const routes = texts.findLast((text) => text.startsWith('INVITE '))?.match(/^Route: .*$/gm);
  expect(routes).toEqual([`Route: ${BEHIND}`]);
});
