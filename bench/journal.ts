/**
 * Durable appends per second of the journal: each writer commits one row and waits for its acknowledgement (after the
 * sync) before the next. Beside it, in the same run, the naive way: one transaction and one sync per row. Ends in < 20 s.
 *
 * Run: `bin/node bench/journal.ts`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openWriter } from '#cloud/store/adapter-sqlite.ts';
import { openStore } from '#cloud/store/server.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';

const ROUND = 1500;
const ROUNDS = 3;

let position = 1;
const row = (writer: number, n: number): Statement =>
  sql(
    'INSERT INTO journal (session, seq, position, at, type, leg, cause, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    `ses_bench_${writer}`,
    n,
    position++,
    n,
    'answered',
    'leg_1',
    null,
    '{"callId":"a84b4c76e66710@192.0.2.1"}',
  );

interface Figure {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
const figure = (times: number[], ms: number): Figure => {
  times.sort((a, b) => a - b);
  const at = (share: number) => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { perSecond: (times.length * 1000) / ms, p50: at(0.5), p99: at(0.99) };
};

let next = 0;
async function grouped(store: Store, writers: number): Promise<Figure> {
  const times: number[] = [];
  const start = performance.now();
  const one = async () => {
    const writer = next++;
    for (let n = 1; performance.now() - start < ROUND; n++) {
      const before = performance.now();
      const result = await store.commit([row(writer, n)]);
      if (!result.ok) throw new Error(`commit refused: ${result.why}`);
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: writers }, one));
  return figure(times, performance.now() - start);
}

function naive(path: string): Figure {
  const connection = openWriter(path);
  const times: number[] = [];
  const writer = next++;
  const start = performance.now();
  for (let n = 1; performance.now() - start < ROUND; n++) {
    const before = performance.now();
    connection.group([[row(writer, n)]]);
    times.push(performance.now() - before);
  }
  connection.close();
  return figure(times, performance.now() - start);
}

const folder = mkdtempSync(join(tmpdir(), 'hearthline-bench-'));
try {
  const store = await openStore(join(folder, 'grouped.db'));
  const results = new Map<string, Figure[]>();
  const note = (name: string, result: Figure) => results.set(name, [...(results.get(name) ?? []), result]);
  for (let round = 0; round < ROUNDS; round++) {
    note('naive, one sync per row', naive(join(folder, 'naive.db')));
    for (const writers of [1, 64, 1000]) note(`group commit, ${writers} writers`, await grouped(store, writers));
  }
  await store.close();
  const base = median((results.get('naive, one sync per row') ?? []).map((f) => f.perSecond));
  console.log('durable appends (medians of 3 rounds)      per second   p50 ms   p99 ms   against naive');
  for (const [name, figures] of results) {
    const perSecond = median(figures.map((f) => f.perSecond));
    const p50 = median(figures.map((f) => f.p50)).toFixed(2);
    const p99 = median(figures.map((f) => f.p99)).toFixed(2);
    const ratio = (perSecond / base).toFixed(1);
    console.log(
      `${name.padEnd(42)} ${perSecond.toFixed(0).padStart(10)} ${p50.padStart(8)} ${p99.padStart(8)} ${ratio.padStart(14)}x`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
