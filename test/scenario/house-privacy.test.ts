/** Privacy that a phone behind a gateway asks for (RFC 3323): in the house by the gateway, elsewhere by the cloud, or no call. */
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { headerIn } from '#test/support/carrier.ts';
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

it('never stands in the way of a call for help', async () => {
  // There is no way out here: it is refused for that, by the cloud.
  const call = await dial('112', 'x-more;critical');
  const plain = await dial('112', 'id');
  expect(call.status).toBe(plain.status);
  expect((await stage.api('emergency.call.list', {})).items).toHaveLength(2);
});
