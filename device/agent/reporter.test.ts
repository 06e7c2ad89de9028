import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Entry } from './outbox.ts';
import { Reporter } from './reporter.ts';

let virtual: VirtualWorld;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
});
afterEach(() => virtual[Symbol.dispose]());

function make(told: Entry[], ready = false): Reporter {
  const world = virtual.host('gw', ['10.0.1.1']);
  return new Reporter({
    world,
    folder: '/outbox',
    ready: () => ready,
    cloudTime: () => world.clock.wall(),
    async send(entry) {
      told.push(entry);
      return ok({});
    },
  });
}

test('what is reported while the outbox is being read joins what it holds, in one log', async () => {
  const first = make([]);
  await first.start();
  await first.add('alarm.raise', { n: 1 }, {});
  await first.stop();
  await virtual.run(1_000);
  const told: Entry[] = [];
  const second = make(told, true);
  const early = second.add('alarm.raise', { n: 2 }, {});
  await second.start();
  expect(await early).toEqual(ok(undefined));
  second.pump();
  await virtual.run(10);
  expect(told.map(({ body }) => body)).toEqual([{ n: 1 }, { n: 2 }]);
  expect(await virtual.disk('gw').list('/outbox')).toEqual(['outbox-2']);
  await second.stop();
});

test('nothing is taken after the end, so a folder that was emptied stays empty', async () => {
  const reporter = make([]);
  await reporter.start();
  await reporter.stop();
  await virtual.disk('gw').remove('/outbox');
  expect(await reporter.add('alarm.raise', {}, {})).toMatchObject({ ok: false, fault: { code: 'timeout' } });
  expect(await virtual.disk('gw').list('/outbox')).toEqual([]);
});
