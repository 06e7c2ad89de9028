/**
 * What is served at three times the load that the whole cloud can bear: SIPp as caller (digest on every INVITE, calls of 1 s) and as
 * registered callee, straight at the softswitch of a real `hearthline cloud` on the loopback. First the rate is found that it can bear: the
 * highest of a ladder at which less than one call of a thousand fails (or `--rate` says it). Then comes three times that, while somebody
 * calls for help five times a second by a trunk. Prints calls served per second, those turned away, and the calls for help that got
 * through. Needs `sipp`. Ends in < 240 s as it stands, with `--rate` in < 120 s.
 *
 * Run: `bin/node bench/overload.ts [--rate CALLS-PER-SECOND] [--seconds SECONDS]`
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { cpuOf, dropsAt, HOST, load, Processes, post, type Running } from './processes.fixture.ts';
import { calling, freePort, type Line, type Outcome, play, registering } from './sipp.fixture.ts';

/** Calls for help in a second, while everything else is too much. */
const HELP = 5;
/** Calls a second at which the ladder begins, each step beside the one before, the last one; and seconds of a step. */
const LADDER = { first: 200, by: 1.25, last: 3000, seconds: 5 } as const;
/** Share of calls that may fail at a rate that is borne. */
const BORNE = 0.001;

const { values } = parseArgs({
  options: { rate: { type: 'string' }, seconds: { type: 'string', default: '15' } },
});
const asked = values.rate === undefined ? undefined : Number(values.rate);
const seconds = Number(values.seconds);
if (!((asked === undefined || (asked >= 1 && asked <= LADDER.last)) && seconds >= 1 && seconds <= 30)) {
  console.error(`bench/overload.ts: --rate is 1 to ${LADDER.last}, --seconds 1 to 30`);
  process.exit(3);
}
if (!hasProgram('sipp')) {
  console.error('bench/overload.ts: the program sipp is not installed');
  process.exit(3);
}

async function put(cloud: Running, path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${cloud.ready.operatorToken}`, 'content-type': 'application/json' };
  const reply = await fetch(`${cloud.ready.http}${path}`, { method: 'PUT', headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${path}: ${reply.status} ${await reply.text()}`);
}

/** A way for calls for help, to a SIPp that answers them. */
async function help(processes: Processes, cloud: Running): Promise<void> {
  const port = await freePort();
  processes.program('sipp', ['-sn', 'uas', '-i', HOST, '-p', String(port), '-nostdin']);
  const trunk = { name: 'Help', host: HOST, port, mode: 'address', probeEvery: 0 };
  const { id } = await post<{ id: string }>(cloud, '/v1/trunks', trunk);
  await put(cloud, '/v1/emergency/policy', { routes: [{ trunk: id, call: 'dialled' }] });
}

/** Calls for help all the while; how many were made and how many failed. */
async function callsForHelp(processes: Processes, cloud: Running): Promise<string> {
  const statistics = join(processes.folder, 'help.csv');
  const words = ['-sn', 'uac', '-s', '112', '-i', HOST, '-p', String(await freePort()), '-nostdin', '-d', '500'];
  const sipp = processes.program('sipp', [
    ...[...words, '-m', String(HELP * seconds), '-r', String(HELP), '-timeout', String(seconds + 20)],
    ...['-trace_stat', '-stf', statistics, '-fd', '1', cloud.ready.sip.udp],
  ]);
  await once(sipp, 'exit');
  const [head = [], ...rows] = readFileSync(statistics, 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.split(';'));
  const last = (column: string): string => rows.at(-1)?.[head.indexOf(column)] ?? '?';
  return `${last('SuccessfulCall(C)')} of ${last('TotalCallCreated')} calls for help`;
}

/** The highest rate of the ladder that is borne; a step that is not is tried once more, for something else may have run. */
async function sustainable(round: (name: string, of: number, length: number) => Promise<Outcome>): Promise<number> {
  let borne: number = LADDER.first;
  for (let rate: number = LADDER.first; rate <= LADDER.last; rate = Math.round(rate * LADDER.by)) {
    const isBorne = async (mark: string): Promise<boolean> => {
      const { calls, failed } = await round(`ladder-${rate}${mark}`, rate, LADDER.seconds);
      console.log(`${rate} calls/s: ${failed} of ${calls} failed`);
      return failed <= calls * BORNE;
    };
    if (!(await isBorne('')) && !(await isBorne('-again'))) break;
    borne = rate;
  }
  return borne;
}

/** What a round cost beside what it brought: the processor's time, and datagrams that the kernel threw away in front of the switch, or its phones. */
async function priced(cloud: Running, phones: readonly number[], run: () => Promise<Outcome>): Promise<Outcome> {
  const port = Number(cloud.ready.sip.udp.split(':').at(-1));
  const lost = (): number[] => [dropsAt(port), phones.reduce((sum, one) => sum + dropsAt(one), 0)];
  const [before, cpu] = [lost(), cpuOf(cloud.pid)];
  // A socket that is closed takes its count with it.
  let after = before;
  const looking = setInterval(() => {
    after = lost().map((count, i) => Math.max(count, after[i] ?? 0));
  }, 100);
  const outcome = await run();
  clearInterval(looking);
  const [here = 0, there = 0] = after.map((count, i) => count - (before[i] ?? 0));
  const spent = (cpuOf(cloud.pid) - cpu).toFixed(1);
  console.log(
    `  ${spent} s of CPU; datagrams thrown away by the kernel: ${here} of the switch, ${there} of the phones`,
  );
  return outcome;
}

const served = ({ calls, failed }: Outcome): string => `${((calls - failed) / seconds).toFixed(0)} served/s`;

async function main(): Promise<void> {
  await using processes = new Processes();
  const cloud = await processes.cloud();
  const { id } = await post<{ id: string }>(cloud, '/v1/homes', { name: 'Bench' });
  const line = () => post<Line>(cloud, `/v1/homes/${id}/lines`, { class: 'unmetered' });
  const [from, to] = [await line(), await line()];
  const [caller, callee] = [await freePort(), await freePort()];
  const { udp: server } = cloud.ready.sip;
  const registered = await play(processes, 'register', registering(to, '[local_ip]:[local_port]'), {
    ...{ rate: 1, seconds: 1, server, port: callee },
  });
  if (registered.failed > 0) throw new Error('the callee could not register');
  processes.program('sipp', [
    '-sn',
    'uas',
    '-i',
    HOST,
    '-p',
    String(callee),
    '-nostdin',
    '-buff_size',
    String(4 << 20),
  ]);
  await help(processes, cloud);
  const scenario = calling(from, to.number);
  const round = (name: string, of: number, length: number) =>
    play(processes, name, scenario, { rate: of, seconds: length, server, port: caller });
  await round('warm-up', 100, 10);
  // A ladder warms as it rises.
  if (asked !== undefined) for (const part of [4, 2, 1]) await round(`warm-up-${part}`, Math.ceil(asked / part), 5);
  const rate = asked ?? (await sustainable(round));
  const alone = await priced(cloud, [caller, callee], () => round('alone', rate, seconds));
  console.log(`${rate} calls/s: ${served(alone)}, ${alone.failed} failed`);
  const [over, helped] = await Promise.all([
    priced(cloud, [caller, callee], () => round('over', 3 * rate, seconds)),
    callsForHelp(processes, cloud),
  ]);
  const share = (100 * (over.calls - over.failed)) / Math.max(1, alone.calls - alone.failed);
  console.log(
    `${3 * rate} calls/s: ${served(over)} (${share.toFixed(0)} % of the former), ${over.failed} turned away or failed`,
  );
  console.log(`meanwhile ${helped}; ${load()}`);
}

await main();
