/** Small third-party programs at our softswitch: sipsak, and the npm package `sip` as a phone. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

type Line = VerbReply<'line.create'>;
let rig: LoopbackCloud;

beforeAll(async () => {
  rig = await LoopbackCloud.start();
});
afterAll(() => rig.stop());

async function line(): Promise<Line> {
  const home = await rig.ask('home.create', { name: 'Small peers' });
  return rig.ask('line.create', { home: home.id, class: 'unmetered' });
}

const port = () => rig.cloud.config.bound.sipUdp?.port ?? 0;
const there = async (of: Line) => (await rig.ask('registration.list', { lines: [of.id] })).items.length;

describe.skipIf(!hasProgram('sipsak'))('sipsak', () => {
  async function sipsak(...words: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn('sipsak', words, { stdio: ['ignore', 'pipe', 'pipe'] });
    rig.children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    return { code: await new Promise((resolve) => child.on('exit', resolve)), output };
  }

  it('gets an answer to OPTIONS', async () => {
    const { code, output } = await sipsak('-v', '-s', `sip:127.0.0.1:${port()}`);
    expect(code, output).toBe(0);
    expect(output).toMatch(/SIP\/2\.0 200/);
  });

  it('registers with digest, and not with a wrong password', async () => {
    const mine = await line();
    const { username, domain, password = '' } = mine.sip;
    const words = ['-U', '-C', `sip:${username}@127.0.0.1:45999`, '-x', '600', '-p', `127.0.0.1:${port()}`];
    const wrong = await sipsak(...words, '-u', username, '-a', 'guessed', '-s', `sip:${username}@${domain}`);
    expect([wrong.code === 0, await there(mine)]).toEqual([false, 0]);
    const { code, output } = await sipsak(...words, '-u', username, '-a', password, '-s', `sip:${username}@${domain}`);
    expect(code, output).toBe(0);
    expect(await there(mine)).toBe(1);
  });
});

interface Message {
  method?: string;
  uri?: string;
  status?: number;
  reason?: string;
  version?: string;
  content?: string;
  headers: Record<string, unknown>;
}

interface Stack {
  start(options: object, onRequest: (request: Message) => void): void;
  stop(): void;
  send(message: Message, onResponse?: (response: Message) => void): void;
  makeResponse(request: Message, status: number, reason: string): Message;
}

describe('the npm package sip', () => {
  const load = createRequire(import.meta.url);
  const stack = load('sip') as Stack;
  const digest = load('sip/digest') as {
    signRequest(session: object, request: Message, response: Message, credentials: object): void;
  };
  const own = 45_998;
  const sdp = (name: number) =>
    `v=0\r\no=- ${name} 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 45996 RTP/AVP 0\r\n`;

  it('registers with digest, is called, answers and hears the end', async () => {
    const [mine, other] = [await line(), await line()];
    const heard: string[] = [];
    stack.start({ address: '127.0.0.1', publicAddress: 'localhost', port: own, tcp: false }, (request) => {
      heard.push(request.method ?? '');
      if (request.method === 'ACK') return;
      const answer = stack.makeResponse(request, 200, 'OK');
      if (request.method === 'INVITE') {
        (answer.headers.to as { params: Record<string, string> }).params.tag = 'theirs';
        answer.headers.contact = [{ uri: `sip:${mine.sip.username}@127.0.0.1:${own}` }];
        answer.headers['content-type'] = 'application/sdp';
        answer.content = sdp(1);
      }
      stack.send(answer);
    });
    try {
      const address = { uri: `sip:${mine.sip.username}@${mine.sip.domain}` };
      const request: Message = {
        ...{ method: 'REGISTER', uri: `sip:${mine.sip.domain}` },
        headers: {
          ...{ to: address, from: { ...address, params: { tag: 'mine' } }, 'call-id': 'small-peers', expires: 300 },
          cseq: { method: 'REGISTER', seq: 1 },
          contact: [{ uri: `sip:${mine.sip.username}@127.0.0.1:${own}` }],
          route: [{ uri: `sip:127.0.0.1:${port()};lr` }],
        },
      };
      const ask = () => new Promise<Message>((resolve) => stack.send(request, resolve));
      const challenge = await ask();
      expect(challenge.status).toBe(401);
      const { username: user, password } = mine.sip;
      digest.signRequest({}, request, challenge, { user, password });
      (request.headers.cseq as { seq: number }).seq = 2;
      expect((await ask()).status).toBe(200);
      const desk = await Phone.open({
        ...{ world: rig.world, host: '127.0.0.1', server: rig.cloud.config.bound.sipUdp ?? any },
        ...{ domain: other.sip.domain, username: other.sip.username, password: other.sip.password ?? '' },
      });
      rig.phones.push(desk);
      expect(await desk.register()).toBe(200);
      const call = await desk.dial(mine.number);
      await rig.until(() => call.state === 'up', 'the answer');
      call.hangup();
      await rig.until(() => heard.includes('BYE'), 'the BYE');
      expect(heard).toEqual(['INVITE', 'ACK', 'BYE']);
    } finally {
      stack.stop();
    }
  });
});
