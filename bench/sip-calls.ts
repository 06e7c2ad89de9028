/**
 * What a call costs: CPU seconds per 1,000 calls (INVITE 180 200 ACK BYE 200) of our endpoint and of the npm package `sip`, each
 * answering in a child process of its own, called in turn by the same generator over UDP on the loopback. Ends in < 60 s.
 *
 * Run: `bin/node bench/sip-calls.ts [calls per second]`
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { setTimeout as pause } from 'node:timers/promises';
import { SipTransport } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { hostWorld } from '#shared/host/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';

const HOST = '127.0.0.1';
const RATE = Number(process.argv[2] ?? 500);
const SECONDS = 3;
/** Rounds before the first that counts: a server runs for weeks, its compiled code is what matters. */
const WARM_UP = { rate: 1000, seconds: 6 };
const ROUNDS = 3;
const SDP =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n';

type Kind = 'ours' | 'sip';

/** The child: answers calls; tells its port, and its CPU time and memory when asked. */
async function serve(kind: Kind): Promise<void> {
  const port = kind === 'ours' ? await serveOurs() : await servePackage();
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: (user + system) / 1e6, memory: process.memoryUsage().rss });
  });
  process.send?.({ port });
}

async function serveOurs(): Promise<number> {
  const world = hostWorld();
  const endpoint = new Endpoint({ random: world.random, hash: sipHash(world.crypto) });
  const transport: SipTransport = new SipTransport(world, {
    endpoint,
    limits: { rate: 1e6, burst: 1e6 },
    onOutput(output) {
      if (output.do !== 'incoming') return;
      transport.act((now, out) => {
        endpoint.progress(output.call, 180, {}, now, out);
        endpoint.answer(output.call, { sdp: SDP, contact: 'sip:bench@127.0.0.1' }, now, out);
      });
    },
  });
  const bound = await transport.bind({ udp: { host: HOST, port: 0 } });
  return bound.udp[0]?.port ?? 0;
}

interface PackageMessage {
  method: string;
  headers: Record<string, unknown> & { to: { params: Record<string, string> } };
  content?: string;
}

interface Package {
  start(options: { address: string; port: number; udp: boolean; tcp: boolean }, on: (rq: PackageMessage) => void): void;
  makeResponse(rq: PackageMessage, status: number): PackageMessage;
  send(message: PackageMessage): void;
}

async function servePackage(): Promise<number> {
  const sip = createRequire(import.meta.url)('sip') as Package;
  const port = await freePort();
  let tags = 0;
  sip.start({ address: HOST, port, udp: true, tcp: false }, (request) => {
    if (request.method === 'INVITE') {
      request.headers.to.params.tag = `tag${++tags}`;
      sip.send(sip.makeResponse(request, 100));
      sip.send(sip.makeResponse(request, 180));
      const ok = sip.makeResponse(request, 200);
      ok.headers.contact = `<sip:bench@${HOST}:${port}>`;
      ok.headers['content-type'] = 'application/sdp';
      ok.content = SDP;
      sip.send(ok);
    } else if (request.method !== 'ACK') sip.send(sip.makeResponse(request, 200));
  });
  return port;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Calls `to` at the rate for some seconds; gives how many calls went through to the answered BYE. */
class Generator {
  readonly #socket: Socket;
  readonly #to: number;
  #here = 0;
  #done = 0;

  constructor(to: number) {
    this.#to = to;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
    this.#socket.on('message', (data) => this.#hear(data.toString('latin1')));
  }

  async run(mark: string, rate: number, seconds: number): Promise<{ calls: number; done: number }> {
    this.#socket.bind(0, HOST);
    await once(this.#socket, 'listening');
    this.#here = this.#socket.address().port;
    const calls = rate * seconds;
    const start = performance.now();
    for (let made = 0; made < calls; ) {
      const due = Math.min(calls, Math.floor(((performance.now() - start) * rate) / 1000));
      for (; made < due; made++) this.#request('INVITE', `${mark}-${made}`, 1, '', SDP);
      await pause(2);
    }
    for (let i = 0; i < 100 && this.#done < calls; i++) await pause(10);
    this.#socket.close();
    return { calls, done: this.#done };
  }

  #request(method: string, call: string, seq: number, toTag: string, body = ''): void {
    const me = `${HOST}:${this.#here}`;
    const type = body ? 'Content-Type: application/sdp\r\n' : '';
    const text = `${method} sip:bench@${HOST}:${this.#to} SIP/2.0\r\nVia: SIP/2.0/UDP ${me};branch=z9hG4bK${call}-${seq}-${method};rport\r\nMax-Forwards: 70\r\nFrom: "Caller" <sip:caller@${me}>;tag=f${call}\r\nTo: <sip:bench@${HOST}:${this.#to}>${toTag}\r\nCall-ID: ${call}\r\nCSeq: ${seq} ${method}\r\nContact: <sip:caller@${me}>\r\n${type}Content-Length: ${body.length}\r\n\r\n${body}`;
    this.#socket.send(text, this.#to, HOST);
  }

  #hear(text: string): void {
    if (!text.startsWith('SIP/2.0 200')) return;
    const call = between(text, 'Call-ID: ', '\r\n');
    if (between(text, 'CSeq: ', '\r\n').endsWith('BYE')) {
      this.#done++;
      return;
    }
    const to = between(text, 'To: ', '\r\n');
    const tag = to.slice(to.lastIndexOf(';tag='));
    this.#request('ACK', call, 1, tag);
    this.#request('BYE', call, 2, tag);
  }
}

/** Header names are compared in any case, for the package writes `CSeq` and `Call-ID` its own way. */
function between(text: string, from: string, to: string): string {
  const at = text.toLowerCase().indexOf(`\r\n${from.toLowerCase()}`) + 2 + from.length;
  return text.slice(at, text.indexOf(to, at));
}

interface Child {
  readonly process: ChildProcess;
  readonly port: number;
}

async function spawnChild(kind: Kind): Promise<Child> {
  const child = fork(import.meta.filename, ['--serve', kind], { execPath: process.execPath });
  const [message] = (await once(child, 'message')) as [{ port: number }];
  return { process: child, port: message.port };
}

async function usage(child: Child): Promise<{ cpu: number; memory: number }> {
  child.process.send('usage');
  const [message] = (await once(child.process, 'message')) as [{ cpu: number; memory: number }];
  return message;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

async function main(): Promise<void> {
  const kinds: readonly Kind[] = ['ours', 'sip'];
  const children = new Map<Kind, Child>();
  const cost = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]));
  const failed = new Map<Kind, number>();
  try {
    for (const kind of kinds) children.set(kind, await spawnChild(kind));
    // Round 0 warms up and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const [kind, child] of children) {
        const load = round === 0 ? WARM_UP : { rate: RATE, seconds: SECONDS };
        const before = await usage(child);
        const result = await new Generator(child.port).run(`${kind}${round}`, load.rate, load.seconds);
        const after = await usage(child);
        if (round > 0) cost.get(kind)?.push(((after.cpu - before.cpu) * 1000) / result.done);
        if (round > 0) failed.set(kind, (failed.get(kind) ?? 0) + result.calls - result.done);
      }
    }
    const base = median(cost.get('ours') ?? []);
    console.log(`${RATE} calls/s for ${SECONDS} s, medians of ${ROUNDS} interleaved rounds`);
    for (const [kind, child] of children) {
      const { memory } = await usage(child);
      const figure = median(cost.get(kind) ?? []);
      console.log(
        `${kind === 'ours' ? 'hearthline' : 'npm sip 0.0.6'}: ${figure.toFixed(3)} CPU-s per 1,000 calls (${(figure / base).toFixed(2)}x), ${failed.get(kind)} failed, ${(memory / 2 ** 20).toFixed(0)} MiB resident`,
      );
    }
  } finally {
    for (const child of children.values()) child.process.kill();
  }
}

if (process.argv[2] === '--serve') await serve(process.argv[3] === 'sip' ? 'sip' : 'ours');
else await main();
