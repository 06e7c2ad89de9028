/** Fax through both gateways and the cloud: T.38 is passed on where the other side takes it, and sound goes on where it does not. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES } from './two-homes.ts';

/** A datagram of UDPTL with that number (ITU-T T.38 section 9.1): no RTP, whatever its number. */
const udptl = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255, 1, 6, 0, 0);

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let a: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 81 }));
  elm = await stage.home('elm');
  oak = await stage.home('oak');
  a = await elm.phone({ manner: 'answer', voice: tone(TONES.a, 1), fax: true });
});
afterEach(() => stage[Symbol.asyncDispose]());

async function call(fax: boolean, home = oak): Promise<[PhoneCall, PhoneCall]> {
  const b = await home.phone({ manner: 'answer', voice: tone(TONES.b, 1), fax });
  await world.run(2_000);
  const one = await world.settle(a.dial(home.lines.at(-1)?.number ?? ''));
  await world.until(() => one.state === 'up', 10_000, 'the answer');
  await world.run(1_000);
  return [one, b.calls[0] as PhoneCall];
}

async function pages(from: PhoneCall, to: PhoneCall, many = 50): Promise<number> {
  const before = to.pages.length;
  for (let n = 0; n < many; n++) {
    from.rtp.send(udptl(n));
    await world.run(20);
  }
  await world.run(500);
  expect(to.pages.slice(before).every((page, n) => page[1] === (n & 255) && page.length === 6)).toBe(true);
  return to.pages.length - before;
}

describe.each([
  ['from house to house', () => oak],
  ['inside the house', () => elm],
])('%s', (_name, home) => {
  it('both machines switch over, every datagram arrives as it was sent, and then they talk again', async () => {
    const [one, other] = await call(true, home());
    other.switchToFax(true);
    await world.until(() => one.fax && other.fax, 5_000, 'T.38 at both ends');
    expect([await pages(one, other), await pages(other, one)]).toEqual([50, 50]);
    other.switchToFax(false);
    await world.until(() => !one.fax && !other.fax, 5_000, 'sound at both ends');
    one.rtp.clear();
    await world.run(2_500);
    expectHears(one.heard(), TONES.b, TONES.a);
    a.hangup(one);
    await world.run(2_000);
    expect(other.state).toBe('ended');
  });

  it('a phone refuses it: the call goes on with sound', async () => {
    const [one, other] = await call(false, home());
    one.switchToFax(true);
    await world.run(3_000);
    expect([one.fax, other.fax, one.state]).toEqual([false, false, 'up']);
    one.rtp.clear();
    await world.run(2_500);
    expectHears(one.heard(), TONES.b, TONES.a);
    expectHears(other.heard(), TONES.a, TONES.b);
  });

  it('a fax of minutes is no silence: nobody hangs up', async () => {
    const [one, other] = await call(true, home());
    one.switchToFax(true);
    await world.until(() => one.fax && other.fax, 5_000, 'T.38 at both ends');
    await world.run(180_000);
    expect([one.state, other.state, await pages(one, other, 10)]).toEqual(['up', 'up', 10]);
  });
});
