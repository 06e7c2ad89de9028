/**
 * What a call costs the whole cloud: SIPp as caller (digest on every INVITE, calls of 1 s) and as registered callee, straight at
 * the softswitch of a real `hearthline cloud` on the loopback. Each call is a journalled session with its call records, once with
 * its SDP passed on untouched and once, the callee seeming to be behind a NAT, with a media path through the engine. Prints, of each, calls, failed ones, CPU seconds per 1,000 calls of the cloud and of its media engine, and how long the
 * answer took from the first INVITE on, its digest challenge included. Needs `sipp`. Ends in < 75 s as it stands.
 *
 * Run: `bin/node bench/softswitch.ts [--rate CALLS-PER-SECOND] [--seconds SECONDS]`
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { hasProgram } from '#test/peers.ts';
import { cpuOf, HOST, load, Processes, post, type Running, residentOf } from './processes.fixture.ts';

interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

interface Round {
  readonly rate: number;
  readonly seconds: number;
}

interface Outcome {
  readonly calls: number;
  readonly failed: number;
  /** Milliseconds from the first INVITE to the 200, of each call. */
  readonly answers: readonly number[];
}

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
/** Seconds after the last INVITE within which every call must have ended. */
const LATE = 20;

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

async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Runs a SIPp scenario against the softswitch, from a port, until it ends; what its statistics say. */
async function play(
  processes: Processes,
  cloud: Running,
  name: string,
  text: string,
  { rate, seconds, port }: Round & { readonly port: number },
): Promise<Outcome> {
  const file = join(processes.folder, `${name}.xml`);
  writeFileSync(file, text);
  const statistics = join(processes.folder, `${name}.csv`);
  const sipp = processes.program('sipp', [
    ...['-sf', file, '-i', HOST, '-p', String(port), '-t', 'u1', '-nostdin', '-buff_size', String(4 << 20)],
    ...['-m', String(rate * seconds), '-r', String(rate), '-l', String(rate * LATE)],
    ...['-timeout', String(seconds + LATE), '-trace_stat', '-stf', statistics, '-fd', '1'],
    ...['-trace_rtt', '-rtt_freq', '100', cloud.ready.sip.udp],
  ]);
  await once(sipp, 'exit');
  const rows = readFileSync(statistics, 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.split(';'));
  const last = (column: string): number => Number(rows.at(-1)?.[rows[0]?.indexOf(column) ?? -1] ?? 0);
  const trace = readdirSync(processes.folder).find((one) => one === `${name}_${sipp.pid}_rtt.csv`);
  const times = trace === undefined ? '' : readFileSync(join(processes.folder, trace), 'utf8');
  const answers = [...times.matchAll(/^[^;\n]+;([\d.]+);/gm)].map((match) => Number(match[1]));
  const failed = rate * seconds - last('SuccessfulCall(C)');
  return { calls: last('TotalCallCreated'), failed, answers: answers.sort((a, b) => a - b) };
}

const pack = (text: string): string => `<![CDATA[\n${text}\n]]>`;
const scenario = (steps: string): string =>
  `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="bench">${steps}</scenario>`;
const EMPTY = 'Content-Length: 0\n\n';

/** The head of a request of a line up to and without To. */
function head(line: Line, method: string, uri: string, seq: number, contact: string): string {
  return `${method} ${uri} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:${line.sip.username}@${line.sip.domain}>;tag=[pid]b[call_number]
Call-ID: [call_id]
CSeq: ${seq} ${method}
Max-Forwards: 70
Contact: <sip:${line.sip.username}@${contact}>
`;
}

const credentials = ({ sip }: Line): string => `[authentication username=${sip.username} password=${sip.password}]\n`;

/** Registers a line at the port that it comes from, where another SIPp answers later: calls go where a registration came from. */
function registering(line: Line, contact: string): string {
  const request = (seq: number, more: string) =>
    `<send retrans="500">${pack(
      `${head(line, 'REGISTER', `sip:${line.sip.domain}`, seq, contact)}To: <sip:${line.sip.username}@${line.sip.domain}>\n${more}Expires: 600\n${EMPTY}`,
    )}</send>`;
  return scenario(
    `${request(1, '')}<recv response="401" auth="true"></recv>${request(2, credentials(line))}<recv response="200"></recv>`,
  );
}

/** Calls a number with digest on INVITE, and hangs up after a second. */
function calling(line: Line, number: string): string {
  const target = `sip:${number}@[remote_ip]:[remote_port]`;
  const me = '[local_ip]:[local_port]';
  const to = `To: <${target}>\n`;
  const offer =
    'Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=bench 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n';
  const refused = `${head(line, 'ACK', target, 1, me).replace(/Via:.*/, '[last_Via:]')}[last_To:]\n${EMPTY}`;
  const optional = [100, 180, 183].map((status) => `<recv response="${status}" optional="true"></recv>`).join('');
  return scenario(`
<send retrans="500" start_rtd="answer">${pack(`${head(line, 'INVITE', target, 1, me)}${to}${offer}`)}</send>
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>
<send>${pack(refused)}</send>
<send retrans="500">${pack(`${head(line, 'INVITE', target, 2, me)}${to}${credentials(line)}${offer}`)}</send>
${optional}<recv response="200" rrs="true" rtd="answer"></recv>
<send>${pack(`${head(line, 'ACK', '[next_url]', 2, me)}[last_To:]\n${EMPTY}`)}</send>
<pause milliseconds="1000"/>
<send retrans="500">${pack(`${head(line, 'BYE', '[next_url]', 3, me)}[last_To:]\n${EMPTY}`)}</send>
<recv response="200"></recv>`);
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
    const alone = { rate: 1, seconds: 1, port: callee };
    const registered = await play(processes, cloud, `register-${name}`, registering(to, contact), alone);
    if (registered.failed > 0) throw new Error('a callee could not register');
    callees.push({ name, calls: calling(from, to.number) });
  }
  const answering = ['-sn', 'uas', '-i', HOST, '-p', String(callee), '-nostdin', '-buff_size', String(4 << 20)];
  processes.program('sipp', answering);
  for (const { name, calls } of callees)
    await play(processes, cloud, `warm-up-${name}`, calls, { ...WARM_UP, port: caller });
  console.log(`${asked.rate} calls/s for ${asked.seconds} s each`);
  for (const { name, calls } of callees) await measure(processes, cloud, name, calls, caller);
  console.log(
    `resident: cloud ${residentOf(cloud.pid).toFixed(0)} MiB, its engine ${residentOf(cloud.engine ?? 0).toFixed(0)} MiB; ${load()}`,
  );
}

/** The round that counts, and its line of figures. */
async function measure(processes: Processes, cloud: Running, name: string, calls: string, port: number): Promise<void> {
  const before = spent(cloud);
  const outcome = await play(processes, cloud, `calls-${name}`, calls, { ...asked, port });
  // What the last calls leave to do, records among it, belongs to the price.
  await pause(1000);
  const good = outcome.calls - outcome.failed;
  const price = spent(cloud).map((cpu, i) => (((cpu - (before[i] ?? 0)) * 1000) / good).toFixed(2));
  const at = (share: number): string => `${outcome.answers[Math.floor(outcome.answers.length * share)] ?? '-'} ms`;
  console.log(
    `${name}: ${outcome.calls} calls, ${outcome.failed} failed; CPU-s per 1,000 calls ${price[0]} of the cloud, ${price[1]} of its engine; answered within p50 ${at(0.5)}, p99 ${at(0.99)} (of ${outcome.answers.length})`,
  );
}

await main();
