/** A softswitch with more to do than it can turns new registrations away before refreshes, and gateways bear with it. */
import { afterEach, expect, test } from 'vitest';
import type { Stage } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { carrier, headerIn } from '#test/support/carrier.ts';
import { Operator } from './operator.ts';
import { twoHomes } from './two-homes.ts';

let over: () => Promise<void> = async () => {};
afterEach(() => over());

/** What the switch asks itself comes back late, as it does from a long queue. */
const queue = (world: VirtualWorld, delay: number) => world.link({ from: 'cloud', to: 'cloud', delay });

test('new registrations are turned away, those that are there stay, and calls for help are taken', async () => {
  const operator = await Operator.start(95);
  over = () => operator.stop();
  const a = await operator.line(await operator.home('home_1'), 1);
  const heard = { old: [] as string[], fresh: [] as string[] };
  const trace = (of: string[]) => (direction: 'in' | 'out', text: string) => void (direction === 'in' && of.push(text));
  const desk = await operator.ready(a, { trace: trace(heard.old) });
  heard.old.length = 0;
  queue(operator.world, 160);
  for (let i = 0; i < 90; i++) {
    void desk.register();
    const fresh = await operator.phone(a, { host: `10.2.${i}.1`, trace: trace(heard.fresh) });
    void fresh.register();
    await operator.world.run(40);
  }
  const away = (of: string[]) => of.filter((text) => text.startsWith('SIP/2.0 503'));
  expect(away(heard.fresh).length).toBeGreaterThan(5);
  expect(away(heard.fresh).every((text) => Number(headerIn(text, 'Retry-After')) >= 2)).toBe(true);
  expect([away(heard.old), heard.old.length >= 90]).toEqual([[], true]);
  const help = await desk.dial('112');
  await operator.world.run(1_000);
  // There is no way to those who help here: that is not for lack of time.
  expect([help.state, help.status, help.why]).toEqual(['ended', 503, 'failed']);
  expect((await operator.ask('emergency.call.list', {})).items).toHaveLength(1);
});

test('a gateway waits as it is asked to, keeps its phones meanwhile, and registers them again', async () => {
  const { stage, world }: { stage: Stage; world: VirtualWorld } = await virtualStage({ seed: 97 });
  over = () => stage[Symbol.asyncDispose]();
  const { elm, a, b } = await twoHomes(stage);
  const hall = await elm.phone({ manner: 'answer' });
  const [, second] = elm.lines;
  const reach = async () =>
    (await stage.api('line.list', { home: elm.id })).items.filter(({ registered }) => registered).length;
  const noise = await carrier(world, '10.9.9.9', {}, stage.cloud.config.bound.sipUdp);
  /** More calls than the switch can take, until something is so. */
  const noiseUntil = async (done: () => Promise<boolean>) => {
    for (let i = 0; i < 4_000 && !(await done()); i++) {
      await world.settle(noise.phone.dial('12'));
      await world.run(30);
    }
  };
  await stage.killCloud();
  await world.run(500);
  world.partition(['elm', 'elm-phone1', 'elm-phone2']);
  await stage.startCloud();
  queue(world, 2_000);
  let from = world.now;
  await noiseUntil(async () => world.now > from + 8_000);
  world.heal();
  expect(elm.gateway.status().voice.flow).toBe('down');
  await noiseUntil(async () => elm.gateway.status().voice.flow === 'up');
  from = world.now;
  await noiseUntil(async () => world.now > from + 1_000);
  // One in twenty is let through whatever comes (MOST), so that the end of the load is noticed: seldom a line, never both.
  expect(await reach()).toBeLessThan(2);
  const call = await world.settle(a.dial(second?.number ?? ''));
  await stage.ground.until(() => call.state === 'up', 5_000, 'a call inside the house');
  a.hangup(call);
  await world.settle(noise.phone.close());
  queue(world, 1);
  await stage.ground.until(async () => (await reach()) === 2, 60_000, 'the registrations');
  await world.run(10_000);
  const outside = await world.settle(b.dial(second?.number ?? ''));
  await stage.ground.until(() => outside.state === 'up', 10_000, 'a call from outside');
  expect(hall.calls.length).toBe(2);
});
