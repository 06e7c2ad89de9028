/**
 * A gateway's request and its answer, QoS 1 over mutual TLS: our edge (with its handler behind the bus) beside mosquitto (with its
 * handler as another MQTT client), the same client, the same octets, in turns in one run. Prints the medians over the
 * rounds and their ratio. `bin/node bench/mqtt.ts [rounds]`; without mosquitto only ours.
 *
 * Each server is a process of its own. A round stays inside the burst of the edge's packet budget, which refills meanwhile.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Handlers } from '#cloud/bus/bus.ts';
import { type MqttConnection, type MqttTarget, openMqtt } from '#shared/host/mqtt.ts';
import { hostWorld } from '#shared/host/world.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { ok } from '#shared/kernel/result.ts';
import { makeHostCloud } from '#test/support/edge.ts';

const UP = 'hl/1/g/gw_1/req';
const DOWN = 'hl/1/d/gw_1/res';
const ROUND_TRIPS = 60;
const world = hostWorld();

interface Setting {
  readonly gateway: MqttTarget;
  readonly server: { readonly certificate: string; readonly key: string };
}

/** The edge's process: prints where it listens and the gateway's credentials, then serves until its input ends. */
async function serveEdge(): Promise<void> {
  const cloud = await makeHostCloud();
  cloud.bus.serve('media', { 'media.list': async () => ok({ items: [] }) } as unknown as Handlers<'media'>);
  const setting: Setting = { gateway: cloud.target(await cloud.gateway('gw_1')), server: cloud.config.server };
  process.stdout.write(`${JSON.stringify(setting)}\n`);
  process.stdin.on('end', () => void cloud.edge.stop().then(() => process.exit(0))).resume();
}

/** The handler beside mosquitto: answers every request. */
async function serveResponder(target: MqttTarget): Promise<void> {
  const connection = await openMqtt(world, target, {
    message(_topic, payload) {
      const { id, type } = JSON.parse(new TextDecoder().decode(payload)) as { id: string; type: string };
      connection.publish(DOWN, utf8(JSON.stringify({ v: 1, id, type, re: id, body: { items: [] } })));
    },
    closed: () => process.exit(1),
  });
  process.stdout.write('ready\n');
  process.stdin.on('end', () => process.exit(0)).resume();
}

function child(...values: string[]): { process: ChildProcess; line: Promise<string> } {
  const made = spawn(process.execPath, [import.meta.filename, ...values], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = new Promise<string>((resolve, reject) => {
    let text = '';
    made.stdout?.on('data', (data: Buffer) => {
      text += data;
      if (text.includes('\n')) resolve(text);
    });
    made.on('exit', () => reject(new Error('a server ended before it was ready')));
  });
  return { process: made, line };
}

class Client {
  readonly #waiting = new Map<string, () => void>();
  #connection: MqttConnection | undefined;
  #serial = 0;

  async open(target: MqttTarget): Promise<void> {
    this.#connection = await openMqtt(world, target, {
      message: (_topic, payload) => {
        const { re } = JSON.parse(new TextDecoder().decode(payload)) as { re: string };
        this.#waiting.get(re)?.();
      },
      closed: (why) => {
        throw new Error(`the connection ended: ${why}`);
      },
    });
  }

  /** Milliseconds from request to answer. */
  async ask(): Promise<number> {
    const id = `b${++this.#serial}`;
    const envelope = { v: 1, id, type: 'media.list', ts: Date.now(), epoch: 1, seq: this.#serial, body: {} };
    const begun = performance.now();
    await new Promise<void>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#connection?.publish(UP, utf8(JSON.stringify(envelope)));
    });
    this.#waiting.delete(id);
    return performance.now() - begun;
  }

  close(): void {
    this.#connection?.close();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function startMosquitto({ gateway, server }: Setting, folder: string) {
  const port = await freePort();
  const files = { 'ca.pem': gateway.tls.ca ?? '', 'server.pem': server.certificate, 'server.key': server.key };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const config = [
    `listener ${port} 127.0.0.1`,
    'set_tcp_nodelay true',
    `cafile ${folder}/ca.pem`,
    `certfile ${folder}/server.pem`,
    `keyfile ${folder}/server.key`,
    'require_certificate true',
    'allow_anonymous true',
    'persistence false',
    'log_dest none',
    `user ${userInfo().username}`,
  ];
  await writeFile(join(folder, 'mosquitto.conf'), `${config.join('\n')}\n`);
  const made = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' });
  const started = await new Promise<boolean>((resolve) => {
    made.on('error', () => resolve(false));
    made.on('spawn', () => setTimeout(() => resolve(made.exitCode === null), 500));
  });
  return started ? { process: made, target: { ...gateway, port } } : undefined;
}

const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const shown = (value: number) => value.toFixed(3).padStart(8);

async function main(rounds: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'hearthline-bench-'));
  const edge = child('--edge');
  const setting = JSON.parse(await edge.line) as Setting;
  const ours = new Client();
  await ours.open(setting.gateway);
  const peer = await startMosquitto(setting, folder);
  const theirs = new Client();
  let responder: ReturnType<typeof child> | undefined;
  if (peer !== undefined) {
    const target = { ...peer.target, clientId: 'responder', filter: 'hl/1/g/gw_1/#' };
    responder = child('--responder', JSON.stringify(target));
    await responder.line;
    await theirs.open(peer.target);
  }
  const results = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round <= rounds; round++) {
    for (const [name, client] of [
      ['ours', ours],
      ['theirs', theirs],
    ] as const) {
      if (client === theirs && peer === undefined) continue;
      const times: number[] = [];
      for (let i = 0; i < ROUND_TRIPS; i++) times.push(await client.ask());
      // The first round warms both up.
      if (round > 0) results[name].push(middle(times));
      await new Promise((resolve) => setTimeout(resolve, (ROUND_TRIPS * 2 * 1000) / 200 / 2));
    }
  }
  console.log(`QoS 1 request and answer over mutual TLS, median of ${rounds} rounds of ${ROUND_TRIPS} (ms)`);
  console.log(`  hearthline edge, handler on its bus      ${shown(middle(results.ours))}`);
  if (peer === undefined) console.log('  mosquitto is not here or did not start: no ratio');
  else {
    const ratios = results.ours.map((value, i) => value / (results.theirs[i] ?? value));
    console.log(`  mosquitto, handler as its client         ${shown(middle(results.theirs))}`);
    console.log(`  ours / mosquitto, median of the rounds   ${shown(middle(ratios))}`);
  }
  ours.close();
  theirs.close();
  edge.process.stdin?.end();
  responder?.process.stdin?.end();
  peer?.process.kill('SIGTERM');
  await rm(folder, { recursive: true });
}

const [mode, value] = process.argv.slice(2);
if (mode === '--edge') await serveEdge();
else if (mode === '--responder') await serveResponder(JSON.parse(value ?? '{}') as MqttTarget);
else await main(Number(mode ?? 9));
