import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Entry } from './outbox.ts';
import { DISK_AGAIN, Reporter } from './reporter.ts';

let virtual: VirtualWorld;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
});
afterEach(() => virtual[Symbol.dispose]());

const ours = () => virtual.host('gw', ['10.0.1.1']).clock.wall();

function make(
  told: Entry[],
  ready: boolean | (() => boolean) = false,
  cloudTime: () => number | undefined = ours,
): Reporter {
  const world = virtual.host('gw', ['10.0.1.1']);
  return new Reporter({
    world,
    folder: '/outbox',
    ready: typeof ready === 'boolean' ? () => ready : ready,
    cloudTime,
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

test('a disk that is full at the start keeps nobody from reporting, and holds it all once there is room', async () => {
  const first = make([]);
  await first.start();
  await first.add('alarm.raise', { n: 1 }, {});
  await first.stop();
  await virtual.run(1_000);
  virtual.disk('gw').faults.capacity = 0;
  const told: Entry[] = [];
  const second = make(told, true);
  await second.start();
  expect(await second.add('alarm.raise', { n: 2 }, {})).toMatchObject({ ok: false });
  second.pump();
  await virtual.run(10);
  expect(told.map(({ body }) => body)).toEqual([{ n: 1 }, { n: 2 }]);
  delete virtual.disk('gw').faults.capacity;
  await virtual.run(DISK_AGAIN + 1_000);
  expect(await second.add('alarm.raise', { n: 3 }, {})).toEqual(ok(undefined));
  await second.stop();
  expect(await virtual.disk('gw').list('/outbox')).toHaveLength(1);
});

const call = (at: number) => ({
  callId: 'x',
  from: '1',
  to: '2',
  startedAt: at,
  endedAt: at + 1_000,
  reason: 'hangup',
});

test('the times of what was made while the clock was wrong are put right by the cloud’s, whenever that tells them', async () => {
  const told: Entry[] = [];
  let link = false;
  // The gateway believes that it is an hour ago, and is put right by half of it while it waits.
  virtual.skew('gw', -3_600_000);
  const truth = () => virtual.host('stage', ['10.0.9.9']).clock.wall();
  const reporter = make(
    told,
    () => link,
    () => (link ? truth() : undefined),
  );
  await reporter.start();
  const moments = [];
  for (const correction of [1_800_000, 0]) {
    moments.push(truth());
    await reporter.add('voice.report', call(ours()), {});
    await virtual.run(60_000);
    virtual.skew('gw', correction);
  }
  link = true;
  moments.push(truth());
  await reporter.add('voice.report', call(ours()), {});
  reporter.pump();
  await virtual.run(10);
  expect(told.map(({ body }) => body)).toEqual(moments.map(call));
  await reporter.stop();
});

test('what a full disk did not take is on it once it can be, though nothing more is reported', async () => {
  const reporter = make([]);
  await reporter.start();
  const faults = virtual.disk('gw').faults;
  faults.capacity = 100;
  expect(await reporter.add('voice.report', call(1), {})).toMatchObject({ ok: false, fault: { code: 'internal' } });
  await virtual.run(2 * DISK_AGAIN);
  delete faults.capacity;
  await virtual.run(DISK_AGAIN);
  // The power fails now.
  const told: Entry[] = [];
  const next = make(told, true);
  await next.start();
  next.pump();
  await virtual.run(10);
  expect(told.map(({ body }) => body)).toEqual([call(1)]);
  await next.stop();
});
