/**
 * What SIP costs beside Kamailio, in one run, same load from the same SIPp: calls with digest on INVITE (ours a back-to-back user
 * agent with a journalled session and call records per call, Kamailio a proxy without them), registrations with digest, the time
 * from INVITE to 180, and the resident memory of a call in progress. Rounds of the two alternate; medians and their ratio are
 * printed. Needs `sipp`, and `kamailio` for the ratios.
 *
 * Run: `bin/node bench/sip.ts [--rates 300,1000] [--registers 1000] [--ring 500] [--held 4000] [--seconds 8] [--rounds 3] [--warm-up 12]
 * [--only ours|kamailio]`; an empty list, or `--held 0`, leaves a row out. A longer `--seconds` shows whether memory stays flat, a longer
 * `--warm-up` (seconds at 300 calls a second) what a process costs that runs for longer: the compiler is done after some 30,000 calls.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { hasKamailio, kamailio, PEER } from './kamailio.fixture.ts';
import { cpuOf, HOST, load, median, Processes, post, residentOf } from './processes.fixture.ts';
import {
  answering,
  calling,
  freePort,
  type Line,
  type Outcome,
  play,
  type Round,
  registering,
  registeringRows,
  rowOf,
  shareOf,
} from './sipp.fixture.ts';

/** One server under test. */
interface Side {
  readonly name: 'ours' | 'kamailio';
  readonly server: string;
  readonly caller: Line;
  readonly callee: Line;
  readonly domain: string;
  /** Lines that register, see `registeringRows`. */
  readonly rows: readonly string[];
  cpu(): number;
  resident(): number;
}

interface Measured extends Outcome {
  /** CPU seconds per 1,000 calls. */
  readonly price: number;
}

/** Calls per second before the rounds that count, and for how many seconds: a server runs for weeks, its compiled code is what matters. */
const WARM_UP_RATE = 300;
const WARM_UP = 12;
/** Lines that register; 32 in each home. */
const LINES = 256;

const { values } = parseArgs({
  options: {
    rates: { type: 'string', default: '300,1000' },
    registers: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '3' },
    ring: { type: 'string', default: '500' },
    held: { type: 'string', default: '4000' },
    'warm-up': { type: 'string', default: String(WARM_UP) },
    only: { type: 'string' },
  },
});
const numbers = (text: string): number[] =>
  text
    .split(',')
    .filter((one) => one !== '')
    .map(Number);
const asked = {
  rates: numbers(values.rates),
  registers: numbers(values.registers),
  rings: numbers(values.ring).filter((rate) => rate > 0),
  held: Number(values.held),
  seconds: Number(values.seconds),
  rounds: Number(values.rounds),
  warmUp: Number(values['warm-up']),
};
const fits = (n: number, most: number): boolean => Number.isInteger(n) && n >= 1 && n <= most;
if (
  ![...asked.rates, ...asked.registers, ...asked.rings].every((n) => fits(n, 6000)) ||
  !(asked.held === 0 || fits(asked.held, 15_000)) ||
  !fits(asked.seconds, 600) ||
  !fits(asked.rounds, 9) ||
  !fits(asked.warmUp, 600)
) {
  console.error(
    'bench/sip.ts: --rates, --registers and --ring are 1 to 6000 each, --held 0 to 15000, --seconds and --warm-up 1 to 600, --rounds 1 to 9',
  );
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/sip.ts: the program sipp is not installed');
  process.exit(3);
}

async function ours(processes: Processes): Promise<Side> {
  const cloud = await processes.cloud();
  const lines: Line[] = [];
  for (let i = 0; i < LINES / 32; i++) {
    const home = await post<{ id: string }>(cloud, '/v1/homes', { name: `Bench ${i}` });
    for (let k = 0; k < 32; k++) lines.push(await post(cloud, `/v1/homes/${home.id}/lines`, { class: 'unmetered' }));
  }
  const [caller, callee] = lines;
  if (caller === undefined || callee === undefined) throw new Error('the bench has lines');
  return {
    name: 'ours',
    server: cloud.ready.sip.udp,
    caller,
    callee,
    domain: caller.sip.domain,
    rows: lines.map(rowOf),
    cpu: () => cpuOf(cloud.pid) + cpuOf(cloud.engine ?? 0),
    resident: () => residentOf(cloud.pid),
  };
}

async function peer(processes: Processes): Promise<Side> {
  const { server, cpu, resident } = await kamailio(processes);
  const line = (user: string): Line => ({
    number: user,
    sip: { username: user, password: PEER.password, domain: PEER.domain },
  });
  const rows = Array.from({ length: LINES }, (_none, i) => rowOf(line(`line${i}`)));
  return {
    name: 'kamailio',
    server,
    caller: line('caller'),
    callee: line('callee'),
    domain: PEER.domain,
    rows,
    cpu,
    resident,
  };
}

/** Every round of one row, the sides by turns. */
async function rows(
  sides: readonly Side[],
  run: (side: Side, round: number) => Promise<Outcome>,
): Promise<Map<Side, Measured[]>> {
  const measured = new Map<Side, Measured[]>(sides.map((side) => [side, []]));
  for (let round = 0; round < asked.rounds; round++) {
    for (const side of sides) {
      const before = side.cpu();
      const outcome = await run(side, round);
      // What the last calls leave to do, records among it, belongs to the price.
      await pause(1500);
      const price = ((side.cpu() - before) * 1000) / (outcome.calls - outcome.failed);
      measured.get(side)?.push({ ...outcome, price });
    }
  }
  return measured;
}

function print(what: string, measured: Map<Side, Measured[]>): void {
  const price = (name: Side['name']): number | undefined => {
    const found = [...measured].find(([side]) => side.name === name)?.[1];
    return found && median(found.map((one) => one.price));
  };
  for (const [{ name }, list] of measured) {
    const failed = list.reduce((sum, one) => sum + one.failed, 0);
    const calls = list.reduce((sum, one) => sum + one.calls, 0);
    const all = { ...list[0], calls, failed, answers: list.flatMap((one) => one.answers).sort((a, b) => a - b) };
    console.log(
      `${what}, ${name}: ${price(name)?.toFixed(3)} CPU-s per 1,000; ${failed} of ${calls} failed; p50 ${shareOf(all, 0.5)}, p99 ${shareOf(all, 0.99)}`,
    );
  }
  const [a, b] = [price('ours'), price('kamailio')];
  if (a !== undefined && b !== undefined) console.log(`${what}: ours / kamailio = ${(a / b).toFixed(2)}`);
}

/** A bench under way: the sides, and where SIPp calls and registers from. */
interface Bench {
  readonly processes: Processes;
  readonly sides: readonly Side[];
  readonly port: number;
}

const HERE = '[local_ip]:[local_port]';

/** Registers the callee of every side, and answers for it from then on. */
async function beginAnswering(processes: Processes, sides: readonly Side[]): Promise<void> {
  const port = await freePort();
  for (const { name, server, callee } of sides) {
    const one = { server, rate: 1, seconds: 1, port };
    const done = await play(processes, `register-${name}`, registering(callee, HERE), one);
    if (done.failed > 0) throw new Error(`the callee could not register at ${name}`);
  }
  const file = join(processes.folder, 'answering.xml');
  writeFileSync(file, answering());
  const buffer = ['-buff_size', String(4 << 20)];
  processes.program('sipp', ['-sf', file, '-i', HOST, '-p', String(port), '-nostdin', ...buffer]);
}

function call({ processes, port }: Bench, side: Side, mark: string, round: Round, until = 'answer'): Promise<Outcome> {
  const text = calling(side.caller, side.callee.number, { until });
  return play(processes, `calls-${side.name}-${mark}`, text, { ...round, server: side.server, port });
}

function register({ processes, port }: Bench, side: Side, mark: string, round: Round): Promise<Outcome> {
  const from = { ...round, server: side.server, port, rows: side.rows };
  return play(processes, `registers-${side.name}-${mark}`, registeringRows(side.domain, HERE), from);
}

/** How much the resident memory grows for each of many calls that are held at once; what ended calls leave counts too. */
async function hold({ processes, port }: Bench, side: Side): Promise<void> {
  const before = side.resident();
  const rate = 200;
  const round = { rate, seconds: Math.ceil(asked.held / rate), late: 60 };
  const text = calling(side.caller, side.callee.number, { hold: (round.seconds + 5) * 1000 });
  const going = play(processes, `held-${side.name}`, text, { ...round, server: side.server, port });
  await pause(round.seconds * 1000 + 3000);
  const each = ((side.resident() - before) * 1024) / (rate * round.seconds);
  const { failed } = await going;
  console.log(
    `${rate * round.seconds} calls held, ${side.name}: ${each.toFixed(1)} kB resident each, with what was freed meanwhile; ${failed} failed`,
  );
}

async function main(): Promise<void> {
  await using processes = new Processes();
  const sides: Side[] = [];
  if (values.only !== 'kamailio') sides.push(await ours(processes));
  if (values.only !== 'ours' && hasKamailio()) sides.push(await peer(processes));
  const bench: Bench = { processes, sides, port: await freePort() };
  await beginAnswering(processes, sides);
  for (const side of sides) await call(bench, side, 'warm-up', { rate: WARM_UP_RATE, seconds: asked.warmUp });
  const { seconds } = asked;
  for (const rate of asked.rates) {
    const run = (side: Side, n: number) => call(bench, side, `${rate}-${n}`, { rate, seconds });
    print(`${rate} calls/s`, await rows(sides, run));
  }
  for (const rate of asked.rings) {
    const run = (side: Side, n: number) => call(bench, side, `ring-${rate}-${n}`, { rate, seconds }, 'ring');
    print(`${rate} calls/s to 180`, await rows(sides, run));
  }
  for (const rate of asked.registers) {
    const run = (side: Side, n: number) => register(bench, side, `${rate}-${n}`, { rate, seconds });
    print(`${rate} REGISTER/s`, await rows(sides, run));
  }
  if (asked.held > 0) for (const side of sides) await hold(bench, side);
  for (const side of sides) console.log(`resident, ${side.name}: ${side.resident().toFixed(0)} MiB`);
  console.log(load());
}

await main();
