/** Junk on every port of the real processes, and requests that are wrong in a known way: each gets its answer, nothing dies or grows. */
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import { hostWorld } from '#shared/host/world.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import type { Credentials, Flow, InviteOptions } from '#shared/sip/types.ts';
import { mutate, seeded } from '#test/support/mutate.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { seed } from '../support/seed.ts';
import { dialled } from './crash-flows.ts';
import { eventually, House, pause } from './crash-house.ts';

/** Milliseconds of junk for each port, MiB that a process may grow by. */
const JUNK_FOR = 450;
const GROWTH = 32;
/** The source of junk: not that of the phones, which have proved themselves. */
const STRANGER = '127.0.0.66';

const INVITE =
  'INVITE sip:100@hearthline SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.66:5060;branch=z9hG4bKjunk;rport\r\nMax-Forwards: 70\r\nFrom: <sip:a@hearthline>;tag=x\r\nTo: <sip:100@hearthline>\r\nCall-ID: junk@127.0.0.66\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.66>\r\nContent-Type: application/sdp\r\nContent-Length: 95\r\n\r\nv=0\r\no=- 1 1 IN IP4 127.0.0.66\r\ns=-\r\nc=IN IP4 127.0.0.66\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n';
const HTTP =
  'POST /v1/homes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"name":"junk"}';
const MQTT = '\x10\x19\x00\x04MQTT\x04\x02\x00\x3c\x00\x0dhl-1234567890';
const RTP = '\x80\x00\x00\x01\x00\x00\x00\xa0\x12\x34\x56\x78'.padEnd(172, '\x55');

const residentMiB = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
const address = (text: string) => {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace('http://', ''), port: Number(text.slice(at + 1)) };
};

describe(`junk (HEARTHLINE_SEED=${seed})`, { timeout: 120_000 }, () => {
  const next = seeded(seed);
  let house: House;
  beforeAll(async () => {
    house = await House.open(17_200);
  }, 90_000);
  afterAll(() => house?.[Symbol.asyncDispose]());

  const junkOf = (model: string) =>
    Buffer.from(next() < 0.2 ? randomOctets() : mutate(mutate(model, next), next), 'latin1');
  const randomOctets = () =>
    Array.from({ length: Math.floor(next() * 600) }, () => String.fromCharCode(Math.floor(next() * 256))).join('');

  async function datagrams(to: { host: string; port: number }, model: string): Promise<number> {
    const socket = createSocket('udp4');
    await new Promise<void>((done) => socket.bind(0, STRANGER, done));
    socket.on('error', () => undefined);
    let sent = 0;
    for (const end = Date.now() + JUNK_FOR; Date.now() < end; await pause(1)) {
      for (let n = 0; n < 5; n++, sent++) socket.send(junkOf(model), to.port, to.host);
    }
    socket.close();
    return sent;
  }

  async function streams(to: { host: string; port: number }, model: string, tls: boolean): Promise<number> {
    let sent = 0;
    for (const end = Date.now() + JUNK_FOR; Date.now() < end; sent++) {
      await new Promise<void>((done) => {
        const raw = connect({ ...to, localAddress: STRANGER });
        const socket = tls ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw;
        for (const one of [raw, socket]) one.on('error', () => done());
        socket.on('close', () => done());
        socket.once(tls ? 'secureConnect' : 'connect', () => {
          for (let n = 0; n < 10; n++) socket.write(junkOf(model));
          setTimeout(() => socket.destroy(), 10);
        });
        setTimeout(() => raw.destroy(), 300);
      });
    }
    return sent;
  }

  it('of about ten seconds on every port: processes live and do not grow, calls and requests go on', async () => {
    const call = await dialled(house);
    const { ready } = house.cloud;
    const device = house.homes[0]?.device().ready;
    if (device === undefined) throw new Error('there are two homes');
    const pids = [ready.pid, device.pid];
    const rounds: (() => Promise<number>)[] = [
      () => datagrams(address(ready.sip.udp), INVITE),
      () => streams(address(ready.sip.tcp), INVITE, false),
      () => streams(address(ready.sip.tls), INVITE, false),
      () => streams(address(ready.sip.tls), INVITE, true),
      () => streams(address(ready.mqtt), MQTT, false),
      () => streams(address(ready.mqtt), MQTT, true),
      () => streams(address(ready.http), HTTP, false),
      () => datagrams(call.rtp.target ?? { host: '127.0.0.1', port: 9 }, RTP),
      () => datagrams(address(device.sip.udp), INVITE),
      () => streams(address(device.sip.tcp), INVITE, false),
      () => streams(address(device.localPage.replace(/\/$/, '')), HTTP, false),
    ];
    // One round of everything first, so that what is loaded or cached at first use does not count as growth.
    for (const round of rounds) await round();
    const before = pids.map(residentMiB);
    for (const [n, round] of rounds.entries()) {
      expect(await round(), `junk of round ${n}`).toBeGreaterThan(0);
      expect((await house.request('GET', '/v1/farm')).status).toBe(200);
      expect(await house.homes[n % 2]?.phone.register()).toBe(200);
      expect(call.state).toBe('up');
    }
    await pause(2_000);
    for (const [i, pid] of pids.entries())
      expect(residentMiB(pid) - (before[i] ?? 0), `MiB more of ${pid}`).toBeLessThan(GROWTH);
    const heard = call.heard().length;
    await eventually(() => call.heard().length > heard + 4000, 'sound to go on', 5_000);
    call.hangup();
    const again = await dialled(house);
    again.hangup();
  });

  describe('a request that is wrong', () => {
    let stranger: Agent;
    beforeAll(async () => {
      stranger = agent(house.world);
      await stranger.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    });
    afterAll(() => stranger.transport.close());

    const hash = sipHash(hostWorld().crypto);
    const SDP = (media: string) =>
      `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n${media}\r\n`;
    const GOOD = SDP('m=audio 40000 RTP/AVP 0');
    const lineOf = (index: number) => {
      const line = house.homes[index]?.line;
      if (line === undefined) throw new Error('there are two homes');
      return line;
    };
    const credentials = (password?: string): Credentials => {
      const { username, domain, password: right } = lineOf(0).sip;
      const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, username, domain, password ?? right, hash);
      return { username, realm: domain, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } };
    };

    /** The final status of an INVITE over a flow. */
    async function statusOf(flow: Flow, more: Partial<InviteOptions>): Promise<number> {
      const own = `<sip:${lineOf(0).sip.username}@hearthline>`;
      const handle = stranger.transport.act((now, out) =>
        stranger.endpoint.invite(
          {
            uri: `sip:${lineOf(1).number}@hearthline`,
            from: own,
            to: `<sip:${lineOf(1).number}@hearthline>`,
            flow,
            contact: 'sip:a@127.0.0.1',
            sdp: GOOD,
            ...more,
          },
          now,
          out,
        ),
      );
      const failed = () => stranger.seen.find((one) => one.do === 'failed' && one.call === handle);
      await eventually(() => failed() !== undefined, 'the refusal', 10_000);
      const found = failed();
      return found?.do === 'failed' ? found.status : 0;
    }
    const places = ['softswitch', 'gateway'] as const;
    const flowTo = (place: (typeof places)[number]) => {
      const at = place === 'softswitch' ? house.cloud.ready.sip.udp : house.homes[0]?.device().ready.sip.udp;
      return stranger.transport.flowTo({ protocol: 'udp', ...address(at ?? '') });
    };

    it.each(places)('at the %s: each gets its own answer', async (place) => {
      const flow = await flowTo(place);
      const known = { credentials: credentials() };
      expect(await statusOf(flow, {}), 'no credentials').toBe(401);
      expect(await statusOf(flow, { credentials: credentials('wrong') }), 'wrong password').toBe(401);
      expect(
        await statusOf(flow, { ...known, sdp: SDP('m=audio 40000 RTP/AVP 97\r\na=rtpmap:97 opus/48000/2') }),
        'no codec in common',
      ).toBe(488);
      expect(await statusOf(flow, { ...known, sdp: 'v=0\r\nnonsense' }), 'broken SDP').toBe(488);
      expect(
        await statusOf(flow, { ...known, uri: 'sip:+15550999999@hearthline', to: '<sip:+15550999999@hearthline>' }),
        'nobody there',
      ).toBe(404);
    });

    it('a gateway that speaks for the line of another home is refused', async () => {
      const { identity } = JSON.parse(readFileSync(join(house.folder, 'device-0', 'pairing.json'), 'utf8')) as {
        identity: { certificate: string; key: string; authority: string };
      };
      const { certificate, key, authority } = identity;
      const flow = await stranger.transport.flowTo({
        protocol: 'tls',
        ...address(house.cloud.ready.sip.tls),
        tls: { ca: authority, certificate, key },
      });
      const other = `<sip:${lineOf(1).number}@hearthline>`;
      expect(await statusOf(flow, { from: other, headers: [['P-Asserted-Identity', other]] })).toBe(403);
      stranger.transport.closeFlow(flow);
    });

    it('a pairing code that was used is not valid any more', async () => {
      const [elm] = house.homes;
      const reply = await house.request('POST', `/v1/homes/${elm?.id}/gateways`, { code: house.codes[0] });
      expect([reply.status, (reply.body as { code?: string }).code]).toEqual([404, 'pairing_code_invalid']);
    });
  });
});
