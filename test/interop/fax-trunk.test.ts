/** Fax between a line and a carrier, Kamailio in between: T.38 is passed on both ways, and where it is refused the call goes on with G.711. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import { Phone, type PhoneCall } from '#simulator/phone.ts';
import { hasProgram } from '#test/peers.ts';
import { freePort } from './free-port.ts';
import { CARRIER, startCarrier } from './kamailio.ts';
import type { KamailioProgram } from './kamailio-program.ts';
import { any, LoopbackCloud } from './loopback-cloud.ts';

const PAGES = 25;

describe.skipIf(!hasProgram('kamailio'))('fax by a trunk to Kamailio', () => {
  let rig: LoopbackCloud;
  let carrier: KamailioProgram | undefined;
  let number: string;
  /** The line's machine, and the carrier's subscriber. */
  let ours: Phone;
  let far: Phone;

  /** What they were opened with: what they take of fax is asked at each offer. */
  const takes = { ours: { fax: true }, far: { fax: true } };

  beforeAll(async () => {
    rig = await LoopbackCloud.start();
    const line = await rig.line();
    number = line.number;
    const port = await freePort();
    const own = rig.cloud.config.bound.sipUdp ?? any;
    const common = { world: rig.world, host: '127.0.0.1' };
    const { username, domain, password = '' } = line.sip;
    ours = await Phone.open(
      Object.assign(takes.ours, { ...common, server: own, username, domain, password, voice: sine(600, -10, 8000) }),
    );
    const server = { host: '127.0.0.1', port };
    const subscriber = { server, domain: CARRIER.domain, username: 'far', password: 'none' };
    far = await Phone.open(Object.assign(takes.far, { ...common, ...subscriber, voice: sine(900, -10, 8000) }));
    rig.phones.push(ours, far);
    expect(await ours.register()).toBe(200);
    carrier = await startCarrier({ folder: rig.folder, name: 'fax', port, far: far.address, to: own });
    await rig.ask('trunk.create', {
      ...{ name: 'Fax', host: '127.0.0.1', port, mode: 'address', domain: CARRIER.domain, codecs: ['PCMU'] },
    });
  }, 30_000);
  afterAll(async () => {
    await carrier?.stop();
    await rig.stop();
  });

  /** A call out or in, answered: our side of it and the carrier's. */
  async function call(out: boolean): Promise<readonly [PhoneCall, PhoneCall]> {
    const [from, to] = out ? [ours, far] : [far, ours];
    const made = await from.dial(out ? '+442071838750' : number);
    await rig.until(() => made.state === 'up' && to.calls.at(-1)?.state === 'up', `the answer: ${made.status}`);
    const taken = to.calls.at(-1) as PhoneCall;
    await rig.until(() => made.heard().length > 2_000 && taken.heard().length > 2_000, 'sound both ways');
    return out ? [made, taken] : [taken, made];
  }

  async function pages(from: PhoneCall, to: PhoneCall): Promise<void> {
    const before = to.pages.length;
    for (let n = 0; n < PAGES; n++) {
      from.rtp.send(Uint8Array.of(0, n, 1, 6, 0, 0));
      await new Promise((done) => setTimeout(done, 10));
    }
    await rig.until(() => to.pages.length - before >= PAGES, 'all datagrams');
    expect(to.pages.slice(before).map((page) => page[1])).toEqual(Array.from({ length: PAGES }, (_, n) => n));
  }

  it.each([
    ['out, switched over by the carrier’s side', true, false],
    ['out, switched over by the line', true, true],
    ['in, switched over by the line', false, true],
    ['in, switched over by the carrier’s side', false, false],
  ])(
    '%s',
    async (_name, out, byUs) => {
      takes.ours.fax = true;
      takes.far.fax = true;
      const [mine, theirs] = await call(out);
      (byUs ? mine : theirs).switchToFax(true);
      await rig.until(() => mine.fax && theirs.fax, 'T.38 at both ends');
      await pages(mine, theirs);
      await pages(theirs, mine);
      (byUs ? theirs : mine).switchToFax(false);
      await rig.until(() => !mine.fax && !theirs.fax, 'sound at both ends');
      mine.hangup();
      await rig.until(() => theirs.state === 'ended', 'the end');
    },
    30_000,
  );

  it.each([
    ['out, refused by the line', true, false],
    ['in, refused by the line', false, false],
    ['in, refused by the carrier’s side', false, true],
  ])(
    '%s: goes on with G.711',
    async (_name, out, byUs) => {
      takes.ours.fax = byUs;
      takes.far.fax = !byUs;
      const [mine, theirs] = await call(out);
      const [asks, other] = byUs ? [mine, theirs] : [theirs, mine];
      asks.switchToFax(true);
      await new Promise((done) => setTimeout(done, 500));
      expect([asks.fax, other.fax, asks.state, other.state]).toEqual([false, false, 'up', 'up']);
      for (const [one, hz] of [
        [mine, 900],
        [theirs, 600],
      ] as const) {
        one.rtp.clear();
        await rig.until(() => one.heard().length > 8_000, 'sound');
        expect(levelOf(one.heard().slice(-4_000), hz)).toBeGreaterThan(-30);
      }
      mine.hangup();
      await rig.until(() => theirs.state === 'ended', 'the end');
    },
    30_000,
  );
});
