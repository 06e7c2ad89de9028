/** The gateway's messages without its sockets: requests of the cloud and of phones go in, what goes out is seen. */
import { createHash } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { World } from '#shared/kernel/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { newRequest, newResponse, type SipMessage } from '#shared/sip/message.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { write } from '#shared/sip/write.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { House, type HouseLine } from './house.ts';
import { EdgeMessages, REMEMBERED, type Submit } from './messages.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const flow = (id: string, port: number): Flow => ({
  ...{ id, protocol: 'tcp', local: { host: '10.1.0.1', port: 5060 }, remote: { host: '10.1.0.9', port } },
  peer: { kind: 'none' },
});
const line = (n: number): HouseLine => ({
  ...{ id: `line_${n}`, number: `+1555010000${n}`, username: `u${n}`, kind: 'phone', ha1: { md5: '', sha256: '' } },
});
const [CLOUD, ONE, TWO] = [flow('cloud', 1), flow('one', 2), flow('two', 3)];

let endpoint: Endpoint;
let messages: EdgeMessages;
let house: House;
let submitted: Submit[];
let kept: boolean;
let up: boolean;
/** How the phones answer; 0: not at all. */
let answer: number;
/** Requests to phones and to the cloud, and final answers that we gave, by the flow that they went over. */
let requests: { readonly over: string; readonly message: SipMessage }[];
let answers: { readonly over: string; readonly message: SipMessage }[];
let now: number;
let world: World;

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 }).host('elm', ['10.1.0.1']);
  endpoint = new Endpoint({ random: world.random, hash: (_name, text) => sha256(text) });
  [submitted, requests, answers, kept, up, answer, now] = [[], [], [], true, true, 200, 0];
  const sip: SipPort = {
    endpoint,
    act(run) {
      const out: EndpointOutput[] = [];
      const result = run(endpoint, now, out);
      take(out);
      return result;
    },
    contact: () => 'sip:x@10.1.0.1',
  };
  house = new House();
  house.apply([line(1), line(2)]);
  messages = new EdgeMessages({
    ...{ world, sip, house, domain: () => 'x', upstream: () => (up ? CLOUD : undefined), sha256 },
    submit: async (message) => {
      submitted.push(message);
      return kept;
    },
  });
  register(1, ONE);
  register(2, TWO);
});

function register(n: number, over: Flow): void {
  const own = `<sip:u${n}@x>`;
  const headers = [
    ['From', own],
    ['To', own],
    ['Call-ID', `r${n}`],
    ['CSeq', '1 REGISTER'],
    ['Contact', `<sip:u${n}@10.1.0.9:${over.remote.port}>;+sip.instance="<urn:uuid:${n}>"`],
  ] as const;
  house.register(line(n), newRequest('REGISTER', 'sip:x', headers), over, 0, 0);
}

function take(out: readonly EndpointOutput[]): void {
  for (const one of out) {
    if (one.do === 'response' || one.do === 'no-response') messages.heard(one);
    else if (one.do === 'request' && one.flow === CLOUD) void messages.fromCloud(one.transaction, one.message);
    else if (one.do === 'request')
      void messages.fromPhone(one.transaction, one.message, line(one.flow === ONE ? 1 : 2), one.flow);
    else if (one.do === 'send') sent(one.flow, one.message);
  }
}

function sent(over: Flow, message: SipMessage): void {
  if (message.kind === 'response') {
    answers.push({ over: over.id, message });
    return;
  }
  requests.push({ over: over.id, message });
  const status = over === CLOUD ? 202 : answer;
  if (status !== 0) queueMicrotask(() => receive(newResponse(message, status), over));
}

function receive(message: SipMessage, over: Flow): void {
  const out: EndpointOutput[] = [];
  endpoint.receive(write(message), over, now, out);
  take(out);
}

let branch = 0;
async function send(
  over: Flow,
  to: string,
  {
    callId = 'c1',
    cseq = 1,
    type = 'text/plain',
    body = 'hi',
    more = [] as readonly (readonly [string, string])[],
  } = {},
): Promise<number> {
  const before = answers.length;
  const own = over === ONE ? 'u1' : 'u2';
  const headers = [
    ['Via', `SIP/2.0/TCP 10.1.0.9;branch=z9hG4bK${branch++}`],
    ['Max-Forwards', '70'],
    ['From', `<sip:${over === CLOUD ? '+15550100009' : own}@x>;tag=${branch}`],
    ['To', `<${to}>`],
    ['Call-ID', callId],
    ['CSeq', `${cseq} MESSAGE`],
    ['Content-Type', type],
    ...more,
  ] as const;
  receive(newRequest('MESSAGE', to, headers, body), over);
  // Everything here is a matter of promises.
  for (let n = 0; n < 60; n++) await Promise.resolve();
  return answers.slice(before).find(({ over: flowId }) => flowId === over.id)?.message.status ?? 0;
}

const device = (n: number) => messages.devices(`line_${n}`)[0] ?? '';

test('a message of the cloud goes to the phone that it names, once for one Call-ID and CSeq', async () => {
  const to = `sip:u2@10.1.0.1;gr=${device(2)}`;
  expect([await send(CLOUD, to), await send(CLOUD, to), await send(CLOUD, to, { cseq: 2 })]).toEqual([200, 200, 200]);
  expect(requests.map(({ over, message }) => [over, message.callId, message.cseq.n])).toEqual([
    ['two', 'c1', 1],
    ['two', 'c1', 2],
  ]);
  expect(await send(CLOUD, 'sip:u2@10.1.0.1;gr=i_other')).toBe(480);
  expect(await send(CLOUD, 'sip:nobody@10.1.0.1')).toBe(480);
});

test('a repetition that comes while the phone is still asked waits for the same answer', async () => {
  answer = 0;
  const to = 'sip:u2@10.1.0.1';
  expect([await send(CLOUD, to), await send(CLOUD, to)]).toEqual([0, 0]);
  expect(requests).toHaveLength(1);
  const [asked] = requests;
  if (asked !== undefined) receive(newResponse(asked.message, 200), TWO);
  for (let n = 0; n < 60; n++) await Promise.resolve();
  expect(answers.map(({ over, message }) => [over, message.status])).toEqual([
    ['cloud', 200],
    ['cloud', 200],
  ]);
});

test('what a phone refused is not remembered: it is asked again', async () => {
  answer = 486;
  expect(await send(CLOUD, 'sip:u2@10.1.0.1')).toBe(486);
  answer = 200;
  expect(await send(CLOUD, 'sip:u2@10.1.0.1')).toBe(200);
  expect(requests).toHaveLength(2);
});

test(`the outcome of ${REMEMBERED} messages is remembered, and of one more the oldest is not`, async () => {
  const to = 'sip:u2@10.1.0.1';
  for (let n = 0; n <= REMEMBERED; n++) await send(CLOUD, to, { callId: `m${n}` });
  expect(requests).toHaveLength(REMEMBERED + 1);
  await send(CLOUD, to, { callId: 'm1' });
  expect(requests).toHaveLength(REMEMBERED + 1);
  await send(CLOUD, to, { callId: 'm0' });
  expect(requests).toHaveLength(REMEMBERED + 2);
});

test('a message for a phone of the house goes there alone, and is told with who has it', async () => {
  expect(await send(ONE, 'sip:+15550100002@x')).toBe(200);
  expect(requests.map(({ over }) => over)).toEqual(['two']);
  expect(submitted).toMatchObject([
    { line: 'line_1', to: '+15550100002', callId: 'c1', cseq: 1, body: 'hi', delivered: [device(2)] },
  ]);
});

test('a phone of the house that says no says so to the sender; one that is silent gets it from the cloud', async () => {
  answer = 415;
  expect(await send(ONE, 'sip:+15550100002@x')).toBe(415);
  expect(submitted).toEqual([]);
  answer = 500;
  expect(await send(ONE, 'sip:+15550100002@x', { cseq: 2 })).toBe(202);
  expect(submitted.map(({ delivered }) => delivered)).toEqual([undefined]);
});

test('any other goes to the softswitch with the line that was proved; the answer comes back', async () => {
  expect(await send(ONE, 'sip:+15550100009@x')).toBe(202);
  expect(requests.map(({ over, message }) => [over, message.header('P-Asserted-Identity'), message.body])).toEqual([
    ['cloud', '<sip:+15550100001@x>', 'hi'],
  ]);
  expect(submitted).toEqual([]);
});

test.each([
  ['id', 433],
  ['user;critical', 433],
  ['x-more;critical', 500],
  ['none', 200],
])('whoever is not to be named sends none, for it would be: %s', async (privacy, status) => {
  expect(await send(ONE, 'sip:+15550100002@x', { more: [['Privacy', privacy]] })).toBe(status);
  expect([requests.length, submitted.length]).toEqual(status === 200 ? [1, 1] : [0, 0]);
  expect(await send(ONE, 'sip:+15550100009@x', { more: [['Privacy', privacy]], cseq: 2 })).toBe(
    status === 200 ? 202 : status,
  );
});

test('how long it is good, from when, goes on; what is kept counts from when it was sent (RFC 3428 sections 4, 7)', async () => {
  const { clock } = world;
  const sent = new Date(clock.wall() - 20_000).toUTCString();
  const expires = ['Expires', '60'] as const;
  await send(ONE, 'sip:+15550100009@x', { more: [expires, ['Date', sent]] });
  await send(ONE, 'sip:+15550100009@x', { cseq: 2, more: [expires] });
  const dates = requests.map(({ message }) => [message.expires, message.header('Date')]);
  expect(dates).toEqual([
    [60, sent],
    [60, new Date(clock.wall()).toUTCString()],
  ]);
  up = false;
  await send(ONE, 'sip:+15550100009@x', { cseq: 3, more: [expires, ['Date', sent]] });
  const left = submitted[0]?.expiresIn ?? 0;
  expect(left).toBeGreaterThan(39_000 - 1);
  expect(left).toBeLessThan(41_000);
});

test('without a way to the softswitch it is kept, or refused where nobody keeps it', async () => {
  up = false;
  expect(await send(ONE, 'sip:+15550100009@x')).toBe(202);
  expect(submitted).toMatchObject([{ line: 'line_1', to: '+15550100009' }]);
  kept = false;
  expect(await send(ONE, 'sip:+15550100009@x', { cseq: 2 })).toBe(503);
  expect(answers.at(-1)?.message.header('Retry-After')).toBe('30');
});

test.each<[string, { readonly type?: string; readonly body?: string }, number]>([
  ['another kind of content', { type: 'image/png' }, 415],
  ['octets that are no UTF-8', { body: '\xff' }, 415],
  ['one octet too many', { body: 'x'.repeat(10_241) }, 513],
  ['far too many', { body: 'x'.repeat(16_385) }, 513],
])(
  'what the cloud would refuse is refused at once, since nobody could be told later: %s',
  async (_name, what, status) => {
    up = false;
    expect(await send(ONE, 'sip:+15550100009@x', what)).toBe(status);
    expect(submitted).toEqual([]);
  },
);
