/**
 * What a call costs the whole cloud: SIPp as caller (digest on every INVITE, calls of 1 s) and as registered callee, straight at
 * the softswitch of a real `hearthline cloud` on the loopback. Each call is a journalled session with its call records, once with
 * its SDP passed on untouched and once, the callee seeming to be behind a NAT, with a media path through the engine. Prints, of each, calls, failed ones, CPU seconds per 1,000 calls of the cloud and of its media engine, and how long the
 * answer took from the first INVITE on, its digest challenge included. Needs `sipp`. Ends in < 75 s as it stands.
 *
 * Run: `bin/node bench/softswitch.ts [--rate CALLS-PER-SECOND] [--seconds SECONDS]`
 */
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { cpuOf, HOST, load, Processes, post, type Running, residentOf } from './processes.fixture.ts';
import { calling, freePort, type Line, play, type Round, registering, shareOf } from './sipp.fixture.ts';

interface Callee {
  readonly name: string;
  /** The scenario that calls it. */
  readonly calls: string;
}

/** The second says an address that its datagrams do not come from, as a phone behind a NAT does. */
const CONTACTS = [
  { name: 'untouched', contact: '[local_ip]:[local_port]' },
  { name: 'relayed', contact: '192.0.2.1:[local_port]' },
] as const;

/** Before the rounds that count: a server runs for weeks, its compiled code is what matters. */
const WARM_UP: Round = { rate: 100, seconds: 5 };

const { values } = parseArgs({
  options: { rate: { type: 'string', default: '300' }, seconds: { type: 'string', default: '10' } },
});
const asked: Round = { rate: Number(values.rate), seconds: Number(values.seconds) };
if (!(asked.rate >= 1 && asked.rate <= 2000 && asked.seconds >= 1 && asked.seconds <= 30)) {
  console.error('bench/softswitch.ts: --rate is 1 to 2000, --seconds 1 to 30');
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/softswitch.ts: the program sipp is not installed');
  process.exit(3);
}

/** CPU seconds of the cloud and of its media engine so far. */
const spent = (cloud: Running): [number, number] => [cpuOf(cloud.pid), cpuOf(cloud.engine ?? 0)];

async function main(): Promise<void> {
  await using processes = new Processes();
  const cloud = await processes.cloud();
  const home = await post<{ id: string }>(cloud, '/v1/homes', { name: 'Bench' });
  const line = () => post<Line>(cloud, `/v1/homes/${home.id}/lines`, { class: 'unmetered' });
  const [caller, callee] = [await freePort(), await freePort()];
  const from = await line();
  const callees: Callee[] = [];
  for (const { name, contact } of CONTACTS) {
    const to = await line();
    const alone = { rate: 1, seconds: 1, port: callee, server: cloud.ready.sip.udp };
    const registered = await play(processes, `register-${name}`, registering(to, contact), alone);
    if (registered.failed > 0) throw new Error('a callee could not register');
    callees.push({ name, calls: calling(from, to.number) });
  }
  const answering = ['-sn', 'uas', '-i', HOST, '-p', String(callee), '-nostdin', '-buff_size', String(4 << 20)];
  processes.program('sipp', answering);
  for (const { name, calls } of callees)
    await play(processes, `warm-up-${name}`, calls, { ...WARM_UP, port: caller, server: cloud.ready.sip.udp });
  console.log(`${asked.rate} calls/s for ${asked.seconds} s each`);
  for (const { name, calls } of callees) await measure(processes, cloud, name, calls, caller);
  console.log(
    `resident: cloud ${residentOf(cloud.pid).toFixed(0)} MiB, its engine ${residentOf(cloud.engine ?? 0).toFixed(0)} MiB; ${load()}`,
  );
}

/** The round that counts, and its line of figures. */
async function measure(processes: Processes, cloud: Running, name: string, calls: string, port: number): Promise<void> {
  const before = spent(cloud);
  const outcome = await play(processes, `calls-${name}`, calls, { ...asked, port, server: cloud.ready.sip.udp });
  // What the last calls leave to do, records among it, belongs to the price.
  await pause(1000);
  const good = outcome.calls - outcome.failed;
  const price = spent(cloud).map((cpu, i) => (((cpu - (before[i] ?? 0)) * 1000) / good).toFixed(2));
  console.log(
    `${name}: ${outcome.calls} calls, ${outcome.failed} failed; CPU-s per 1,000 calls ${price[0]} of the cloud, ${price[1]} of its engine; answered within p50 ${shareOf(outcome, 0.5)}, p99 ${shareOf(outcome, 0.99)} (of ${outcome.answers.length})`,
  );
}

await main();
