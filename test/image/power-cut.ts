/** Disks as a power cut would have left them, out of a write log: all that was flushed, and any part of what was not. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { partition, SECTOR, SLOT_PARTITION, type SlotName } from '#images/raspberry-pi/boot/layout.ts';
import { entryData, type LogEntry, readLog } from './write-log.ts';

const DATA_AT = partition(4).start * SECTOR;

/** A generator of numbers in [0, 1), the same for the same seed (mulberry32). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One disk to judge. Its files are only valid until the next one is asked for. */
export interface CutDisk {
  /** Everything in front of the data partition. */
  readonly front: number;
  /** The data partition as a file. */
  readonly data: string;
  /** Number of log entries that had been made. */
  readonly entries: number;
  /** How many of the entries after the last flush are on the disk, and of how many. */
  readonly kept: string;
  /** Counts the writes to a slot so far: a slot is judged again only when that changed. */
  readonly touched: Readonly<Record<SlotName, number>>;
}

const slotOf = (at: number): SlotName | undefined =>
  (['A', 'B'] as const).find((slot) => {
    const { start, sectors } = partition(SLOT_PARTITION[slot]);
    return at >= start * SECTOR && at < (start + sectors) * SECTOR;
  });

/** The disks of `points` cuts, spread over the log's entries `from` to `until` by `random`. `base` is the disk before the first entry. */
export function* cuts(
  base: string,
  log: string,
  folder: string,
  { from, until: to, points }: { readonly from: number; readonly until: number; readonly points: number },
  random: () => number,
): Generator<CutDisk> {
  mkdirSync(folder, { recursive: true });
  const [frontFile, data] = [join(folder, 'front.img'), join(folder, 'data.img')];
  execFileSync('sh', ['-c', 'cp --sparse=always "$0" "$1" && truncate -s "$2" "$1"', base, frontFile, String(DATA_AT)]);
  rmSync(data, { force: true });
  execFileSync('truncate', ['-s', String(statSync(base).size - DATA_AT), data]);
  const files = { front: openSync(frontFile, 'r+'), data: openSync(data, 'r+'), log: openSync(log, 'r') };
  const place = (at: number) => (at >= DATA_AT ? { file: files.data, at: at - DATA_AT } : { file: files.front, at });
  const touched = { A: 0, B: 0 };
  const put = (at: number, bytes: Buffer) => {
    const to = place(at);
    writeSync(to.file, bytes, 0, bytes.length, to.at);
    const slot = slotOf(at);
    if (slot !== undefined) touched[slot] += 1;
  };
  const entries = readLog(log);
  const times = Array.from({ length: points }, () => from + Math.floor(random() * (to - from + 1))).sort(
    (a, b) => a - b,
  );
  let durable = 0;
  try {
    for (const until of times) {
      const flushed = entries.findLastIndex((entry, index) => entry.flush && index < until) + 1;
      for (; durable < flushed; durable += 1) {
        const entry = entries[durable];
        if (entry?.dataAt !== undefined) put(entry.at, entryData(files.log, entry));
      }
      const loose = entries.slice(durable, until).filter((entry) => entry.dataAt !== undefined);
      const chosen = choose(loose, random);
      const before = chosen.map(({ entry, bytes }) => {
        const from = place(entry.at);
        const old = Buffer.alloc(bytes);
        readSync(from.file, old, 0, bytes, from.at);
        return { at: entry.at, old };
      });
      for (const { entry, bytes } of chosen) put(entry.at, entryData(files.log, entry).subarray(0, bytes));
      yield {
        front: files.front,
        data,
        entries: until,
        kept: `${chosen.length}/${loose.length}`,
        touched: { ...touched },
      };
      for (const { at, old } of before.reverse()) put(at, old);
    }
  } finally {
    for (const file of Object.values(files)) closeSync(file);
  }
}

/** Which of the writes that no flush covers reached the disk: none, all, or any of them; one may have been torn between sectors. */
function choose(loose: readonly LogEntry[], random: () => number): { entry: LogEntry; bytes: number }[] {
  const share = [0, 1, 0.5, 0.9][Math.floor(random() * 4)] ?? 1;
  const taken = loose.filter(() => random() < share).map((entry) => ({ entry, bytes: entry.bytes }));
  const last = taken.at(-1);
  if (last !== undefined && last.bytes > SECTOR && random() < 0.5)
    last.bytes = Math.max(1, Math.floor((random() * last.bytes) / SECTOR)) * SECTOR;
  return taken;
}

/** Puts both parts of a cut disk together again as a file that can be booted. */
export function wholeDisk(cut: CutDisk, folder: string, path: string): void {
  const front = join(folder, 'front.img');
  execFileSync('sh', [
    '-c',
    'cp --sparse=always "$0" "$1" && dd if="$2" of="$1" bs=1M seek="$3" conv=sparse,notrunc 2>/dev/null && truncate -s "$4" "$1"',
    front,
    path,
    cut.data,
    String(DATA_AT / 1048576),
    String(DATA_AT + statSync(cut.data).size),
  ]);
}
