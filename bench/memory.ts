/**
 * What the cloud keeps in memory for each registered line and each call in progress, and whether it keeps anything of calls that are
 * over: SIPp registers lines, holds calls and makes very many short ones, all signed; what is in use is read after a full collection. A
 * transaction is kept for 32 s (RFC 3261 section 17), so everything is read once that has passed. Needs `sipp`.
 *
 * Run: `bin/node bench/memory.ts [--lines 1024] [--held 2000] [--calls 100000] [--rate 500] [--blocks 5]`; 0 leaves a row out. As it
 * stands it ends in < 12 minutes; `--calls 1000000 --rate 1000` is the long way.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { HeapProbe, inspected } from './heap.fixture.ts';
import { HOST, load, Processes, post, type Running, residentOf } from './processes.fixture.ts';
import { answering, calling, freePort, type Line, play, registering, registeringRows, rowOf } from './sipp.fixture.ts';

/** Milliseconds after which no transaction is kept any more. */
const OVER = 36_000;
const LINES_PER_HOME = 32;
const HERE = '[local_ip]:[local_port]';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1024' },
    held: { type: 'string', default: '2000' },
    calls: { type: 'string', default: '100000' },
    rate: { type: 'string', default: '500' },
    blocks: { type: 'string', default: '5' },
  },
});
const asked = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, Number(value)]));
const { lines = 0, held = 0, calls = 0, rate = 0, blocks = 0 } = asked;
const within = (n: number, least: number, most: number): boolean => Number.isInteger(n) && n >= least && n <= most;
if (
  !(within(lines, 0, 10_000) && within(held, 0, 15_000) && within(calls, 0, 5_000_000)) ||
  !(within(rate, 1, 2_000) && within(blocks, 1, 100))
) {
  console.error(
    'bench/memory.ts: --lines is 0 to 10000, --held 0 to 15000, --calls 0 to 5000000, --rate 1 to 2000, --blocks 1 to 100',
  );
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/memory.ts: the program sipp is not installed');
  process.exit(3);
}

/** The cloud under test and where SIPp calls from. */
interface Bench {
  readonly processes: Processes;
  readonly cloud: Running;
  readonly heap: HeapProbe;
  readonly caller: Line;
  readonly callee: Line;
  readonly all: readonly Line[];
  readonly port: number;
}

const MEGA = 1024 * 1024;
const kilo = (octets: number): string => `${(octets / 1024).toFixed(1)} kB`;

/** In use once nothing of what was done is kept for a while only. */
async function settled({ heap }: Bench): Promise<number> {
  await pause(OVER);
  return heap.used();
}

async function begin(processes: Processes): Promise<Bench> {
  const { flag, port: inspector } = await inspected();
  const cloud = await processes.cloud('cloud', [flag]);
  const all: Line[] = [];
  for (let i = 0; all.length < Math.max(2, lines); i++) {
    const home = await post<{ id: string }>(cloud, '/v1/homes', { name: `Bench ${i}` });
    for (let k = 0; k < LINES_PER_HOME; k++)
      all.push(await post(cloud, `/v1/homes/${home.id}/lines`, { class: 'unmetered' }));
  }
  const [caller, callee] = all;
  if (caller === undefined || callee === undefined) throw new Error('the bench has lines');
  const answers = await freePort();
  const server = cloud.ready.sip.udp;
  await play(processes, 'register', registering(callee, HERE), { rate: 1, seconds: 1, port: answers, server });
  const file = join(processes.folder, 'answering.xml');
  writeFileSync(file, answering());
  const buffer = ['-buff_size', String(4 << 20)];
  processes.program('sipp', ['-sf', file, '-i', HOST, '-p', String(answers), '-nostdin', ...buffer]);
  const bench = { processes, cloud, heap: await HeapProbe.of(inspector), caller, callee, all, port: await freePort() };
  await call(bench, 'warm-up', 200, 10);
  return bench;
}

function call({ processes, cloud, caller, callee, port }: Bench, name: string, perSecond: number, seconds: number) {
  const round = { rate: perSecond, seconds, server: cloud.ready.sip.udp, port };
  return play(processes, name, calling(caller, callee.number), round);
}

async function perLine(bench: Bench): Promise<void> {
  const { processes, cloud, all, port } = bench;
  const others = all.slice(2, 2 + lines);
  const before = await settled(bench);
  const perSecond = 200;
  const [first] = others;
  const round = { rate: perSecond, seconds: Math.ceil(others.length / perSecond), port, server: cloud.ready.sip.udp };
  const text = registeringRows(first?.sip.domain ?? '', HERE);
  const { failed } = await play(processes, 'registers', text, { ...round, rows: others.map(rowOf) });
  const each = ((await settled(bench)) - before) / others.length;
  console.log(`${others.length} lines registered: ${kilo(each)} each; ${failed} failed`);
}

async function perCall(bench: Bench): Promise<void> {
  const { processes, cloud, caller, callee, port, heap } = bench;
  const before = await settled(bench);
  const perSecond = 100;
  const seconds = Math.ceil(held / perSecond);
  const text = calling(caller, callee.number, { hold: seconds * 1000 + OVER + 15_000 });
  const round = { rate: perSecond, seconds, port, server: cloud.ready.sip.udp, late: OVER / 1000 + seconds + 60 };
  const going = play(processes, 'held', text, round);
  await pause(seconds * 1000 + 2_000);
  const early = (await heap.used()) - before;
  const late = (await settled(bench)) - before;
  const { failed } = await going;
  const there = Math.max(1, perSecond * seconds - failed);
  console.log(
    `${there} calls held: ${kilo(late / there)} each, ${kilo(early / there)} while the transactions of their set-up are kept; ${failed} failed`,
  );
}

async function flat(bench: Bench): Promise<void> {
  const seconds = Math.max(1, Math.round(calls / blocks / rate));
  const found = [await settled(bench)];
  let failed = 0;
  for (let block = 1; block <= blocks; block++) {
    failed += (await call(bench, `block-${block}`, rate, seconds)).failed;
    found.push(await settled(bench));
    const { pid } = bench.cloud;
    console.log(
      `after ${block * rate * seconds} calls: ${((found.at(-1) ?? 0) / MEGA).toFixed(1)} MiB in use, ${residentOf(pid).toFixed(0)} MiB resident; ${failed} failed`,
    );
  }
  // What the first calls leave is code and caches.
  const [, first = 0] = found;
  const grown = (found.at(-1) ?? 0) - first;
  const per = grown / Math.max(1, (blocks - 1) * rate * seconds);
  console.log(
    `from the first block to the last: ${(grown / MEGA).toFixed(1)} MiB, ${per.toFixed(0)} octets for each call`,
  );
}

async function main(): Promise<void> {
  await using processes = new Processes();
  const bench = await begin(processes);
  using _heap = bench.heap;
  if (lines > 2) await perLine(bench);
  if (held > 0) await perCall(bench);
  if (calls > 0) await flat(bench);
  console.log(load());
}

await main();
