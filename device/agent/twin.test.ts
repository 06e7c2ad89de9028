import { beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Log } from '#shared/kernel/world.ts';
import { VirtualDisk } from '#simulator/disk.ts';
import { type Report, Twin } from './twin.ts';

const BODY = { home: 'home_1', homeName: 'Elm Street', reportEvery: 60_000 };
const document = (version: number, body: unknown = BODY, doc = 'system') => ({ doc, version, body });

let disk: VirtualDisk;
let logged: string[];
let reports: Report[];
let applied: number[];
beforeEach(() => {
  disk = new VirtualDisk();
  logged = [];
  reports = [];
  applied = [];
});

const log: Log = {
  debug() {},
  info() {},
  warn: (event) => void logged.push(event),
  error: (event) => void logged.push(event),
  child: () => log,
};

/** A gateway that refuses homes named `bad` and fails on those named `throw`. */
function newTwin(): Twin {
  const twin = new Twin({ disk, folder: '/s', log, report: async (report) => void reports.push(report) });
  twin.on('system', async (body: { homeName: string }, version) => {
    if (body.homeName === 'bad') return err('it is bad');
    if (body.homeName === 'throw') throw new Error('a bug');
    applied.push(version);
    return ok({ seen: Object.keys(body).length });
  });
  return twin;
}
async function receive(twin: Twin, ...bodies: unknown[]): Promise<void> {
  for (const body of bodies) twin.receive(body);
  await twin.settled();
}

test('documents are applied in the order of their versions, each once; older and repeated ones are nothing', async () => {
  const twin = newTwin();
  await receive(twin, document(2), document(2), document(1), document(5), document(3));
  expect(applied).toEqual([2, 5]);
  expect(twin.applied).toEqual({ system: 5 });
  expect(reports).toEqual(
    [2, 5].map((version) => ({ doc: 'system', applied: version, state: 'applied', body: { seen: 3 } })),
  );
});

describe('a document is rejected, and the last good one stays,', () => {
  test.each<[string, unknown, RegExp]>([
    ['when its applier refuses it', document(3, { ...BODY, homeName: 'bad' }), /^version 3: it is bad$/],
    ['when its applier fails', document(3, { ...BODY, homeName: 'throw' }), /^version 3: the gateway made an error$/],
    ['when it is not of its form', document(3, { ...BODY, reportEvery: 1 }), /^version 3: \/reportEvery/],
    ['when a field is missing', document(3, { home: 'home_1' }), /^version 3: /],
    ['when it is nothing', document(3, null), /^version 3: /],
    ['when nobody here applies it', document(3, {}, 'voice'), /does not know/],
    ['when nobody anywhere knows it', document(3, {}, '__proto__'), /does not know/],
  ])('%s', async (_name, body, error) => {
    const twin = newTwin();
    await receive(twin, document(2), body);
    const last = reports.at(-1);
    expect(last).toMatchObject({ state: 'rejected', error: expect.stringMatching(error) });
    expect(last?.applied).toBe(last?.doc === 'system' ? 2 : 0);
    expect(twin.applied).toEqual({ system: 2 });
    await receive(twin, document(3));
    expect(twin.applied).toEqual({ system: 3 });
  });
});

test('a field that a newer cloud added is left out, the rest is applied', async () => {
  await receive(newTwin(), document(1, { ...BODY, addedLater: true }));
  expect(reports).toEqual([{ doc: 'system', applied: 1, state: 'applied', body: { seen: 3 } }]);
});

test.each([[undefined], [null], [5], [{ doc: 'system' }], [{ doc: 'system', version: 1.5, body: BODY }], [[]]])(
  'what is no document (%o) is not even reported',
  async (body) => {
    await receive(newTwin(), body);
    expect([reports, logged]).toEqual([[], ['twin.unreadable']]);
  },
);

describe('after a restart', () => {
  test('the last good document is applied and reported before any cloud is there', async () => {
    await receive(newTwin(), document(4), document(5, { ...BODY, homeName: 'bad' }));
    [applied, reports] = [[], []];
    const twin = newTwin();
    await twin.start();
    expect([applied, twin.applied]).toEqual([[4], { system: 4 }]);
    expect(reports).toHaveLength(1);
  });

  test.each(['', '{', '{"version":"4"}', 'null', '\u0000'])('a damaged file (%j) is as good as none', async (text) => {
    disk.files.set('/s/desired-system.json', utf8(text));
    const twin = newTwin();
    await twin.start();
    expect([applied, logged]).toEqual([[], ['twin.damaged']]);
    await receive(twin, document(1));
    expect(applied).toEqual([1]);
  });

  test('a document that the disk did not take is in force until then, and is sent again afterwards', async () => {
    disk.faults.capacity = 10;
    const twin = newTwin();
    await receive(twin, document(7));
    expect([twin.applied, logged]).toEqual([{ system: 7 }, ['twin.disk-failed']]);
    const next = newTwin();
    await next.start();
    expect(next.applied).toEqual({});
  });
});
