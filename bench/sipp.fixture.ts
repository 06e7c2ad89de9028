/** What benches with SIPp share: its scenarios of lines that register and call with digest, how they are run, and what they counted. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST, type Processes } from './processes.fixture.ts';

export interface Line {
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}

export interface Round {
  /** Calls (or registrations) per second. */
  readonly rate: number;
  readonly seconds: number;
}

export interface Outcome {
  readonly calls: number;
  readonly failed: number;
  /** Milliseconds that each call took to what its scenario measures, in rising order. */
  readonly answers: readonly number[];
  /** How often each step of the scenario was taken: `9_ACK_Sent` and the like; empty unless asked for. */
  readonly steps?: ReadonlyMap<string, number>;
}

export interface Play extends Round {
  /** `host:port` of the server. */
  readonly server: string;
  /** Where SIPp sends from. */
  readonly port: number;
  /** Rows of fields for the scenario's `[field0]` and so on. */
  readonly rows?: readonly string[];
  /** Seconds after the last call began within which every one must have ended. */
  readonly late?: number;
  /** Milliseconds for which each message is waited for; default: until the end, whatever comes. */
  readonly patience?: number;
  /** Steps are counted. */
  readonly counted?: true;
}

/** Seconds after the last INVITE within which every call must have ended. */
const LATE = 20;

export async function freePort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Runs a scenario against a server, from a port, until it ends; what its statistics say. As any phone it answers OPTIONS inside a call (`-aa`). */
export async function play(processes: Processes, name: string, text: string, asked: Play): Promise<Outcome> {
  const { rate, seconds, port, server, rows, late = LATE, patience, counted } = asked;
  const file = join(processes.folder, `${name}.xml`);
  writeFileSync(file, text);
  const fields = join(processes.folder, `${name}.rows`);
  if (rows !== undefined) writeFileSync(fields, `SEQUENTIAL\n${rows.join('\n')}\n`);
  const statistics = join(processes.folder, `${name}.csv`);
  const sipp = processes.program('sipp', [
    ...['-sf', file, '-i', HOST, '-p', String(port), '-t', 'u1', '-aa', '-nostdin', '-buff_size', String(4 << 20)],
    ...['-m', String(rate * seconds), '-r', String(rate), '-l', String(rate * (late + seconds))],
    ...['-timeout', String(seconds + late), '-trace_stat', '-stf', statistics, '-fd', '1'],
    ...(rows === undefined ? [] : ['-inf', fields]),
    ...(patience === undefined ? [] : ['-recv_timeout', String(patience)]),
    ...(counted === true ? ['-trace_counts'] : []),
    ...['-trace_rtt', '-rtt_freq', '100', server],
  ]);
  await once(sipp, 'exit');
  const told = (file: string): string =>
    readdirSync(processes.folder).includes(file) ? readFileSync(join(processes.folder, file), 'utf8') : '';
  const table = lastRow(readFileSync(statistics, 'utf8'));
  const last = (column: string): number => table.get(column) ?? 0;
  const times = told(`${name}_${sipp.pid}_rtt.csv`);
  const steps = lastRow(told(`${name}_${sipp.pid}_counts.csv`));
  const answers = [...times.matchAll(/^[^;\n]+;([\d.]+);/gm)].map((match) => Number(match[1]));
  const failed = rate * seconds - last('SuccessfulCall(C)');
  return { calls: last('TotalCallCreated'), failed, answers: answers.sort((a, b) => a - b), steps };
}

/** The last row of a table of SIPp's, by its heads. */
function lastRow(text: string): ReadonlyMap<string, number> {
  const [heads = '', ...rows] = text.trim().split('\n');
  const values = rows.at(-1)?.split(';') ?? [];
  return new Map(heads.split(';').map((head, i) => [head, Number(values[i] ?? 0)]));
}

/** The value below which that share of the measured times lies; `-` where there are none. */
export const shareOf = ({ answers }: Outcome, share: number): string =>
  `${answers[Math.floor(answers.length * share)] ?? '-'} ms`;

const pack = (text: string): string => `<![CDATA[\n${text}\n]]>`;
const scenario = (steps: string): string =>
  `<?xml version="1.0" encoding="ISO-8859-1"?><scenario name="bench">${steps}</scenario>`;
const EMPTY = 'Content-Length: 0\n\n';
const SDP =
  'Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=bench 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n';

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

/** What SIPp makes an Authorization header of. */
const signed = ({ username, password }: Line['sip']): string =>
  `[authentication username=${username} password=${password}]`;
const credentials = ({ sip }: Line): string => `${signed(sip)}\n`;

/** Registers a line at the port that it comes from, where another SIPp answers later: calls go where a registration came from. */
export function registering(line: Line, contact: string, answer = credentials(line)): string {
  const request = (seq: number, more: string) =>
    pack(
      `${head(line, 'REGISTER', `sip:${line.sip.domain}`, seq, contact)}To: <sip:${line.sip.username}@${line.sip.domain}>\n${more}Expires: 600\n${EMPTY}`,
    );
  return scenario(
    `<send retrans="500" start_rtd="answer">${request(1, '')}</send><recv response="401" auth="true"></recv><send retrans="500">${request(2, answer)}</send><recv response="200" rtd="answer"></recv>`,
  );
}

/** A row of `registeringRows`. */
export const rowOf = ({ sip }: Line): string => `${sip.username};${signed(sip)}`;

/** Registers the lines of the rows one after another, over and over. */
export const registeringRows = (domain: string, contact: string): string =>
  registering({ number: '', sip: { username: '[field0]', password: '', domain } }, contact, '[field1]\n');

/** Calls a number with digest on INVITE, and hangs up after `hold` ms. The time is taken to the 180 or to the answer. */
export function calling(line: Line, number: string, { hold = 1000, until = 'answer' } = {}): string {
  const target = `sip:${number}@[remote_ip]:[remote_port]`;
  const me = '[local_ip]:[local_port]';
  const to = `To: <${target}>\n`;
  const refused = `${head(line, 'ACK', target, 1, me).replace(/Via:.*/, '[last_Via:]')}[last_To:]\n${EMPTY}`;
  const rings = until === 'answer' ? 'optional="true"' : 'rtd="answer"';
  return scenario(`
<send retrans="500" start_rtd="answer">${pack(`${head(line, 'INVITE', target, 1, me)}${to}${SDP}`)}</send>
<recv response="100" optional="true"></recv><recv response="401" auth="true"></recv>
<send>${pack(refused)}</send>
<send retrans="500">${pack(`${head(line, 'INVITE', target, 2, me)}${to}${credentials(line)}${SDP}`)}</send>
<recv response="100" optional="true"></recv><recv response="183" optional="true"></recv><recv response="180" ${rings}></recv>
<recv response="200" rrs="true"${until === 'answer' ? ' rtd="answer"' : ''}></recv>
<send>${pack(`${head(line, 'ACK', '[next_url]', 2, me)}[routes]\n[last_To:]\n${EMPTY}`)}</send>
<pause milliseconds="${hold}"/>
<send retrans="500" start_txn="bye">${pack(`${head(line, 'BYE', '[next_url]', 3, me)}[routes]\n[last_To:]\n${EMPTY}`)}</send>
<recv response="200" response_txn="bye"></recv>`);
}

/** Answers every call after `rings` ms, by way of a proxy too. */
export function answering(rings = 0): string {
  const reply = (status: string, more: string) =>
    pack(
      `SIP/2.0 ${status}\n[last_Via:]\n[last_Record-Route:]\n[last_From:]\n[last_To:];tag=[pid]u[call_number]\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port]>\n${more}`,
    );
  const done = pack(
    `SIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContact: <sip:[local_ip]:[local_port]>\n${EMPTY}`,
  );
  return scenario(`
<recv request="INVITE" crlf="true"></recv>
<send>${reply('180 Ringing', EMPTY)}</send>${rings === 0 ? '' : `<pause milliseconds="${rings}"/>`}
<send retrans="500">${reply('200 OK', SDP)}</send>
<recv request="ACK"></recv><recv request="BYE"></recv><send>${done}</send>`);
}
