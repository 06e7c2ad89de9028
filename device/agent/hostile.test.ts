/** A cloud (or somebody in its place) that sends anything it likes: the user agent stays up, obeys nothing that is not a command, and goes on. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { ok } from '#shared/kernel/result.ts';
import type { Stream, World } from '#shared/kernel/world.ts';
import { Seeded } from '#simulator/random.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Agent, createAgent } from './agent.ts';

let virtual: VirtualWorld;
let home: World;
let stream: Stream | undefined;
let said: string[];
let agent: Agent;
let obeyed: unknown[];
let applied: unknown[];

function publish(channel: string, payload: string | Uint8Array): void {
  const topic = utf8(`hl/1/d/gw_1/${channel}`);
  const octets = typeof payload === 'string' ? utf8(payload) : payload;
  const length = 2 + topic.length + octets.length;
  const head = [0x30, (length % 128) | 128, (Math.floor(length / 128) % 128) | 128, Math.floor(length / 16_384)];
  const short = head.slice(0, length < 16_384 ? 3 : 4);
  if (length < 16_384) short[2] = Math.floor(length / 128);
  if (length < 128) short.splice(1, 2, length);
  stream?.write(Uint8Array.from([...short, 0, topic.length, ...topic, ...octets]));
}

const answer = (re: string, more: object) =>
  publish('res', JSON.stringify({ v: 1, id: 'a', type: 't', ts: 0, epoch: 1, seq: 1, re, ...more }));

beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 1 });
  const cloud = virtual.host('cloud', ['10.0.0.1']);
  home = virtual.host('home', ['10.0.1.1']);
  const key = await cloud.crypto.createKey();
  const certificate = await cloud.crypto.issue({
    subject: 'cloud',
    publicKey: key.publicKey,
    signer: key.privateKey,
    notBefore: 0,
    notAfter: 4e12,
    use: 'server',
    names: ['10.0.0.1'],
  });
  [said, obeyed, applied] = [[], [], []];
  const tls = { certificate, key: key.privateKey };
  await cloud.net.listen({ host: '10.0.0.1', port: 8883, tls }, (incoming) => {
    stream = incoming;
    incoming.handle({
      data(data) {
        const type = (data[0] ?? 0) >> 4;
        if (type === 1) incoming.write(Uint8Array.of(0x20, 2, 0, 0));
        if (type === 8) incoming.write(Uint8Array.of(0x90, 3, data[2] ?? 0, data[3] ?? 0, 1));
        const hello = /"id":"([^"]+)","type":"gateway.hello"/.exec(Buffer.from(data).toString('latin1'))?.[1];
        if (hello !== undefined) answer(hello, { body: { epoch: 1, at: virtual.now, documents: [] } });
        if (type === 3) said.push(Buffer.from(data).toString('latin1'));
      },
      close() {},
    });
  });
  agent = createAgent({
    world: home,
    identity: { gateway: 'gw_1', certificate, key: key.privateKey },
    mqtt: { host: '10.0.0.1', port: 8883 },
    ca: certificate,
    state: '/state',
    profile: 'residential-gateway',
    version: '1',
  });
  agent.onCommand('inventory.scan', async (body) => {
    obeyed.push(body);
    return ok({ devices: 1 });
  });
  agent.onDesired('system', async (document) => {
    applied.push(document);
    return ok({});
  });
  await agent.start();
  await virtual.until(() => agent.status.at === 'ready', 10_000);
});
afterEach(async () => {
  await agent.stop();
  virtual[Symbol.dispose]();
});

const command = { v: 1, id: 'c', type: 'inventory.scan', ts: 0, epoch: 1, seq: 1, body: {} };
const desired = {
  ...command,
  id: 'd',
  type: 'desired',
  body: { doc: 'system', version: 1, body: { home: 'home_1', homeName: 'x', reportEvery: 60_000 } },
};

test('what is no message is nothing; the next good one is obeyed', async () => {
  const bad = ['', '{', 'null', '[]', '"x"', '5', '['.repeat(60_000), JSON.stringify({ ...command, id: '../x' })];
  bad.push(JSON.stringify({ ...command, v: 2 }), JSON.stringify({ ...command, fault: { code: 'no_such' } }));
  for (const channel of ['cmd', 'res', 'desired', 'other', 'cmd/more']) for (const text of bad) publish(channel, text);
  publish('cmd', new Uint8Array(200).fill(255));
  for (const type of ['', 'home.create', '__proto__', 'pairing.claimed', 'gateway.hello'])
    publish('cmd', JSON.stringify({ ...command, id: `t${type.length}`, type }));
  publish('cmd', JSON.stringify({ ...command, id: 'b', body: { extra: 1 } }));
  await virtual.run(2000);
  expect([obeyed, applied]).toEqual([[], []]);
  publish('cmd', JSON.stringify(command));
  publish('desired', JSON.stringify(desired));
  await virtual.run(1000);
  expect([obeyed.length, applied.length]).toEqual([1, 1]);
  expect(agent.status.at).toBe('ready');
  expect(said.filter((text) => text.includes('gateway_refused')).length).toBeGreaterThan(3);
});

test('3,000 damaged messages: never a throw; afterwards, perhaps on another connection, commands are obeyed', async () => {
  const random = new Seeded(5, 2);
  const pick = (n: number) => Math.floor(random.fraction() * n);
  for (let i = 0; i < 3000; i++) {
    const text = JSON.stringify([{ ...command, id: `x${i}` }, desired, { ...command, re: 'x' }][i % 3]);
    const octets = utf8(text);
    for (let n = pick(5); n > 0; n--) octets[pick(octets.length)] = 32 + pick(96);
    publish(['cmd', 'desired', 'res'][i % 3] ?? '', octets);
    if (i % 1000 === 999) stream?.write(Uint8Array.from({ length: pick(4) }, () => pick(256)));
    await virtual.run(8);
  }
  await virtual.run(600_000);
  await virtual.until(() => agent.status.at === 'ready', 600_000);
  obeyed = [];
  publish('cmd', JSON.stringify({ ...command, id: 'last' }));
  await virtual.run(1000);
  expect(obeyed).toEqual([{}]);
});
