/** Our stack against SIPp's built-in caller and callee on the loopback: an independent judge of what is on the wire. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SipTransport, type UserOutput } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { hostWorld } from '#shared/host/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { EndpointOutput } from '#shared/sip/types.ts';
import { hasProgram } from '#test/peers.ts';

const present = hasProgram('sipp');
const title = present ? 'with SIPp' : 'skipped: the program sipp is not installed';
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n';

type Decide = (output: UserOutput, endpoint: Endpoint, now: number, out: EndpointOutput[]) => void;

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const run of cleanup.splice(0).reverse()) await run();
});

function agent(decide: Decide) {
  const world = hostWorld();
  const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
  const seen: UserOutput[] = [];
  const transport: SipTransport = new SipTransport(world, {
    endpoint,
    onOutput(output) {
      seen.push(output);
      transport.act((now, out) => decide(output, endpoint, now, out));
    },
    limits: { rate: 10_000, burst: 10_000 },
  });
  cleanup.push(() => transport.close());
  return { endpoint, transport, seen };
}

function sipp(args: string[]): { child: ChildProcess; done: Promise<number | null> } {
  const child = spawn('sipp', ['-i', '127.0.0.1', '-nostdin', ...args], { stdio: 'ignore' });
  cleanup.push(() => void child.kill('SIGKILL'));
  return { child, done: new Promise((resolve) => child.on('exit', resolve)) };
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

const count = (seen: UserOutput[], what: UserOutput['do']): number =>
  seen.filter((output) => output.do === what).length;

describe.skipIf(!present)(title, () => {
  it.each([
    ['UDP', 'udp', 'u1'],
    ['TCP', 'tcp', 't1'],
  ] as const)('as callee of 30 calls over %s', async (_name, protocol, mode) => {
    const callee = agent((output, endpoint, now, out) => {
      if (output.do !== 'incoming') return;
      endpoint.progress(output.call, 180, {}, now, out);
      endpoint.answer(output.call, { sdp: SDP, contact: 'sip:callee@127.0.0.1' }, now, out);
    });
    const bound = await callee.transport.bind({ [protocol]: { host: '127.0.0.1', port: 0 } });
    const port = bound[protocol][0]?.port ?? 0;
    const run = sipp(['-sn', 'uac', '-t', mode, '-m', '30', '-r', '60', '-timeout', '20s', `127.0.0.1:${port}`]);
    expect(await run.done).toBe(0);
    expect(count(callee.seen, 'confirmed')).toBe(30);
    expect(callee.seen.filter((output) => output.do === 'ended' && output.why === 'bye')).toHaveLength(30);
    expect(callee.endpoint.counts().calls).toBe(0);
  });

  it.each([
    ['UDP', 'udp', 'u1'],
    ['TCP', 'tcp', 't1'],
  ] as const)('as caller of 30 calls over %s', async (_name, protocol, mode) => {
    const port = await freePort();
    const run = sipp(['-sn', 'uas', '-t', mode, '-p', String(port), '-m', '30', '-timeout', '20s']);
    const caller = agent((output, endpoint, now, out) => {
      if (output.do === 'answered') endpoint.hangup(output.call, '', now, out);
    });
    await caller.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const flow = await caller.transport.flowTo({ protocol, host: '127.0.0.1', port });
    for (let i = 0; i < 30; i++) {
      caller.transport.act((now, out) =>
        caller.endpoint.invite(
          {
            uri: `sip:service@127.0.0.1:${port}`,
            from: `"Caller ${i}" <sip:caller@127.0.0.1>`,
            to: `<sip:service@127.0.0.1:${port}>`,
            flow,
            contact: `sip:caller@127.0.0.1:${flow.local.port}`,
            sdp: SDP,
          },
          now,
          out,
        ),
      );
    }
    expect(await run.done).toBe(0);
    expect(count(caller.seen, 'answered')).toBe(30);
    expect(count(caller.seen, 'failed')).toBe(0);
    expect(caller.endpoint.counts().calls).toBe(0);
  });

  it('a caller that gives up while it rings gets its 200, its 487, and no copy too many', async () => {
    const callee = agent((output, endpoint, now, out) => {
      if (output.do === 'incoming') endpoint.progress(output.call, 180, {}, now, out);
    });
    const bound = await callee.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    const scenario = join(import.meta.dirname, 'sipp/cancel.xml');
    const run = sipp(['-sf', scenario, '-m', '10', '-timeout', '20s', `127.0.0.1:${bound.udp[0]?.port}`]);
    expect(await run.done).toBe(0);
    expect(callee.seen.filter((output) => output.do === 'ended' && output.why === 'cancel')).toHaveLength(10);
    expect(callee.endpoint.counts().calls).toBe(0);
  });

  it.each([
    ['a refusal', 'malformed-refusal.xml', 486],
    ['an answer', 'malformed-answer.xml', 502],
  ])('%s of which not all can be read is acknowledged, and the call is over', async (_name, file, status) => {
    const port = await freePort();
    const scenario = join(import.meta.dirname, 'sipp', file);
    const run = sipp(['-sf', scenario, '-p', String(port), '-m', '1', '-timeout', '20s', '-timeout_error']);
    const caller = agent(() => {});
    await caller.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const flow = await caller.transport.flowTo({ protocol: 'udp', host: '127.0.0.1', port });
    const [uri, contact] = [`sip:service@127.0.0.1:${port}`, `sip:caller@127.0.0.1:${flow.local.port}`];
    const options = { uri, from: '<sip:caller@127.0.0.1>', to: `<${uri}>`, flow, contact, sdp: SDP };
    caller.transport.act((now, out) => caller.endpoint.invite(options, now, out));
    expect(await run.done).toBe(0);
    expect(caller.seen.filter(({ do: what }) => what !== 'progress')).toMatchObject([{ do: 'failed', status }]);
    expect(caller.endpoint.counts().calls).toBe(0);
  });

  it('our digest answer satisfies its verifier', async () => {
    const port = await freePort();
    const scenario = join(import.meta.dirname, 'sipp/challenge.xml');
    const run = sipp(['-sf', scenario, '-p', String(port), '-m', '1', '-timeout', '20s']);
    const phone = agent(() => {});
    await phone.transport.bind({ udp: { host: '127.0.0.1', port: 0 } });
    await new Promise((resolve) => setTimeout(resolve, 500));
    const flow = await phone.transport.flowTo({ protocol: 'udp', host: '127.0.0.1', port });
    const md5 = createHash('md5').update('alice:home.example:secret').digest('hex');
    const credentials = { username: 'alice', realm: 'home.example', ha1: { md5, sha256: '' } };
    const register = newRequest('REGISTER', 'sip:home.example', [
      ['From', '<sip:alice@home.example>'],
      ['To', '<sip:alice@home.example>'],
      ['Contact', `<sip:alice@127.0.0.1:${flow.local.port}>`],
    ]);
    phone.transport.act((now, out) => phone.endpoint.request(register, flow, now, out, credentials));
    expect(await run.done).toBe(0);
    expect(phone.seen.map((output) => output.do === 'response' && output.message.status)).toEqual([200]);
  });
});
