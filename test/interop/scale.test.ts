/** Two softswitch processes behind Kamailio: calls across them, and what becomes of them when one is killed. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { processEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, startCloud } from '#cloud/main.ts';
import { softswitchProcesses } from '#cloud/softswitch-process/server.ts';
import { openStore } from '#cloud/store/server.ts';
import type { Store } from '#cloud/store/store.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { sine } from '#shared/rtp/measure.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { startDispatcher } from './dispatcher.ts';
import type { KamailioProgram } from './kamailio-program.ts';
import { any } from './loopback-cloud.ts';

const operator = { kind: 'account', account: 'operator', role: 'operator', homes: 'all', scopes: 'all' } as const;
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

describe.skipIf(!hasProgram('kamailio'))('two softswitch processes behind Kamailio', () => {
  const world = hostWorld({ level: 'error' });
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-scale-'));
  const phones: Phone[] = [];
  /** A phone registered with each process. */
  const of: Phone[] = [];
  let numbers: string[];
  /** The line of the phone at process 1. */
  let line: string;
  let cloud: Cloud;
  let store: Store;
  let front: KamailioProgram;

  beforeAll(async () => {
    const data = join(folder, 'cloud');
    const database = join(folder, 'cloud.db');
    store = await openStore(database);
    const media = { host: '127.0.0.1', low: 44_000, high: 44_199 };
    const softswitch = softswitchProcesses({ count: 2, database, level: 'error' });
    cloud = await startCloud(
      world,
      { data, http: any, mqtt: any, sip: any, sips: any, media },
      { store, engineFor: processEngine, softswitch },
    );
    const at = { host: '127.0.0.1', port: await freePort() };
    front = await startDispatcher(
      folder,
      at,
      processes().map(({ sipUdp }) => sipUdp ?? any),
    );
    await registerPhones(at);
  }, 60_000);

  afterAll(async () => {
    for (const phone of phones) await phone.close();
    await cloud?.stop();
    await front?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const processes = () => cloud.config.bound.softswitches ?? [];

  async function ask<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    const outcome = await cloud.bus.request(verb, request, { principal: operator });
    if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code}`);
    return outcome.value;
  }

  /** One phone at each process; Kamailio sends a line to a process by its address, so some lines may be tried. */
  async function registerPhones(server: Address): Promise<void> {
    const home = await ask('home.create', { name: 'Elm' });
    const found = new Map<string, { phone: Phone; number: string; id: string }>();
    for (let i = 0; found.size < 2 && i < 12; i++) {
      const { id, number, sip } = await ask('line.create', { home: home.id, name: `Line ${i}` });
      const { domain, username, password = '' } = sip;
      const voice = sine(600, -10, 8000);
      const phone = await Phone.open({ world, host: '127.0.0.1', server, domain, username, password, voice });
      phones.push(phone);
      expect(await phone.register()).toBe(200);
      const row = await store.one<{ owner: string }>('SELECT owner FROM binding WHERE line = ?', [id]);
      found.set(row?.owner.split('-')[0] ?? '', { phone, number, id });
    }
    line = found.get('1')?.id ?? '';
    const ordered = ['0', '1'].map((index) => found.get(index));
    of.push(...ordered.flatMap((one) => one?.phone ?? []));
    numbers = ordered.map((one) => one?.number ?? '');
    expect(of).toHaveLength(2);
  }

  async function until(condition: () => boolean | Promise<boolean>, what: string, limit = 20_000): Promise<void> {
    for (const end = performance.now() + limit; performance.now() < end; await pause(30)) if (await condition()) return;
    throw new Error(`${what} did not come in ${limit} ms; ${front.output}`);
  }

  async function talk(from: Phone, to: Phone, number: string): Promise<{ out: PhoneCall; in: PhoneCall }> {
    const call = await from.dial(number);
    await until(() => call.state === 'up', `the answer: ${call.status}`);
    const other = to.calls.at(-1);
    if (other === undefined) throw new Error('nobody was called');
    await until(() => call.heard().length > 800 && other.heard().length > 800, 'sound both ways');
    return { out: call, in: other };
  }

  const records = async () => (await ask('cdr.list', {})).items;
  const ownerOf = async () =>
    (await store.all<{ owner: string }>('SELECT DISTINCT owner FROM channel')).map((row) => row.owner);

  it('lists the phones of both once', async () => {
    const { items } = await ask('registration.list', {});
    expect(items).toHaveLength(phones.length);
    expect(items.every(({ contacts }) => contacts === 1)).toBe(true);
  });

  it.each([
    [0, 1],
    [1, 0],
  ] as const)('a phone of process %i calls one of process %i', async (from, to) => {
    const before = (await records()).length;
    const call = await talk(of[from] as Phone, of[to] as Phone, numbers[to] ?? '');
    expect((await ownerOf()).map((owner) => owner.split('-')[0])).toEqual([String(from)]);
    call.in.hangup();
    await until(() => call.out.state === 'ended', 'the end');
    await until(async () => (await records()).length === before + 2, 'a record of each leg');
  });

  /** The call goes on at `heir`, with a re-INVITE and a BYE, and is charged once. */
  async function goesOn(call: { out: PhoneCall; in: PhoneCall }, owner: string, heir: RegExp): Promise<void> {
    const before = (await records()).length;
    call.out.hold(true);
    await until(() => call.in.held, 'the hold at the other side');
    const [heirs = '', ...more] = await ownerOf();
    expect([heirs, more]).toEqual([expect.stringMatching(heir), []]);
    expect(heirs).not.toBe(owner);
    call.in.hangup();
    await until(() => call.out.state === 'ended', 'the end');
    await until(async () => (await records()).length === before + 2, 'a record of each leg');
    const [one, other] = (await records()).slice(0, 2);
    expect([one?.reason, other?.reason, other?.session]).toEqual(['hangup', 'hangup', one?.session]);
    await until(async () => (await ownerOf()).length === 0, 'nothing left of the call');
  }

  async function kill(index: number): Promise<{ pid: number; again(): Promise<void> }> {
    const { pid = 0 } = processes()[index] ?? {};
    process.kill(pid, 'SIGKILL');
    await until(() => !lives(pid), 'the end of the process');
    const again = async () => {
      await until(() => processes().every((one) => lives(one.pid)), 'it again', 30_000);
      // Until Kamailio has seen it, what is its share goes to the other one.
      const seen = async () => {
        await of[index]?.register();
        const row = await store.one<{ owner: string }>('SELECT owner FROM binding WHERE line = ?', [line]);
        return row?.owner.startsWith(`${index}-`) === true;
      };
      await until(seen, 'its share', 30_000);
    };
    return { pid, again };
  }

  it('a killed process is started again and goes on with its calls', async () => {
    const call = await talk(of[1] as Phone, of[0] as Phone, numbers[0] ?? '');
    const [owner = ''] = await ownerOf();
    const { again } = await kill(1);
    await again();
    // On a machine that is too busy to start it within 10 s, the other one was given its calls.
    await goesOn(call, owner, /^[01]-/);
  }, 90_000);

  it('the other one takes the calls up of a killed process that does not come again', async () => {
    const call = await talk(of[1] as Phone, of[0] as Phone, numbers[0] ?? '');
    const [owner = ''] = await ownerOf();
    const port = processes()[1]?.sipUdp?.port ?? 0;
    const { again } = await kill(1);
    const taken = await occupy(port);
    await goesOn(call, owner, /^0-/);
    // The phone of the dead process can be called, for its way is by Kamailio.
    const inward = await talk(of[0] as Phone, of[1] as Phone, numbers[1] ?? '');
    inward.in.hangup();
    await until(() => inward.out.state === 'ended', 'the end');
    taken.close();
    await again();
    const outward = await talk(of[1] as Phone, of[0] as Phone, numbers[0] ?? '');
    outward.out.hangup();
    await until(() => outward.in.state === 'ended', 'the end of the next call');
  }, 120_000);

  /** Calls by way of a Kamailio that knows a full process and our second one, until the full one has turned one away: what its phone heard last. */
  async function turnedAway(name: string, full: Awaited<ReturnType<typeof busy>>): Promise<string | undefined> {
    const { sipUdp } = processes()[1] ?? {};
    if (sipUdp === undefined) throw new Error('no second process');
    const at = { host: '127.0.0.1', port: await freePort() };
    const second = await startDispatcher(join(folder, name), at, [full.address, sipUdp]);
    try {
      const home = await ask('home.create', { name });
      for (let i = 0; i < 8; i++) {
        const { sip } = await ask('line.create', { home: home.id, name: `${name} ${i}` });
        const { domain, username, password = '' } = sip;
        const heard: string[] = [];
        const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
        const phone = await Phone.open({ world, host: '127.0.0.1', server: at, domain, username, password, trace });
        phones.push(phone);
        const call = await phone.dial(numbers[0] ?? '');
        await until(() => call.state === 'up' || call.state === 'ended', 'an outcome');
        if (call.state === 'up') {
          await until(async () => (await ownerOf()).length === 1, 'its row');
          expect((await ownerOf())[0]).toMatch(/^1-/);
          call.hangup();
          await until(async () => (await ownerOf()).length === 0, 'the end');
        }
        if (full.refused > 0)
          return heard.findLast((text) => text.startsWith('SIP/2.0 ') && /^CSeq: \d+ INVITE\r$/m.test(text));
      }
      return undefined;
    } finally {
      full.close();
      await second.stop();
    }
  }

  it('what a process has no room for goes to another one, and stays there', async () => {
    const full = await busy(false);
    expect(await turnedAway('Ash', full)).toMatch(/^SIP\/2\.0 200 /);
    expect(full.refused).toBe(1);
  }, 60_000);

  it('what it has challenged and then has no room for is told so', async () => {
    const full = await busy(true);
    const told = await turnedAway('Elder', full);
    expect(told).toMatch(/^SIP\/2\.0 500 /);
    expect(told).toContain('\r\nRetry-After: 5\r\n');
    expect(full.refused).toBe(1);
  }, 60_000);

  it('a phone on a connection of one process is called by way of it', async () => {
    const home = await ask('home.create', { name: 'Oak' });
    const made = await Promise.all(
      ['tcp', 'udp'].map(async (protocol, index) => {
        const { number, sip } = await ask('line.create', { home: home.id, name: protocol });
        const { domain, username, password = '' } = sip;
        const { sipTcp, sipUdp } = processes()[index] ?? {};
        const server = (protocol === 'tcp' ? sipTcp : sipUdp) ?? any;
        const voice = sine(600, -10, 8000);
        const transport = protocol === 'tcp' ? { protocol: 'tcp' as const } : {};
        const phone = await Phone.open({
          world,
          host: '127.0.0.1',
          server,
          domain,
          username,
          password,
          voice,
          ...transport,
        });
        phones.push(phone);
        expect(await phone.register()).toBe(200);
        return { phone, number };
      }),
    );
    const [tcp, udp] = made as [(typeof made)[number], (typeof made)[number]];
    const call = await talk(udp.phone, tcp.phone, tcp.number);
    expect((await ownerOf())[0]).toMatch(/^1-/);
    call.in.hold(true);
    await until(() => call.out.held, 'the hold by the phone on the connection');
    call.in.hangup();
    await until(() => call.out.state === 'ended', 'the end');
    const back = await talk(tcp.phone, udp.phone, udp.number);
    back.in.hangup();
    await until(() => back.out.state === 'ended', 'the end of the call back');
  }, 60_000);
});

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Listens where a process did, and says nothing. */
async function occupy(port: number): Promise<Socket> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** What looks like the first process with more to do than it can: it is there, and turns every call away, at once or once it is signed. */
async function busy(challenges: boolean) {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const made = { address: { host: '127.0.0.1', port: socket.address().port }, refused: 0, close: () => socket.close() };
  socket.on('message', (data, from) => {
    const [head = ''] = data.toString('latin1').split('\r\n\r\n');
    const [start = '', ...lines] = head.split('\r\n');
    if (start.startsWith('ACK ')) return;
    const kept = lines.filter((one) => /^(via|from|to|call-id|cseq|v|f|t|i)\s*:/i.test(one));
    const refuses = start.startsWith('INVITE ');
    const asks = refuses && challenges && !/^authorization:/im.test(head);
    if (refuses && !asks) made.refused++;
    const status = asks ? '401 Unauthorized' : refuses ? '503 Service Unavailable' : '200 OK';
    const nonce = 'WWW-Authenticate: Digest realm="hearthline", nonce="0123456789abcdefg", algorithm=MD5, qop="auth"';
    const more = asks ? [nonce] : refuses ? ['Retry-After: 5'] : [];
    const answer = [`SIP/2.0 ${status}`, ...kept, ...more, 'Content-Length: 0', '', ''].join('\r\n');
    socket.send(Buffer.from(answer, 'latin1'), from.port, from.address);
  });
  return made;
}

/** A port of the loopback that is free for UDP now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address();
      socket.close(() => resolve(port));
    });
  });
}
