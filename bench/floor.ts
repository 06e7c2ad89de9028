/**
 * What the runtime alone costs: a bare Node.js socket that answers each datagram with one of the same length, deciding nothing. A call
 * through the softswitch is eight datagrams in and eight out (`bench/sip.ts`), so eight of these answers are the least that a call can
 * cost over UDP here, before a message is read, written or remembered.
 *
 * Run: `bin/node bench/floor.ts [--rate 8000] [--seconds 6] [--rounds 3]`; rate in datagrams per second.
 */
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cpuOf, HOST, load, median } from './processes.fixture.ts';

/** Octets of a usual message of a call, and the datagrams that it brings. */
const LENGTH = 620;
const PER_CALL = 8;
/** Milliseconds for the compiler before a round counts. */
const WARM_UP = 4_000;

/** The process under test; says its port, then answers until it is ended. */
async function answer(): Promise<void> {
  const socket = createSocket('udp4');
  const reply = Buffer.alloc(LENGTH, 'a');
  socket.on('message', (_message, from) => socket.send(reply, 0, LENGTH, from.port, from.address, () => undefined));
  socket.bind(0, HOST);
  await once(socket, 'listening');
  process.send?.(socket.address().port);
  await once(process, 'disconnect');
  socket.close();
}

/** Sends that many datagrams per second for a while, a millisecond's worth at a time; how many were answered. */
async function ask(port: number, rate: number, ms: number): Promise<number> {
  const socket = createSocket('udp4');
  let answers = 0;
  socket.on('message', () => answers++);
  socket.bind(0, HOST);
  await once(socket, 'listening');
  const begun = performance.now();
  for (let sent = 0, age = 0; age < ms; age = performance.now() - begun) {
    for (; sent < (age * rate) / 1_000; sent++) socket.send(Buffer.alloc(LENGTH, 'a'), port, HOST);
    await pause(1);
  }
  await pause(100);
  socket.close();
  return answers;
}

async function measure(rate: number, seconds: number, rounds: number): Promise<void> {
  const child = fork(import.meta.filename, ['answer'], { execArgv: ['--max-semi-space-size=64'] });
  const [port] = (await once(child, 'message')) as [number];
  await ask(port, rate, WARM_UP);
  const prices: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = cpuOf(child.pid ?? 0);
    const answers = await ask(port, rate, seconds * 1_000);
    prices.push(((cpuOf(child.pid ?? 0) - before) * 1e6) / answers);
  }
  child.disconnect();
  const one = median(prices);
  console.log(`a datagram in and one out, bare Node.js at ${rate}/s: ${one.toFixed(1)} us of CPU`);
  console.log(`${PER_CALL} of them, a call: ${((one * PER_CALL) / 1_000).toFixed(3)} CPU-s per 1,000`);
  console.log(load());
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '8000' },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
  },
});
const [rate, seconds, rounds] = [Number(values.rate), Number(values.seconds), Number(values.rounds)];
if (positionals[0] === 'answer') await answer();
else if (rate >= 1 && rate <= 50_000 && seconds >= 1 && seconds <= 600 && rounds >= 1 && rounds <= 9)
  await measure(rate, seconds, rounds);
else {
  console.error('bench/floor.ts: --rate is 1 to 50000, --seconds 1 to 600, --rounds 1 to 9');
  process.exitCode = 3;
}
