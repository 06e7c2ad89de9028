/** Ways of the calls of carriers: over TCP, connections that end; over UDP, dialogs that lead elsewhere than their INVITE went. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeOffer } from '#shared/sip/offer-answer.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Phone } from '#simulator/phone.ts';
import { type Agent, agent, callOver } from '#test/support/sip-agent.ts';
import { type Line, Operator } from './operator.ts';

const HOST = '10.5.0.1';
const AT = { host: HOST, port: 5060 };
const OFFER = makeOffer({ address: { host: HOST, port: 4000 }, sessionId: 1 });
const CONTACT = `sip:carrier@${HOST}:5060;transport=tcp`;

let operator: Operator;
let line: Line;
let alice: Phone;
let carrier: Agent;

beforeEach(async () => {
  operator = await Operator.start(5923);
  line = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(line);
  carrier = agent(operator.world.host('carrier', [HOST]), {
    onOutput(output) {
      carrier.seen.push(output);
      carrier.transport.act((now, out) => {
        const { endpoint } = carrier;
        if (output.do === 'incoming') endpoint.answer(output.call, { sdp: OFFER, contact: CONTACT }, now, out);
        if (output.do === 'offer') endpoint.acceptOffer(output.call, OFFER, now, out);
        if (output.do === 'request' || output.do === 'in-dialog') endpoint.reply(output.transaction, 200, {}, now, out);
      });
    },
  });
  await operator.world.settle(carrier.transport.bind({ tcp: AT }));
  const { id } = await operator.ask('trunk.create', {
    ...{ name: 'Carrier', host: HOST, addresses: [HOST], mode: 'address', transport: 'tcp', probeEvery: 0 },
  } as never);
  expect(id).toBeDefined();
});
afterEach(() => operator.stop());

/** An established call, and the connection that carries it. */
async function up(way: 'from' | 'to'): Promise<Flow> {
  const { world, config } = operator;
  if (way === 'to') {
    await world.settle(alice.dial('+442071838750'));
    await world.run(3_000);
    const call = carrier.seen.find((output) => output.do === 'incoming');
    if (call?.do !== 'incoming') throw new Error('no call');
    return call.flow;
  }
  const to = config.bound.sipTcp ?? AT;
  const flow = await world.settle(carrier.transport.flowTo({ protocol: 'tcp', ...to }));
  callOver(carrier, flow, { uri: `sip:${line.number}@${to.host}`, sdp: OFFER, contact: CONTACT });
  await world.run(3_000);
  return flow;
}

const states = () => alice.calls.map(({ state }) => state);

/** Alice hangs up, and the carrier hears of it. */
async function ends(): Promise<void> {
  alice.calls.at(-1)?.hangup();
  await operator.world.run(3_000);
  expect(carrier.seen.filter((output) => output.do === 'ended')).toHaveLength(1);
  expect(carrier.wire.filter((one) => one.startsWith('in BYE'))).toHaveLength(1);
}

it.each(['from', 'to'] as const)(
  'a call %s a carrier that closes its connection goes on, and its BYE arrives',
  async (way) => {
    const flow = await up(way);
    expect(states()).toEqual(['up']);
    for (let time = 0; time < 2; time++) {
      carrier.transport.closeFlow(flow);
      await operator.world.run(100_000);
    }
    expect(states()).toEqual(['up']);
    await ends();
  },
);

it('a carrier that started again is found once it is there', async () => {
  await up('to');
  await operator.world.settle(carrier.transport.close());
  await operator.world.run(28_000);
  const again = agent(operator.world.host('carrier', [HOST]));
  await operator.world.settle(again.transport.bind({ tcp: AT }));
  await operator.world.run(5_000);
  expect(states()).toEqual(['up']);
  alice.calls[0]?.hangup();
  await operator.world.run(3_000);
  expect(again.wire.filter((one) => one.startsWith('in BYE'))).toHaveLength(1);
});

it.each(['from', 'to'] as const)('a call %s a carrier outlives our restart, and its BYE arrives', async (way) => {
  await up(way);
  await operator.stopPart('softswitch');
  await operator.startPart('softswitch');
  await operator.world.run(2_000);
  await ends();
});

/** A carrier whose front at `HOST` answers for another machine of it, at `at`. */
async function behind(at: string, route?: string, host = '10.5.0.8', followContact?: boolean): Promise<Agent> {
  const back = agent(operator.world.host('back', ['10.5.0.9']));
  await operator.world.settle(back.transport.bind({ udp: { host: '10.5.0.9', port: 5070 } }));
  await operator.ask('trunk.create', {
    ...{ name: 'Front', host, addresses: [host], mode: 'address', probeEvery: 0, priority: 1 },
    ...(followContact === undefined ? {} : { followContact }),
  } as never);
  const front = agent(operator.world.host('front', [host]), {
    onOutput(output) {
      front.seen.push(output);
      if (output.do !== 'incoming') return;
      const headers = route === undefined ? [] : ([['Record-Route', route]] as const);
      front.transport.act((now, out) =>
        front.endpoint.answer(output.call, { sdp: OFFER, contact: `sip:back@${at}`, headers }, now, out),
      );
    },
  });
  await operator.world.settle(front.transport.bind({ udp: { host, port: 5060 } }));
  await operator.world.settle(alice.dial('+442071838750'));
  await operator.world.run(1_000);
  alice.calls[0]?.hangup();
  await operator.world.run(1_000);
  const requests = (one: Agent) => [
    ...new Set(one.wire.filter((line) => /^in (ACK|BYE)/.test(line)).map((line) => line.slice(3, 6))),
  ];
  return Object.assign(back, { seen: [], closed: [requests(front).join(' '), requests(back).join(' ')] });
}

it.each([
  ['its Contact is another machine', '10.5.0.9:5070', undefined, ['', 'ACK BYE']],
  ['its Contact is where it is', '10.5.0.8', undefined, ['ACK BYE', '']],
  ['its front stays between', '10.5.0.9:5070', '<sip:10.5.0.8;lr>', ['ACK BYE', '']],
  ['its route begins at another machine', '10.77.0.1', '<sip:10.5.0.9:5070;lr>', ['', 'ACK BYE']],
  ['its Contact is a name', 'back.example:5070', undefined, ['ACK BYE', '']],
  ['its Contact wants TCP', '10.5.0.9:5070;transport=tcp', undefined, ['ACK BYE', '']],
  ['its Contact is one of ours', '10.0.0.2:5060', undefined, ['ACK BYE', '']],
])(
  'requests of a call go where its dialog leads: %s (RFC 3261 section 12.2.1.1)',
  async (_what, at, route, expected) => {
    expect((await behind(at, route)).closed).toEqual(expected);
  },
);

it.each([
  ['an address of the carrier’s own network', '203.0.113.8', undefined, ['ACK BYE', '']],
  ['such a one, though the operator says that it leads there', '203.0.113.8', true, ['', 'ACK BYE']],
  ['any, where the operator wants none followed', '10.5.0.8', false, ['ACK BYE', '']],
])('a Contact is followed or not: %s', async (_what, host, followContact, expected) => {
  expect((await behind('10.5.0.9:5070', undefined, host, followContact)).closed).toEqual(expected);
});
