/** A carrier that registers us, over the virtual world: what it grants, what it forgets, and which of its refusals are about itself. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Address } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Agent, agent, callOver } from '#test/support/sip-agent.ts';
import { type Line, Operator } from './operator.ts';

const FAR = '+442071838750';
const HOST = '10.5.0.1';
const OFFER = `v=0\r\no=- 1 1 IN IP4 ${HOST}\r\ns=-\r\nc=IN IP4 ${HOST}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`;

interface Registrar extends Agent {
  readonly registers: SipMessage[];
  readonly invites: SipMessage[];
  /** What REGISTER, OPTIONS and INVITE get. */
  answer: Answer;
  probed: Answer;
  called: Answer;
  at: Address;
}

interface Answer {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
}

let operator: Operator;
let a: Line;
let alice: Phone;

beforeEach(async () => {
  operator = await Operator.start(71);
  a = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(a);
});
afterEach(() => operator.stop());

async function registrar(host = HOST): Promise<Registrar> {
  const ok = { status: 200 };
  const state = { registers: [], invites: [], answer: ok, probed: ok, called: ok, at: { host, port: 5060 } };
  const made = agent(operator.world.host(`carrier-${host}`, [host]), {
    onOutput(output) {
      if (output.do === 'incoming') {
        one.invites.push(output.message);
        const { status, headers = [] } = one.called;
        one.transport.act((now, out) =>
          status === 200
            ? one.endpoint.answer(output.call, { sdp: OFFER, contact: `sip:${host}` }, now, out)
            : one.endpoint.reject(output.call, status, { headers }, now, out),
        );
      }
      if (output.do !== 'request') return;
      const { method } = output.message;
      if (method === 'REGISTER') one.registers.push(output.message);
      const { status, headers = [] } = method === 'REGISTER' ? one.answer : one.probed;
      one.transport.act((now, out) => one.endpoint.reply(output.transaction, status, { headers }, now, out));
    },
  });
  const one: Registrar = Object.assign(state, made);
  await operator.world.settle(one.transport.bind({ udp: one.at, tcp: one.at }));
  return one;
}

const account = { name: 'Carrier', mode: 'register', username: 'hearth', password: 'secret' } as const;
type More = Partial<Parameters<typeof create>[0]>;
const create = (settings: Parameters<Operator['ask']>[1] & object) => operator.ask('trunk.create', settings as never);
const add = async (more: More = {}) => (await create({ ...account, host: HOST, ...more })).id;
const standing = async (id: string) => {
  const { state, cause } = await operator.ask('trunk.get', { trunk: id });
  return [state, cause];
};
const run = (seconds: number) => operator.world.run(seconds * 1000);
const seconds = ({ registers }: Registrar) => registers.map((one) => one.contacts[0]?.params.get('expires'));
const settled = (call: PhoneCall) =>
  operator.world.until(() => call.state === 'up' || call.state === 'ended', 40_000, 'the outcome');

describe('a registration', () => {
  test('that is too short for the carrier is made for as long as it wants (423)', async () => {
    const one = await registrar();
    one.answer = { status: 423, headers: [['Min-Expires', '1800']] };
    const id = await add();
    await run(1);
    one.answer = { status: 200, headers: [['Contact', '<sip:hearth@10.0.0.2>;expires=1800']] };
    await run(10);
    expect([...new Set(seconds(one))]).toEqual(['600', '1800']);
    expect(await standing(id)).toEqual(['up', undefined]);
  });

  test('is refreshed by what is said of our Contact, not of others that the account has', async () => {
    const one = await registrar();
    one.answer = {
      status: 200,
      headers: [
        ['Contact', '<sip:hearth@10.9.9.9:5060>;expires=20'],
        ['Contact', '<sip:hearth@10.0.0.2:5060>;expires=400'],
      ],
    };
    await add({ probeEvery: 0 });
    await run(190);
    expect(one.registers).toHaveLength(1);
    await run(20);
    expect(one.registers).toHaveLength(2);
  });

  test('is made anew once a carrier is back that started again', async () => {
    const one = await registrar();
    const id = await add({ probeEvery: 10 });
    await run(1);
    await operator.world.settle(one.transport.close());
    await run(60);
    expect(await standing(id)).toEqual(['down', 'no answer']);
    const again = await registrar();
    await run(70);
    expect([again.registers.length, await standing(id)]).toEqual([1, ['up', undefined]]);
  });

  test('is made anew where its connection is gone, and without a connection the operator hears that', async () => {
    const one = await registrar();
    const id = await add({ transport: 'tcp', probeEvery: 0 });
    await run(40);
    expect(one.registers).toHaveLength(1);
    await operator.world.settle(one.transport.close());
    const again = await registrar();
    await run(5);
    expect([again.registers.length, await standing(id)]).toEqual([1, ['up', undefined]]);
    await operator.world.settle(again.transport.close());
    await run(40);
    expect(await standing(id)).toEqual(['down', 'it cannot be reached']);
  });
});

describe('a call that a carrier refuses', () => {
  const second = async () => {
    const other = await registrar('10.5.0.2');
    await add({ host: '10.5.0.2', priority: 200 });
    return other;
  };

  test.each([
    [403, 'up', undefined],
    [408, 'up', undefined],
    [407, 'down', 'answered 407'],
    [500, 'down', 'answered 500'],
  ])('with %i goes another way, and leaves the trunk %s', async (status, state, cause) => {
    const one = await registrar();
    const id = await add({ probeEvery: 0, priority: 1 });
    const other = await second();
    await run(1);
    one.called = { status };
    const call = await alice.dial(FAR);
    await settled(call);
    expect([call.state, one.invites.length, other.invites.length]).toEqual(['up', 1, 1]);
    expect(await standing(id)).toEqual([state, cause]);
  });

  test('with 503 and Retry-After leaves it alone for that long (RFC 3261 section 21.5.4)', async () => {
    const one = await registrar();
    const id = await add({ probeEvery: 10, priority: 1 });
    const other = await second();
    await run(1);
    one.called = { status: 503, headers: [['Retry-After', '60;duration=30 (full)']] };
    await settled(await alice.dial(FAR));
    one.called = { status: 200 };
    const before = one.wire.length;
    await run(50);
    await settled(await alice.dial(FAR));
    expect([one.invites.length, other.invites.length, one.wire.length - before]).toEqual([1, 2, 0]);
    expect(await standing(id)).toEqual(['down', 'answered 503']);
    await run(15);
    await settled(await alice.dial(FAR));
    expect([one.invites.length, await standing(id)]).toEqual([2, ['up', undefined]]);
  });
});

test('of several accounts at one carrier a call that comes in is of the one that it names', async () => {
  const one = await registrar();
  const ids = [await add(), await add({ username: 'second' })];
  await run(1);
  const flow = await operator.world.settle(one.transport.flowTo({ protocol: 'udp', host: '10.0.0.2', port: 5060 }));
  const to = `<sip:${a.number}@operator.test>`;
  callOver(one, flow, { uri: 'sip:second@10.0.0.2', to, contact: `sip:${HOST}`, sdp: OFFER });
  await run(1);
  const calls = async (trunk: string) => (await operator.ask('trunk.get', { trunk })).calls;
  expect(await Promise.all(ids.map(calls))).toEqual([0, 1]);
});

test.each([{ host: '2001:DB8:0:0::5' }, { host: '2001:db8::9', addresses: ['2001:DB8:0:0::5'] }])(
  'a carrier with IPv6 is known when it calls, however that is written: %o',
  async (settings) => {
    const { world, config } = operator;
    const at = { host: '2001:db8::2', port: 5060 };
    world.host('cloud', [at.host]);
    await operator.stopPart('softswitch');
    Object.assign(config, { sip: at, publicHost: at.host });
    await operator.startPart('softswitch');
    const one = await registrar('2001:db8::5');
    await create({ name: 'Carrier', mode: 'address', ...settings });
    await run(1);
    const flow = await world.settle(one.transport.flowTo({ protocol: 'udp', ...at }));
    callOver(one, flow, { uri: `sip:${a.number}@operator.test`, contact: 'sip:[2001:db8::5]', sdp: OFFER });
    await run(1);
    // A stranger would have to sign.
    expect(one.wire.filter((line) => /^in SIP\/2.0 [2-6]/.test(line))).toEqual(['in SIP/2.0 200 OK']);
  },
);
