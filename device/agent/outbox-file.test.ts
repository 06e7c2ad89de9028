/** The outbox on a disk that is cut off at every write and at every octet of it: what was promised is there afterwards. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '#shared/kernel/bytes.ts';
import { ok } from '#shared/kernel/result.ts';
import { VirtualDisk } from '#simulator/disk.ts';
import { type Entry, Outbox } from './outbox.ts';
import { OutboxFile } from './outbox-file.ts';
import { crc32, type LogLine, logLine, replay } from './outbox-log.ts';

const decode = (octets: Uint8Array) => new TextDecoder().decode(octets);
const entry = (n: number, body: unknown = n): Entry => ({
  n,
  id: `e${n}`,
  verb: 'v',
  body,
  priority: 'usage',
  keeps: 1e9,
  expires: 1e9,
});

interface Run {
  readonly added: Set<string>;
  readonly promised: Set<string>;
  readonly ended: Set<string>;
}

/** Adds, and ends some, until the disk is cut off; remembers what was promised. */
async function work(disk: VirtualDisk, count: number, run: Run, large = false): Promise<void> {
  const file = new OutboxFile(disk, '/o');
  const kept = await file.read();
  const outbox = new Outbox(kept?.last, kept?.lost);
  for (const { entry: each, octets } of kept?.entries ?? []) outbox.add(each, octets, 0);
  await file.begin(outbox);
  for (let i = 0; i < count; i++) {
    const one = entry(outbox.next, large ? 'x'.repeat(50_000) : i);
    outbox.add(one, logLine({ add: one }).length, 0);
    run.added.add(one.id);
    const written = file.append({ add: one }, outbox);
    if (i % 3 === 1) {
      const done = outbox.entries()[0];
      if (done !== undefined) {
        outbox.settle(done.id, ok({}), 0);
        run.ended.add(done.id);
        void file.append({ end: [done.id], lost: 0 }, outbox).catch(() => {});
      }
    }
    await written;
    run.promised.add(one.id);
  }
  await file.close();
}

async function held(disk: VirtualDisk): Promise<{ ids: string[]; last: number }> {
  const kept = await new OutboxFile(disk, '/o').read();
  return { ids: kept?.entries.map(({ entry: each }) => each.id) ?? [], last: kept?.last ?? 0 };
}

/** Every promised entry that was not ended is there, and nothing that never was. */
async function check(disk: VirtualDisk, run: Run): Promise<void> {
  const { ids, last } = await held(disk);
  for (const id of run.promised) if (!run.ended.has(id)) expect(ids).toContain(id);
  for (const id of ids) expect(run.added).toContain(id);
  expect(new Set(ids).size).toBe(ids.length);
  // A number that was given is never given again.
  for (const id of run.promised) expect(last).toBeGreaterThanOrEqual(Number(id.slice(1)));
}

const empty = (): Run => ({ added: new Set(), promised: new Set(), ended: new Set() });

test('survives a cut at every write, with any number of octets of it on the disk, and then goes on', async () => {
  let cuts = 0;
  for (let write = 1; write <= 14; write++) {
    for (const keep of [0, 1, 9, 10, 40, 1000]) {
      const disk = new VirtualDisk();
      disk.faults.cutAt = { write, keep };
      const run = empty();
      await work(disk, 10, run).catch(() => {
        cuts++;
      });
      delete disk.faults.cutAt;
      await check(disk, run);
      const more = { ...run, promised: new Set(run.promised), added: new Set(run.added) };
      await work(disk, 3, more);
      await check(disk, more);
    }
  }
  expect(cuts).toBeGreaterThan(40);
});

test('a torn tail is cut, whatever stands in it', async () => {
  const disk = new VirtualDisk();
  const run = empty();
  await work(disk, 5, run);
  const [name = '', log = new Uint8Array()] = [...disk.files][0] ?? [];
  const whole = replay(log, decode)?.whole ?? 0;
  expect(whole).toBe(log.length);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (tail) => {
      const torn = new Uint8Array([...log, ...tail]);
      expect(replay(torn, decode)?.entries).toEqual(replay(log, decode)?.entries);
    }),
    { numRuns: 300, seed: 1 },
  );
  disk.files.set(name, new Uint8Array([...log, ...utf8('00000000 {"add":')]));
  await work(disk, 2, run);
  await check(disk, run);
});

test('an octet that changed on the disk costs what stands behind it, never a wrong entry', async () => {
  const disk = new VirtualDisk();
  await work(disk, 6, empty());
  const [, log = new Uint8Array()] = [...disk.files][0] ?? [];
  const good = JSON.stringify(replay(log, decode)?.entries);
  for (let at = 0; at < log.length; at++) {
    const damaged = log.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    for (const { entry: each } of replay(damaged, decode)?.entries ?? []) expect(each.body).toBe(each.n - 1);
  }
  expect(good.length).toBeGreaterThan(10);
});

test('after a failed write the next one begins a new log, so that nothing is written behind a torn line', async () => {
  const disk = new VirtualDisk();
  const file = new OutboxFile(disk, '/o');
  const outbox = new Outbox();
  await file.begin(outbox);
  const add = (n: number) => {
    outbox.add(entry(n), 100, 0);
    return file.append({ add: entry(n) }, outbox);
  };
  await add(1);
  disk.faults.cutAt = { write: disk.writes + 1, keep: 5 };
  await expect(add(2)).rejects.toThrow();
  delete disk.faults.cutAt;
  await add(3);
  expect((await held(disk)).ids).toEqual(['e1', 'e2', 'e3']);
  expect(disk.files.size).toBe(1);
});

test('a full disk refuses the promise; once there is room all that is held is written', async () => {
  const disk = new VirtualDisk();
  const file = new OutboxFile(disk, '/o');
  const outbox = new Outbox();
  await file.begin(outbox);
  disk.faults.capacity = 300;
  outbox.add(entry(1, 'x'.repeat(400)), 450, 0);
  await expect(file.append({ add: entry(1, 'x'.repeat(400)) }, outbox)).rejects.toMatchObject({ code: 'ENOSPC' });
  delete disk.faults.capacity;
  outbox.add(entry(2), 60, 0);
  await file.append({ add: entry(2) }, outbox);
  expect((await held(disk)).ids).toEqual(['e1', 'e2']);
});

test('the log is written anew before it grows past what it holds and a margin; old ones go', async () => {
  const disk = new VirtualDisk();
  const run = empty();
  const file = new OutboxFile(disk, '/o');
  const outbox = new Outbox();
  await file.begin(outbox);
  let most = 0;
  for (let n = 1; n <= 200; n++) {
    const one = entry(n, 'x'.repeat(50_000));
    outbox.add(one, logLine({ add: one }).length, 0);
    await file.append({ add: one }, outbox);
    outbox.settle(one.id, ok({}), 0);
    await file.append({ end: [one.id], lost: 0 }, outbox);
    most = Math.max(
      most,
      [...disk.files.values()].reduce((sum, { length }) => sum + length, 0),
    );
  }
  expect(most).toBeLessThan(1.2 * 1024 * 1024);
  expect(disk.files.size).toBe(1);
  await check(disk, run);
});

describe('a line', () => {
  test('carries a CRC-32 (the check value of ISO 3309)', () => {
    expect(crc32(utf8('123456789'))).toBe(0xcbf43926);
    expect(decode(logLine({ end: ['a'], lost: 2 }))).toMatch(/^[0-9a-f]{8} \{"end":\["a"\],"lost":2\}\n$/);
  });

  test.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['no first line', logLine({ add: entry(1) })],
    ['text', 'hello\nworld\n'],
    ['another program’s file', new Uint8Array(5000).fill(255)],
  ])('a log that is %s is none', (_name, log) => {
    expect(replay(typeof log === 'string' ? utf8(log) : log, decode)).toBeUndefined();
  });

  test('reads back what was written, in any script', () => {
    const lines: LogLine[] = [{ v: 1, last: 4, lost: 1 }, { add: entry(9, { text: 'Grüße 家\n"\\' }) }];
    const log = Uint8Array.from(lines.flatMap((line) => [...logLine(line)]));
    expect(replay(log, decode)).toMatchObject({
      last: 9,
      lost: 1,
      entries: [{ entry: (lines[1] as { add: Entry }).add }],
    });
  });
});
