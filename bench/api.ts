/**
 * The open API of a real `hearthline cloud` process, asked over loopback by this one (both share the machine's cores): durable creates per
 * second at 64 connections, each with its own Idempotency-Key, and the time from the reply that made an event to its first webhook attempt
 * and to a server-sent event. Ends in about 40 s.
 *
 * Run: `bin/node bench/api.ts`
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const CONNECTIONS = 64;
const ROUND = 6_000;
const EVENTS = 400;
const folder = mkdtempSync(join(tmpdir(), 'hearthline-bench-api-'));
const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });

const file = join(folder, 'ready');
const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);
const child = spawn(
  resolve(import.meta.dirname, '../bin/hearthline'),
  ['cloud', '--data', join(folder, 'data'), ...any, '--media', '127.0.0.1:40000-59999', '--ready', file],
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));
while (!existsSync(file)) await pause(20);
const ready = JSON.parse(readFileSync(file, 'utf8')) as { pid: number; http: string; operatorToken: string };
const base = new URL(ready.http);

/** One request; resolves with status and parsed body. */
function ask(
  method: string,
  path: string,
  body?: object,
  key?: string,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((done, fail) => {
    const headers = {
      authorization: `Bearer ${ready.operatorToken}`,
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const sent = request({ agent, host: base.hostname, port: base.port, method, path, headers }, (reply) => {
      let got = '';
      reply.on('data', (part) => (got += part));
      reply.on('end', () => done({ status: reply.statusCode ?? 0, body: got === '' ? {} : JSON.parse(got) }));
    });
    sent.on('error', fail);
    sent.end(text);
  });
}

function show(name: string, times: number[], ms: number): void {
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(1);
  const rate = ms === 0 ? '' : `${Math.round((times.length * 1000) / ms)}/s, `;
  console.log(`${name}: ${rate}p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${times.length})`);
}

/** Seconds of processor time that the cloud has used. */
async function cpu(): Promise<number> {
  const headers = { authorization: `Bearer ${ready.operatorToken}` };
  const text = await (await fetch(`${ready.http}/metrics`, { headers })).text();
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]);
}

async function creates(name: string, path: string, body: (n: number) => object): Promise<void> {
  const times: number[] = [];
  const cpuBefore = await cpu();
  const since = performance.now();
  let n = 0;
  const one = async () => {
    while (performance.now() - since < ROUND) {
      const before = performance.now();
      const key = `bench${path}/${n}`;
      const { status, body: reply } = await ask('POST', path, body(n++), key);
      if (status >= 300) throw new Error(`${path}: ${status} ${JSON.stringify(reply)}`);
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, one));
  const used = ((await cpu()) - cpuBefore) * 1000;
  show(`${name}, ${(used / times.length).toFixed(2)} ms of processor each`, times, performance.now() - since);
}

/** Events one after the other: how long after the reply each way brings it. */
async function latencies(home: string): Promise<void> {
  const replied = new Map<string, number>();
  const came = { webhook: [] as number[], 'server-sent event': [] as number[] };
  const arrived = (way: keyof typeof came, event: string) => {
    const at = performance.now();
    const { subject: id, data } = JSON.parse(event) as { subject: string; data: { state: string } };
    if (data.state !== 'AVAILABLE') return;
    // Either may come before the reply has been read here.
    const look = () =>
      replied.has(id) ? came[way].push(Math.max(0, at - (replied.get(id) ?? 0))) : setTimeout(look, 1);
    look();
  };
  const receiver = createServer((message, response) => {
    let text = '';
    message.on('data', (part) => (text += part));
    message.on('end', () => {
      response.writeHead(204).end();
      arrived('webhook', text);
    });
  });
  await new Promise<void>((done) => receiver.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  await ask('POST', '/v1/webhooks', { home, url, types: ['home.qos.*'] });
  const headers = { authorization: `Bearer ${ready.operatorToken}`, accept: 'text/event-stream' };
  const stop = new AbortController();
  const stream = await fetch(`${ready.http}/v1/events?types=home.qos.*`, { headers, signal: stop.signal });
  const reading = (async () => {
    let text = '';
    for await (const part of stream.body ?? []) {
      text += new TextDecoder().decode(part);
      for (const [, data = ''] of text.matchAll(/^data: (.*)\n\n/gm)) arrived('server-sent event', data);
      text = text.slice(text.lastIndexOf('\n\n') + 2);
    }
  })().catch(() => undefined);
  for (let n = 0; n < EVENTS; n++) {
    const { body } = await ask('POST', '/v1/qos/sessions', { home, profile: 'voice', duration: 60 });
    replied.set(String(body.id), performance.now());
    await pause(10);
    await ask('DELETE', `/v1/qos/sessions/${body.id}`);
    await pause(5);
  }
  stop.abort();
  await reading;
  receiver.closeAllConnections();
  receiver.close();
  for (const [way, times] of Object.entries(came)) show(`event to ${way}`, times, 0);
}

try {
  console.log(
    `load before: ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}`,
  );
  const home = String((await ask('POST', '/v1/homes', { name: 'bench' })).body.id);
  const line = async () => (await ask('POST', `/v1/homes/${home}/lines`, { class: 'unmetered' })).body;
  const [from, to] = [await line(), await line()];
  await creates('homes (one durable row and its documents)', '/v1/homes', (n) => ({ name: `home ${n}` }));
  await creates('call sessions (phones away)', '/v1/calls', () => ({ from: from.id, to: to.number }));
  await pause(2000);
  await latencies(home);
  console.log(
    `load after: ${loadavg()
      .map((one) => one.toFixed(1))
      .join(' ')}`,
  );
} finally {
  process.kill(ready.pid, 'SIGKILL');
  child.unref();
  agent.destroy();
  rmSync(folder, { recursive: true, force: true });
}
