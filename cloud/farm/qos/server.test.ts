import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Budgets, DEFAULT_BUDGET, type Reservation } from './budget.ts';
import { qos } from './server.ts';

const wish = (leg: string, more: Partial<Reservation> = {}): Reservation => ({
  session: 'ses_1',
  leg,
  home: 'home_1',
  kbits: 100,
  kind: 'voice',
  emergency: false,
  ...more,
});

describe('budgets', () => {
  it(`admit legs up to ${DEFAULT_BUDGET} kbit/s of a home and refuse the one beyond, by name of the figures`, () => {
    const budgets = new Budgets();
    const most = DEFAULT_BUDGET / 100;
    for (let n = 0; n < most; n++) expect(budgets.reserve(wish(`leg_${n}`)).ok).toBe(true);
    const refused = budgets.reserve(wish('one-more'));
    expect(refused).toMatchObject({ ok: false, fault: { code: 'uplink_full' } });
    expect(budgets.reserve(wish('elsewhere', { home: 'home_2' })).ok).toBe(true);
    expect(budgets.reserve(wish('help', { emergency: true }))).toMatchObject({ ok: true });
    budgets.release({ session: 'ses_1', leg: 'leg_0' });
    expect(budgets.reserve(wish('still-full'))).toMatchObject({ ok: false });
    budgets.release({ session: 'ses_1', leg: 'leg_1' });
    expect(budgets.reserve(wish('fits'))).toMatchObject({ ok: true, value: { usedKbits: DEFAULT_BUDGET } });
  });

  it('mark talk as expedited and streams as assured forwarding', () => {
    const budgets = new Budgets();
    expect(budgets.reserve(wish('a'))).toMatchObject({ value: { dscp: 46, name: 'EF' } });
    expect(budgets.reserve(wish('b', { kind: 'media' }))).toMatchObject({ value: { dscp: 26, name: 'AF31' } });
  });

  it('use exactly the sum of what is held, in whatever order things come and go', () => {
    const step = fc.record({
      leg: fc.constantFrom('a', 'b', 'c', 'd'),
      home: fc.constantFrom('home_1', 'home_2'),
      kbits: fc.integer({ min: 1, max: 1500 }),
      emergency: fc.boolean(),
      release: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const budgets = new Budgets();
        for (const { release, ...one } of steps) {
          if (release) budgets.release({ session: 'ses_1', leg: one.leg });
          else budgets.reserve(wish(one.leg, one));
          for (const home of ['home_1', 'home_2']) {
            const held = budgets.list().filter((two) => two.home === home);
            const sum = held.reduce((total, two) => total + two.kbits, 0);
            const probe = budgets.reserve(wish('probe', { home, kbits: 1, emergency: true }));
            expect(probe).toMatchObject({ value: { usedKbits: sum + 1 } });
            budgets.release({ session: 'ses_1', leg: 'probe' });
            if (!held.some((two) => two.emergency)) expect(sum).toBeLessThanOrEqual(DEFAULT_BUDGET);
          }
        }
      }),
    );
  });
});

describe('the qos server', () => {
  const SELF: Context = { principal: { kind: 'part', part: 'session-manager' } };
  let world: VirtualWorld;
  let bus: InProcessBus;
  let part: RunningPart;
  let told: unknown[];
  let answer: Outcome<'gateway.command'>;
  const owner = { session: 'ses_1', leg: 'leg_1' };
  const reserve = { ...owner, home: 'home_1', kbits: 100, kind: 'voice' } as const;

  beforeEach(async () => {
    world = new VirtualWorld({ seed: 1 });
    const host = world.host('cloud', ['10.0.0.1']);
    bus = createBus({ log: host.log, clock: host.clock });
    told = [];
    answer = ok({ body: { marked: true } });
    const edge: Partial<Handlers<'gateway-edge'>> = {
      'gateway.command': async (request) => {
        told.push([request.gateway, request.verb, request.body]);
        return answer;
      },
    };
    bus.serve('gateway-edge', edge as Handlers<'gateway-edge'>);
    part = await qos.start({ world: host, bus, store: openLocalStore(':memory:'), config: {} as CloudConfig });
  });
  afterEach(async () => {
    await part.stop();
    world[Symbol.dispose]();
  });

  const mark = () => world.settle(bus.request('qos.mark', { ...owner, gateway: 'gw_1', dscp: 46 }, SELF));

  it('has the gateway set the mark, and take it off when the leg ends', async () => {
    await world.settle(bus.request('qos.reserve', reserve, SELF));
    expect(part.health()).toMatchObject({ legs: 1, load: 0.05 });
    expect(await mark()).toEqual(ok({ marked: true }));
    await world.settle(bus.request('qos.release', owner, SELF));
    await world.settle(bus.request('qos.release', owner, SELF));
    expect(told).toEqual([
      ['gw_1', 'qos.apply', { ...owner, dscp: 46, state: 'apply' }],
      ['gw_1', 'qos.apply', { ...owner, dscp: 46, state: 'remove' }],
    ]);
    expect(part.health()).toMatchObject({ legs: 0, load: 0 });
  });

  it.each<[string, Outcome<'gateway.command'>, string]>([
    ['the gateway cannot', ok({ body: { marked: false, why: 'no rights to set it' } }), 'no rights to set it'],
    ['the gateway is away', err(fault('gateway_offline', 'It is not connected.')), 'It is not connected.'],
    ['nobody says more', err(fault('timeout')), 'timeout'],
  ])('says why there is no mark: %s', async (_name, reply, why) => {
    answer = reply;
    expect(await mark()).toEqual(ok({ marked: false, why }));
    await world.settle(bus.request('qos.release', owner, SELF));
    expect(told).toHaveLength(1);
  });
});
