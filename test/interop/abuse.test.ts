/** What scanners and crackers learn of the softswitch: the tools of sipvicious, and datagrams of strangers, on the loopback. */
import { createSocket } from 'node:dgram';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

let rig: LoopbackCloud;
let line: VerbReply<'line.create'>;
let port: number;

beforeEach(async () => {
  rig = await LoopbackCloud.start();
  const home = await rig.ask('home.create', { name: 'Elm' });
  line = await rig.ask('line.create', { home: home.id, name: 'Kitchen' });
  port = rig.cloud.config.bound.sipUdp?.port ?? 0;
});
afterEach(() => rig.stop());

/** Runs a tool to its end; what it wrote, without colours. */
async function tool(name: string, ...args: string[]): Promise<string> {
  return (await rig.run(name, [...args, '-b', '127.0.0.1', '-p', String(port), '127.0.0.1'])).output;
}

/** Sends one datagram and gathers what comes back within a second and a half. */
function answersTo(text: string, wait = 1_500): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const answers: string[] = [];
    socket.on('message', (data) => void answers.push(data.toString('latin1')));
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const whole = text.replaceAll('ADDRESS', `127.0.0.1:${socket.address().port}`);
      socket.send(whole, port, '127.0.0.1');
      setTimeout(() => socket.close(() => resolve(answers)), wait);
    });
  });
}

let calls = 0;
/** A request of a stranger, 400 octets at the least. */
function request(method: string, user: string, more = ''): string {
  const id = `stranger-${++calls}`;
  const head = `${method} sip:${user}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP ADDRESS;branch=z9hG4bK${id};rport\r\nMax-Forwards: 70\r\nFrom: <sip:${user}@${line.sip.domain}>;tag=${id}\r\nTo: <sip:${user}@${line.sip.domain}>\r\nCall-ID: ${id}\r\nCSeq: 1 ${method}\r\nContact: <sip:${user}@ADDRESS>\r\n${more}`;
  const padding = Math.max(0, 400 - head.length - 40);
  return `${head}X-Padding: ${'x'.repeat(padding)}\r\nContent-Length: 0\r\n\r\n`;
}

describe('a stranger’s datagram', () => {
  it('is answered with no more than half as much again, once challenged, and without a word about who we are', async () => {
    const methods = ['REGISTER', 'INVITE', 'OPTIONS', 'SUBSCRIBE', 'MESSAGE', 'PUBLISH', 'FOO'];
    const asked = [
      ...methods.map((method) => ({ method, text: request(method, line.sip.username) })),
      { method: 'help', text: request('INVITE', '112') },
    ];
    const all = await Promise.all(asked.map(async (one) => ({ ...one, answers: await answersTo(one.text) })));
    for (const { method, text, answers } of all) {
      const octets = answers.reduce((sum, one) => sum + one.length, 0);
      expect(octets, `${method} ${answers.join('\n')}`).toBeLessThanOrEqual(text.length * 1.5);
      expect(answers.length, method).toBeGreaterThan(0);
      const heads = answers.flatMap((one) => one.split('\r\n'));
      expect(heads.filter((header) => /^(?:WWW|Proxy)-Authenticate/i.test(header)).length).toBeLessThanOrEqual(1);
      for (const one of answers) expect(one).not.toMatch(/^(?:Server|User-Agent):|hearthline\/|node|kamailio/im);
    }
    expect(all.find(({ method }) => method === 'INVITE')?.answers.join()).toContain('401');
  }, 10_000);

  it.each([
    ['a credential that is none', 'Authorization: Digest username="x", broken\r\n'],
    [
      'a wrong credential',
      'Authorization: Digest username="USER", realm="DOMAIN", nonce="00", uri="sip:x", response="0123456789abcdef0123456789abcdef"\r\n',
    ],
    ['what nobody can do', 'Require: wonders\r\n'],
  ])('with %s is not worth repeated answers', async (_name, more) => {
    const { username, domain } = line.sip;
    const text = request('INVITE', username, more.replace('USER', username).replace('DOMAIN', domain));
    const answers = await answersTo(text);
    expect(answers.map((one) => one.slice(8, 11))).toEqual([more.startsWith('Require') ? '420' : '401']);
    expect(answers.join('').length).toBeLessThanOrEqual(text.length * 1.5);
  });

  it('tells nothing of who exists', async () => {
    const shape = async (user: string) => {
      const [answer = ''] = await answersTo(request('REGISTER', user), 600);
      return answer
        .replace(/nonce="[^"]*"/, '')
        .replace(/tag=[\w-]+|stranger-\d+|branch=\S+|127\.0\.0\.1:\d+/g, '')
        .replaceAll(user, 'U');
    };
    const nobody = `u${'a'.repeat(line.sip.username.length - 1)}`;
    expect(await shape(line.sip.username)).toBe(await shape(nobody));
  });

  it('that cannot be read is no guess at a password', async () => {
    for (let i = 0; i < 40; i++) {
      await answersTo(request('REGISTER', line.sip.username, 'Authorization: Digest username="x", broken\r\n'), 5);
    }
    expect(await registers(line.sip.password ?? '')).toBe(200);
  });
});

async function registers(password: string): Promise<number> {
  const phone = await Phone.open({
    ...{ world: rig.world, host: '127.0.0.1', server: rig.cloud.config.bound.sipUdp ?? any, domain: line.sip.domain },
    ...{ username: line.sip.username, password },
  });
  rig.phones.push(phone);
  return phone.register();
}

describe.skipIf(!hasProgram('svmap'))('sipvicious', () => {
  it('svmap learns no product', async () => {
    const text = await tool('svmap');
    expect(text).toContain('127.0.0.1');
    expect(text).not.toMatch(/hearthline|node/i);
    expect(text).toMatch(/unknown/);
  }, 40_000);

  it.each(['REGISTER', 'INVITE', 'OPTIONS'])(
    'svwar finds no user by %s',
    async (method) => {
      const words = join(rig.folder, 'users.txt');
      writeFileSync(words, ['1000', 'admin', line.sip.username, line.number, line.number.slice(1), 'u123'].join('\n'));
      const plain = await tool('svwar', '-d', words, '-m', method);
      const forced = await tool('svwar', '-d', words, '-m', method, '--force');
      for (const text of [plain, forced]) {
        const found = text.split('\n').filter((row) => /reqauth|noauth|weird/.test(row) && row.includes('|'));
        // All alike, or nothing at all: the real one does not stand out.
        const verdicts = new Set(found.map((row) => row.split('|')[2]?.trim()));
        expect(found.length === 0 || (verdicts.size === 1 && found.length >= 6), text).toBe(true);
        expect(text).not.toContain('noauth');
      }
    },
    60_000,
  );

  it('svcrack is shut out within ten tries, and does not find the password that it has', async () => {
    const words = join(rig.folder, 'passwords.txt');
    writeFileSync(words, [...Array.from({ length: 30 }, (_, i) => `wrong${i}`), line.sip.password].join('\n'));
    const text = await tool('svcrack', '-u', line.sip.username, '-d', words, `--domain=${line.sip.domain}`);
    expect(text).not.toContain(line.sip.password ?? '?');
    expect(await registers(line.sip.password ?? '')).toBe(403);
  }, 60_000);
});
