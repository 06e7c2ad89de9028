/** Privacy that a phone behind a gateway asks for (RFC 3323): in the house by the gateway, elsewhere by the cloud, or no call. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { sipHash } from '#shared/host/sip-hash.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { headerIn } from '#test/support/carrier.ts';
import { agent } from '#test/support/sip-agent.ts';
import { twoHomes } from './two-homes.ts';
import { number } from './words.ts';

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let a: Phone;
/** What came to the called phones. */
let wire: string[] = [];

beforeAll(async () => {
  ({ stage, world } = await virtualStage({ seed: 83 }));
  ({ elm, oak, a } = await twoHomes(stage));
  await listening(elm, '10.8.0.9');
  await listening(oak, '10.8.1.9');
});
afterAll(() => stage[Symbol.asyncDispose]());
beforeEach(async () => {
  for (const phone of stage.phones) for (const call of phone.calls) phone.hangup(call);
  await world.run(1_000);
  wire = [];
});

/** A phone of the home whose messages are seen. */
async function listening(home: StageHome, host: string): Promise<void> {
  const { username, password = '', domain } = (await stage.line(home)).sip;
  await world.run(500);
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && wire.push(text));
  const options = { host, server: home.gateway.status().sip.udp, domain, username, password, trace };
  const phone = await world.settle(Phone.open({ world: world.host(host, [host]), answerAfter: 100, ...options }));
  stage.phones.push(phone);
  await world.settle(phone.register());
  await world.run(1_000);
}

async function dial(to: string, privacy: string): Promise<PhoneCall> {
  const call = await world.settle(a.dial(to, [['Privacy', privacy]]));
  await world.until(() => call.state === 'up' || call.state === 'ended', 20_000, 'an outcome');
  return call;
}
const invite = () => wire.find((text) => text.startsWith('INVITE')) ?? '';
const HIDDEN = 'anonymous@anonymous.invalid';

it.each([
  ['in the house', () => number(elm, 1)],
  ['in another home', () => number(oak, 1)],
])('%s: what is asked for is done, and what nobody knows is no call where it is critical', async (_where, to) => {
  for (const value of ['id', 'user', 'header', 'user;session;critical']) {
    const call = await dial(to(), value);
    expect([value, call.state]).toEqual([value, 'up']);
    expect(headerIn(invite(), 'From')).toContain(HIDDEN);
    expect(invite()).not.toContain(number(elm));
    call.hangup();
    await world.run(500);
    wire = [];
  }
  for (const value of ['none', 'session', 'x-more']) {
    const call = await dial(to(), value);
    expect([value, call.state]).toEqual([value, 'up']);
    expect(headerIn(invite(), 'From')).toContain(number(elm));
    call.hangup();
    await world.run(500);
    wire = [];
  }
  const call = await dial(to(), 'x-more;critical');
  expect([call.state, call.status, invite()]).toEqual(['ended', 500, '']);
});

it.each([
  ['in the house', () => number(elm, 1)],
  ['in another home', () => number(oak, 1)],
])(
  '%s: a From without a name asks for it too, as RFC 3323 recommends it, and the credential says whose it is',
  async (_where, to) => {
    const world = stage.ground.host(`nameless-${to()}`);
    const { username, password = '', domain } = (elm.lines[0] as (typeof elm.lines)[number]).sip;
    const { endpoint, transport } = agent(world.world, { onOutput: () => {} });
    const server = elm.gateway.status().sip.udp;
    await stage.ground.settle(transport.bind({ udp: { host: world.address, port: 5060 } }));
    const flow = await stage.ground.settle(transport.flowTo({ protocol: 'udp', ...server }));
    const hash = sipHash(world.world.crypto);
    const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, username, domain, password, hash);
    const uri = `sip:${to()}@${domain}`;
    const sdp = `v=0\r\no=- 1 1 IN IP4 ${world.address}\r\ns=-\r\nc=IN IP4 ${world.address}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n`;
    for (const from of ['"Anonymous" <sip:anonymous@anonymous.invalid>', `<sip:Anonymous@${domain}>`]) {
      wire = [];
      const handle = transport.act((now, out) =>
        endpoint.invite(
          {
            ...{ uri, from, to: `<${uri}>`, flow, contact: `sip:x@${world.address}`, sdp },
            credentials: { username, realm: domain, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } },
          },
          now,
          out,
        ),
      );
      await stage.ground.pass(2_000);
      expect([from, headerIn(invite(), 'From')]).toEqual([from, expect.stringContaining(HIDDEN)]);
      expect(invite()).not.toContain(number(elm));
      transport.act((now, out) => endpoint.hangup(handle, '', now, out));
      await stage.ground.pass(500);
    }
  },
);

it('never stands in the way of a call for help', async () => {
  // There is no way out here: it is refused for that, by the cloud.
  const call = await dial('112', 'x-more;critical');
  const plain = await dial('112', 'id');
  expect(call.status).toBe(plain.status);
  expect((await stage.api('emergency.call.list', {})).items).toHaveLength(2);
});
