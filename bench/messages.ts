/**
 * Messages per second of a whole cloud on the loopback, each durable before it is accepted: by the API at some connections to lines
 * without a phone, and by SIP from phones straight at the softswitch to as many others, until the other phone has shown it. Prints of
 * each the rate, p50 and p99 of the time to the answer, and of SIP also the rate at which they arrive. Ends in < 30 s.
 *
 * Run: `bin/node bench/messages.ts [--seconds SECONDS]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hostWorld } from '#shared/host/world.ts';
import { Phone } from '#simulator/phone.ts';
import { cpuOf, HOST, load, Processes, post, type Running } from './processes.fixture.ts';

interface Line {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

const CONNECTIONS = 32;
/** Lines without a phone; a thousand messages may wait for each. */
const LINES = 40;
const PAIRS = 16;

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' } } });
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 10)) {
  console.error('bench/messages.ts: --seconds is 1 to 10');
  process.exit(3);
}
const world = hostWorld({ level: 'error' });

/** Runs as many at once for the time asked; the times of each, ms. */
async function repeated(count: number, one: (index: number, n: number) => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  const worker = async (index: number) => {
    for (let n = 0; performance.now() < end; n++) {
      const before = performance.now();
      await one(index, n);
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: count }, (_, index) => worker(index)));
  return times.sort((a, b) => a - b);
}

function report(name: string, times: readonly number[], cpu: number, more = ''): void {
  const at = (share: number) => (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1);
  const rate = (times.length / seconds).toFixed(0);
  const cost = ((cpu / times.length) * 1000).toFixed(2);
  console.log(
    `${name.padEnd(34)} ${rate.padStart(6)}/s  p50 ${at(0.5)} ms  p99 ${at(0.99)} ms  ${cost} CPU s per 1,000${more}`,
  );
}

async function byApi(cloud: Running, from: Line, to: readonly Line[]): Promise<void> {
  let sent = 0;
  const before = cpuOf(cloud.pid);
  const times = await repeated(CONNECTIONS, async () => {
    const line = to[sent++ % to.length];
    await post(cloud, '/v1/messages', { from: from.id, to: line?.number, text: 'Dinner is ready.' });
  });
  report(`API, ${CONNECTIONS} connections, stored`, times, cpuOf(cloud.pid) - before);
}

async function phoneOf(cloud: Running, line: Line): Promise<Phone> {
  const [host = '', port = '0'] = cloud.ready.sip.udp.split(':');
  const { username, password, domain } = line.sip;
  const server = { host, port: Number(port) };
  const phone = await Phone.open({ world, host: HOST, server, domain, username, password });
  const status = await phone.register();
  if (status !== 200) throw new Error(`a phone could not register: ${status}`);
  return phone;
}

async function bySip(cloud: Running, lines: readonly Line[]): Promise<void> {
  const phones = await Promise.all(lines.map((line) => phoneOf(cloud, line)));
  const [senders, receivers] = [phones.slice(0, PAIRS), phones.slice(PAIRS)];
  const before = cpuOf(cloud.pid);
  const times = await repeated(PAIRS, async (index, n) => {
    const status = await senders[index]?.messages.send(lines[PAIRS + index]?.number ?? '', `message ${n}`);
    if (status !== 202) throw new Error(`a message was answered ${status}`);
  });
  const arrived = () => receivers.reduce((sum, { messages }) => sum + messages.shown.length, 0);
  const atEnd = arrived();
  for (const limit = performance.now() + 10_000; arrived() < times.length && performance.now() < limit; )
    await pause(20);
  const heard = receivers.reduce((sum, { messages }) => sum + messages.heard, 0);
  const more = `; ${(atEnd / seconds).toFixed(0)}/s arrived meanwhile, ${arrived()} of ${times.length} in the end, ${heard} on the wire`;
  report(`SIP over UDP, ${PAIRS} pairs of phones`, times, cpuOf(cloud.pid) - before, more);
  for (const phone of phones) await phone.close();
}

await using processes = new Processes();
const cloud = await processes.cloud();
const { id: home } = await post<{ id: string }>(cloud, '/v1/homes', { name: 'Bench' });
const line = () => post<Line>(cloud, `/v1/homes/${home}/lines`, { class: 'unmetered' });
const lines: Line[] = [];
for (let n = 0; n < LINES + 2 * PAIRS + 1; n++) lines.push(await line());
const [first, ...rest] = lines;
if (first === undefined) throw new Error('no line');
console.log(`messages, each durable before its answer (${load()})`);
await byApi(cloud, first, rest.slice(0, LINES));
await bySip(cloud, rest.slice(LINES));
