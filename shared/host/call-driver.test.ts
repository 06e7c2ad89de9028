import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { newCall } from '#shared/call/call.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Agent, agent } from '#test/support/sip-agent.ts';
import { CallDriver, type CallHooks, type DrivenCall } from './call-driver.ts';

/** A driver whose hooks note what they were asked; `changed` are other hooks. */
function rig(changed: Partial<CallHooks<string, DrivenCall<string>>> = {}, failed?: string) {
  const world = new VirtualWorld({ seed: 1 });
  const { clock, log, random } = world.host('switch', ['10.0.0.1']);
  const endpoint = new Endpoint({ random, hash: (_name, text) => createHash('md5').update(text).digest('hex') });
  const said: string[] = [];
  const logged: string[] = [];
  const out: EndpointOutput[] = [];
  const driver = new CallDriver<string, DrivenCall<string>>({
    sip: { endpoint, act: (run) => run(endpoint, clock.mono(), out), contact: () => 'sip:x@10.0.0.1' },
    clock,
    log: { ...log, error: (event) => void logged.push(event) },
    ...(failed === undefined ? {} : { failed }),
    hooks: {
      route: async ({ id }) => void said.push(`${id} route`),
      moved: () => undefined,
      reroute: async () => {},
      media: async () => ({ failed: 503 }),
      connect: async () => {},
      release: async () => {},
      report: async ({ id }, { leg, event }) => void said.push(`${id} ${leg} ${event}`),
      inviteOptions: () => {
        throw new Error('nobody is invited here');
      },
      up: () => {},
      over: ({ id }, { reason }) => void said.push(`${id} over ${reason}`),
      ...changed,
    },
  });
  function add(id: string): DrivenCall<string> {
    const call = { id, state: newCall<string>(), handles: new Map(), versions: new Map(), due: NEVER };
    driver.add(call);
    return call;
  }
  return { world, driver, said, logged, add };
}

test('what a hook feeds waits until all outputs of the step before are carried out', async () => {
  const { world, driver, said, add } = rig({
    report: async ({ id }, { leg, event }) => {
      said.push(`${id} ${leg} ${event}`);
      if (id === 'a' && driver.get('b')?.state.at === 'idle') driver.feed(b, { on: 'invite' });
    },
  });
  const [a, b] = [add('a'), add('b')];
  driver.feed(a, { on: 'invite' });
  driver.feed(a, { on: 'held', callerLeg: 'leg', limit: 1_000 });
  driver.feed(a, { on: 'close', reason: 'hangup' });
  expect(said).toEqual(['a route', 'a leg ended', 'a over hangup', 'b route']);
  expect([...driver.all()]).toEqual([b]);
  world[Symbol.dispose]();
});

test('a deadline of a call steps it, and none is left of a call that is over', async () => {
  const { world, driver, said, add } = rig();
  const a = add('a');
  driver.feed(a, { on: 'invite' });
  driver.feed(a, { on: 'held', callerLeg: 'leg', limit: 1_000 });
  await world.run(999);
  expect(driver.size).toBe(1);
  await world.run(1);
  expect(said.at(-1)).toBe('a over timeout');
  expect(driver.size).toBe(0);
  await world.run(10_000);
  expect(said).toHaveLength(3);
  world[Symbol.dispose]();
});

test.each([
  [undefined, 'call.failed'],
  ['switch.call-failed', 'switch.call-failed'],
])('a hook that fails is told to the log, by the name %s', async (name, expected) => {
  const { world, driver, logged, add } = rig({ route: () => Promise.reject(new Error('no way')) }, name);
  driver.feed(add('a'), { on: 'invite' });
  await world.run(1);
  expect(logged).toEqual([expected]);
  world[Symbol.dispose]();
});

const sdp = (version: number) =>
  `v=0\r\no=- 7 ${version} IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`;

/** A driver on 10.0.0.1 that rings two phones which answer; media describes itself by `version` each time. */
async function ringing(version: number) {
  const world = new VirtualWorld({ seed: 1 });
  const own = world.host('switch', ['10.0.0.1']);
  const self: Agent = agent(own, { onOutput: (output) => void ('call' in output && driver.take(output)) });
  const contact = 'sip:x@10.0.0.1';
  let ups = 0;
  const driver = new CallDriver<Flow, DrivenCall<Flow>>({
    sip: {
      endpoint: self.endpoint,
      act: (run) => self.transport.act((now, out) => run(self.endpoint, now, out)),
      contact: () => contact,
    },
    clock: own.clock,
    log: own.log,
    hooks: {
      route: async () => {},
      moved: () => undefined,
      reroute: async () => {},
      media: async (_call, { want }) => (want === 'accept' ? {} : { sdp: sdp(version) }),
      connect: async () => {},
      release: async () => {},
      report: async () => {},
      inviteOptions: (_call, invite) => ({
        ...{ uri: 'sip:b@x', from: '<sip:a@x>', to: '<sip:b@x>', flow: invite.to, contact, sdp: invite.sdp },
      }),
      up: () => void ups++,
      over: () => {},
    },
  });
  await self.transport.bind({ udp: { host: '10.0.0.1', port: 5060 } });
  const phones = ['10.0.0.2', '10.0.0.3'].map((host) => agent(world.host(host, [host])));
  const branches: { branch: string; to: Flow }[] = [];
  for (const [i, phone] of phones.entries()) {
    const at = { host: `10.0.0.${i + 2}`, port: 5060 };
    await phone.transport.bind({ udp: at });
    branches.push({ branch: `p${i}`, to: await self.transport.flowTo({ protocol: 'udp', ...at }) });
  }
  const call = { id: 'a', state: newCall<Flow>(), handles: new Map(), versions: new Map(), due: NEVER };
  driver.add(call);
  driver.feed(call, { on: 'open', target: { leg: 'leg', branches }, ringFor: 60_000 });
  await world.until(() => ups === 1, 5_000);
  const winner = phones[Number(call.state.winner?.slice(1))];
  if (winner === undefined) throw new Error('nobody won');
  return { world, driver, call, winner };
}

test('of two phones that answer one is kept, and the other’s name goes', async () => {
  const { world, driver, call } = await ringing(1);
  expect([...call.handles.keys()]).toEqual([call.state.winner]);
  expect(driver.ofHandle(call.handles.get(call.state.winner) ?? '')?.call).toBe(call);
  world[Symbol.dispose]();
});

test.each([1, 5])('each description of a dialog has one version more than the last, from %i', async (version) => {
  const { world, winner } = await ringing(version);
  const incoming = winner.seen.find((output) => output.do === 'incoming');
  if (incoming?.do !== 'incoming') throw new Error('no call came');
  const heard = [incoming.offer];
  for (const n of [1, 2]) {
    winner.transport.act((now, out) => winner.endpoint.reoffer(incoming.call, sdp(n), now, out));
    const answers = () => winner.seen.filter((output) => output.do === 'reoffered');
    await world.until(() => answers().length === n, 5_000);
    heard.push(answers()[n - 1]?.sdp);
  }
  expect(heard).toEqual([sdp(version), sdp(version + 1), sdp(version + 2)]);
  world[Symbol.dispose]();
});

test('a timer that runs before a deadline which has moved on looks again; after the end none is left', async () => {
  const { world, driver, said, add } = rig();
  const [a, b] = [add('a'), add('b')];
  driver.feed(a, { on: 'invite' });
  driver.feed(b, { on: 'invite' });
  // Its way was awaited for six seconds.
  driver.feed(a, { on: 'held', callerLeg: 'leg', limit: 10_000 });
  await world.run(6_000);
  expect([a.state.at, b.state.at]).toEqual(['held', 'over']);
  await world.run(3_999);
  expect(a.state.at).toBe('held');
  await world.run(1);
  expect(said).toEqual(['a route', 'b route', 'b over server_unavailable', 'a leg ended', 'a over timeout']);
  expect(a.due).toBe(NEVER);
  world[Symbol.dispose]();
});
