/** Messages with third-party phones at our softswitch, over real sockets on the loopback: SIPp and baresip, both ways. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, startCloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Phone } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';

type Line = VerbReply<'line.create'>;
const any = { host: '127.0.0.1', port: 0 };
const world = hostWorld({ level: 'error' });
let folder: string;
let cloud: Cloud;
let ours: Phone;
let a: Line;
let b: Line;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-messages-'));
  const media = { host: '127.0.0.1', low: 43_200, high: 43_299 };
  cloud = await startCloud(
    world,
    { data: join(folder, 'cloud'), http: any, mqtt: any, sip: any, sips: any, media },
    { store: openLocalStore(':memory:'), engineFor: threadEngine },
  );
  const home = await ask('home.create', { name: 'Interop' });
  a = await ask('line.create', { home: home.id, class: 'unmetered' });
  b = await ask('line.create', { home: home.id, class: 'unmetered' });
  ours = await Phone.open({
    ...{ world, host: '127.0.0.1', server: cloud.config.bound.sipUdp ?? any, domain: a.sip.domain },
    ...{ username: a.sip.username, password: a.sip.password ?? '' },
  });
  expect(await ours.register()).toBe(200);
});

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await ours.close();
  await cloud.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function ask<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
  const principal = { kind: 'account', account: 'operator', role: 'operator', homes: 'all', scopes: 'all' } as const;
  const outcome = await cloud.bus.request(verb, request, { principal });
  if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code}`);
  return outcome.value;
}

async function until(condition: () => boolean | Promise<boolean>, what: () => string, limit = 20_000): Promise<void> {
  for (const end = world.clock.mono() + limit; world.clock.mono() < end; ) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what()} did not come in ${limit} ms`);
}

function run(program: string, args: string[]): { exit: Promise<number | null>; output: () => string } {
  const child = spawn(program, args, { cwd: folder, stdio: 'pipe' });
  children.push(child);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += String(data)));
  return { exit: new Promise((resolve) => child.on('exit', resolve)), output: () => text };
}

const registered = async (of: Line) => (await ask('registration.list', { lines: [of.id] })).items.length === 1;
const texts = () => ours.messages.shown.map(({ text }) => text);

describe.skipIf(!hasProgram('sipp'))('SIPp', () => {
  const sipp = (scenario: string, ...args: string[]) => {
    writeFileSync(join(folder, 'scenario.xml'), scenario);
    const port = cloud.config.bound.sipUdp?.port ?? 0;
    return run('sipp', [
      ...['-sf', join(folder, 'scenario.xml'), '-i', '127.0.0.1', '-nostdin', '-timeout', '30', ...args],
      `127.0.0.1:${port}`,
    ]);
  };

  it.each(['u1', 't1'])(
    'sends with digest, and each message arrives once (%s)',
    async (transport) => {
      const { exit, output } = sipp(sending(b, a.number), '-m', '10', '-r', '20', '-t', transport);
      expect(await exit, output()).toBe(0);
      await until(
        () => texts().length === 10,
        () => `all of ${texts()}`,
      );
      expect([texts().toSorted(), ours.messages.heard]).toEqual([
        Array.from({ length: 10 }, (_, n) => `message ${n + 1}\r\n`).toSorted(),
        10,
      ]);
    },
    40_000,
  );

  it('receives what waited for it and what comes, and answers 200', async () => {
    await ask('message.send', { from: a.id, to: b.id, text: 'waited' });
    writeFileSync(join(folder, 'out-of-call.xml'), RECEIVING);
    const phone = sipp(staying(b), '-m', '1', '-oocsf', join(folder, 'out-of-call.xml'));
    await until(
      () => registered(b),
      () => `the registration: ${phone.output()}`,
    );
    expect(await ours.messages.send(b.number, 'comes', { id: 'm-1', receipts: ['positive-delivery'] })).toBe(202);
    const both = async () =>
      (await ask('message.list', { line: b.id })).items.every(({ state }) => state === 'delivered');
    await until(both, () => `both deliveries: ${phone.output()}`);
    await until(
      () => ours.messages.receipts.length === 1,
      () => 'the receipt',
    );
    expect(ours.messages.receipts).toEqual([{ id: 'm-1', status: 'delivered' }]);
  }, 40_000);
});

describe.skipIf(!hasProgram('baresip'))('baresip', () => {
  function baresip(of: Line, contact: string, args: string[] = []) {
    const home = join(folder, 'baresip');
    const server = cloud.config.bound.sipUdp;
    mkdirSync(home, { recursive: true });
    const config = [
      'sip_listen 127.0.0.1:0',
      'module_path /usr/lib/baresip/modules',
      ...['stdio.so', 'g711.so', 'ausine.so'].map((module) => `module ${module}`),
      ...['account.so', 'contact.so', 'menu.so'].map((module) => `module_app ${module}`),
      'audio_source ausine,800',
      '',
    ].join('\n');
    const account = `<sip:${of.sip.username}@${of.sip.domain};transport=udp>;auth_pass=${of.sip.password};outbound="sip:127.0.0.1:${server?.port};transport=udp";regint=300;audio_codecs=PCMU/8000/1\n`;
    writeFileSync(join(home, 'config'), config);
    writeFileSync(join(home, 'accounts'), account);
    writeFileSync(join(home, 'contacts'), `"Ada" <sip:${contact}@${of.sip.domain}>\n`);
    return run('stdbuf', ['-o0', '-e0', 'baresip', '-f', home, ...args]);
  }

  it('takes plain text, says 415 to CPIM and gets the text plain', async () => {
    const theirs = baresip(b, a.number);
    await until(
      () => registered(b),
      () => `the registration: ${theirs.output()}`,
    );
    expect(await ours.messages.send(b.number, 'plain words')).toBe(202);
    await until(
      () => theirs.output().includes('plain words'),
      () => `the text: ${theirs.output()}`,
    );
    expect(await ours.messages.send(b.number, 'wrapped words', { receipts: ['positive-delivery'] })).toBe(202);
    await until(
      () => theirs.output().includes('wrapped words'),
      () => `the text: ${theirs.output()}`,
    );
    await until(
      () => ours.messages.receipts.length === 1,
      () => 'the receipt',
    );
  }, 40_000);

  it('sends a text with digest', async () => {
    const theirs = baresip(b, a.number, ['-e', '/contact_next', '-e', '/message good evening']);
    await until(
      () => texts().length > 0,
      () => `the text: ${theirs.output()}`,
    );
    expect(texts()).toEqual(['good evening']);
  }, 40_000);
});

const head = (
  { sip: { username, domain } }: Line,
  method: string,
  uri: string,
  to: string,
  seq: number,
  more: string,
) =>
  `${method} ${uri} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:${username}@${domain}>;tag=[pid]m[call_number]
To: <${to}>
Call-ID: [call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${username}@[local_ip]:[local_port];transport=[transport]>
${more}`;
const send = (text: string) => `<send retrans="500"><![CDATA[\n${text}\n]]></send>`;
const authentication = ({ sip: { username, password } }: Line) =>
  `[authentication username=${username} password=${password}]\n`;

/** MESSAGE, challenged, and again with the answer. */
function sending(line: Line, to: string): string {
  const target = `sip:${to}@${line.sip.domain}`;
  const body = 'Content-Type: text/plain\nContent-Length: [len]\n\nmessage [call_number]';
  return `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="sender">
${send(head(line, 'MESSAGE', target, target, 1, body))}
<recv response="401" auth="true"></recv>
${send(head(line, 'MESSAGE', target, target, 2, authentication(line) + body))}
<recv response="202"></recv></scenario>`;
}

/** Registers and stays for a while; what comes meanwhile is outside of its call. */
function staying(line: Line): string {
  const own = `sip:${line.sip.username}@${line.sip.domain}`;
  const empty = 'Expires: 120\nContent-Length: 0\n\n';
  return `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="phone">
${send(head(line, 'REGISTER', `sip:${line.sip.domain}`, own, 1, empty))}
<recv response="401" auth="true"></recv>
${send(head(line, 'REGISTER', `sip:${line.sip.domain}`, own, 2, authentication(line) + empty))}
<recv response="200"></recv>
<pause milliseconds="25000"/></scenario>`;
}

const RECEIVING = `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="message">
<recv request="MESSAGE"></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[pid]o[call_number]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send></scenario>`;
