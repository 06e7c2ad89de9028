/** The npm package `sip` as a phone at our softswitch: it registers, is called, calls, and what it gets wrong hurts nobody. */
import { createSocket } from 'node:dgram';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { type Line, LoopbackCloud } from './loopback-cloud.ts';

/** A message as that package has it: headers parsed into plain objects. */
interface Message {
  method?: string;
  uri?: string;
  status?: number;
  reason?: string;
  content?: string;
  headers: Record<string, unknown>;
}

interface Stack {
  start(options: object, onRequest: (request: Message) => void): void;
  stop(): void;
  send(message: Message, onResponse?: (response: Message) => void): void;
  makeResponse(request: Message, status: number, reason: string): Message;
}

const load = createRequire(import.meta.url);
const stack = load('sip') as Stack;
const digest = load('sip/digest') as {
  signRequest(session: object, request: Message, response: Message, credentials: object): void;
};

const OWN = 45_998;
const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 45996 RTP/AVP 0\r\n';

let rig: LoopbackCloud;
let heard: string[];
let mine: Line;
let desk: Phone;
let deskLine: Line;
let calls = 0;

const port = () => rig.cloud.config.bound.sipUdp?.port ?? 0;
const contact = () => [{ uri: `sip:${mine.sip.username}@127.0.0.1:${OWN}` }];

const line = () => rig.line();

/** A request of its own in a new dialog, not signed yet. */
function request(method: string, uri: string, to: string, more: Record<string, unknown> = {}): Message {
  const from = `sip:${mine.sip.username}@${mine.sip.domain}`;
  return {
    ...{ method, uri },
    headers: {
      ...{ to: { uri: to }, from: { uri: from, params: { tag: `t${++calls}` } }, 'call-id': `npm-${calls}` },
      cseq: { method, seq: 1 },
      contact: contact(),
      route: [{ uri: `sip:127.0.0.1:${port()};lr` }],
      ...more,
    },
  };
}

/** Sends a request, and once more with digest where that is asked for; gives the final answer. */
async function signed(message: Message): Promise<Message> {
  const ask = () =>
    new Promise<Message>((resolve) => {
      stack.send(message, (answer) => {
        if ((answer.status ?? 0) >= 200) resolve(answer);
      });
    });
  const challenge = await ask();
  expect(challenge.status).toBe(401);
  const { username: user, password } = mine.sip;
  digest.signRequest({}, message, challenge, { user, password });
  (message.headers.cseq as { seq: number }).seq++;
  return ask();
}

/** A request inside the dialog that an answer made. */
function inside(invite: Message, answer: Message, method: string): Message {
  const seq = (invite.headers.cseq as { seq: number }).seq + (method === 'ACK' ? 0 : 1);
  const [target] = answer.headers.contact as { uri: string }[];
  const { from, 'call-id': id } = invite.headers;
  return {
    ...{ method, uri: target?.uri ?? '' },
    headers: { to: answer.headers.to, from, 'call-id': id, cseq: { method, seq } },
  };
}

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());
beforeEach(async () => {
  heard = [];
  [mine, deskLine] = [await line(), await line()];
  desk = await rig.phone(deskLine);
  stack.start({ address: '127.0.0.1', publicAddress: 'localhost', port: OWN, tcp: false }, (asked) => {
    heard.push(asked.method ?? '');
    if (asked.method === 'ACK') return;
    const answer = stack.makeResponse(asked, 200, 'OK');
    if (asked.method === 'INVITE') {
      (answer.headers.to as { params: Record<string, string> }).params.tag = 'theirs';
      answer.headers.contact = contact();
      answer.headers['content-type'] = 'application/sdp';
      answer.content = SDP;
    }
    stack.send(answer);
  });
  const own = `sip:${mine.sip.username}@${mine.sip.domain}`;
  const answer = await signed(request('REGISTER', `sip:${mine.sip.domain}`, own, { expires: 300 }));
  expect(answer.status).toBe(200);
});
afterEach(() => stack.stop());

describe('the npm package sip', () => {
  it('registers with digest, is called, answers and hears the end', async () => {
    const call = await desk.dial(mine.number);
    await rig.until(() => call.state === 'up', 'the answer');
    call.hangup();
    await rig.until(() => heard.includes('BYE'), 'the BYE');
    expect(heard).toEqual(['INVITE', 'ACK', 'BYE']);
  });

  it('calls with digest, and hangs up; both legs have a record', async () => {
    const uri = `sip:${deskLine.number}@${mine.sip.domain}`;
    const invite = request('INVITE', uri, uri, { 'content-type': 'application/sdp' });
    invite.content = SDP;
    const answer = await signed(invite);
    expect([answer.status, answer.content?.includes('m=audio')]).toEqual([200, true]);
    stack.send(inside(invite, answer, 'ACK'));
    await rig.until(() => desk.calls[0]?.state === 'up', 'the call');
    const over = await new Promise<Message>((resolve) => stack.send(inside(invite, answer, 'BYE'), resolve));
    expect(over.status).toBe(200);
    await rig.until(() => desk.calls[0]?.state === 'ended', 'the BYE');
    await rig.until(async () => (await rig.ask('cdr.list', {})).items.length >= 2, 'the records');
  });

  it.each([
    ['no To', (text: string) => text.replace(/^To:.*\r\n/m, '')],
    ['a CSeq of another method', (text: string) => text.replace(/^CSeq:.*\r\n/m, 'CSeq: 5 BYE\r\n')],
    [
      'a Content-Length beyond its end',
      (text: string) => text.replace(/^Content-Length:.*\r\n/m, 'Content-Length: 999\r\n'),
    ],
    ['two Call-IDs', (text: string) => text.replace(/^(Call-ID:.*\r\n)/m, '$1Call-ID: other\r\n')],
    ['half of itself', (text: string) => text.slice(0, text.length / 2)],
    ['octets of nothing', () => '\u0000\u0001\u00ff'.repeat(200)],
  ])('junk with %s gets no 200, and calls go on', async (_name, spoil) => {
    const { username, domain } = mine.sip;
    const branch = `z9hG4bKj${++calls}`;
    const text = spoil(
      `OPTIONS sip:${domain} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:45997;branch=${branch};rport\r\nMax-Forwards: 70\r\n` +
        `From: <sip:${username}@${domain}>;tag=j\r\nTo: <sip:${domain}>\r\nCall-ID: ${branch}\r\nCSeq: 5 OPTIONS\r\n` +
        'Content-Length: 0\r\n\r\n',
    );
    const socket = createSocket('udp4');
    const answers: string[] = [];
    socket.on('message', (data) => answers.push(String(data).split('\r\n')[0] ?? ''));
    await new Promise<void>((resolve) => socket.bind(45_997, '127.0.0.1', resolve));
    socket.send(Buffer.from(text, 'latin1'), port(), '127.0.0.1');
    expect(await desk.ask('OPTIONS')).toBe(200);
    await new Promise<void>((resolve) => socket.close(() => resolve()));
    expect(answers.filter((line) => !/^SIP\/2\.0 4\d\d /.test(line))).toEqual([]);
  });
});
