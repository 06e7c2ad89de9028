/**
 * Replays what a guest wrote to its disk: qemu's `blklogwrites` keeps every write and flush in the format of the kernel's dm-log-writes
 * (Documentation/admin-guide/device-mapper/log-writes.rst). All numbers little-endian.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const MAGIC = 0x6a736677736872n;
const [FLUSH, FUA, DISCARD] = [1n, 2n, 4n];

/** One entry of a log. */
export interface LogEntry {
  /** First byte on the disk. */
  readonly at: number;
  readonly bytes: number;
  /** Where its data stands in the log file; undefined for a flush and a discard. */
  readonly dataAt: number | undefined;
  readonly flush: boolean;
  readonly fua: boolean;
  readonly discard: boolean;
}

/** The entries of a log file, in the order in which the guest made them. Throws where the file is no such log. */
export function readLog(path: string): LogEntry[] {
  const file = openSync(path, 'r');
  try {
    const total = fstatSync(file).size;
    const head = Buffer.alloc(512);
    readSync(file, head, 0, 512, 0);
    if (head.readBigUInt64LE(0) !== MAGIC || head.readBigUInt64LE(8) !== 1n) throw new Error(`${path} is no write log`);
    const sector = head.readUInt32LE(24);
    const entries: LogEntry[] = [];
    const row = Buffer.alloc(32);
    for (let at = sector; at + 32 <= total; ) {
      readSync(file, row, 0, 32, at);
      const [first, count, flags] = [row.readBigUInt64LE(0), row.readBigUInt64LE(8), row.readBigUInt64LE(16)];
      if (first === 0n && count === 0n && flags === 0n) break;
      const bytes = Number(count) * sector;
      const discard = (flags & DISCARD) !== 0n;
      const data = bytes > 0 && !discard ? at + sector : undefined;
      entries.push({
        ...{ at: Number(first) * sector, bytes, dataAt: data },
        ...{ flush: (flags & FLUSH) !== 0n, fua: (flags & FUA) !== 0n, discard },
      });
      at += sector + (data === undefined ? 0 : bytes);
    }
    return entries;
  } finally {
    closeSync(file);
  }
}

/** Reads an entry's data. */
export function entryData(log: number, entry: LogEntry): Buffer {
  const data = Buffer.alloc(entry.bytes);
  if (entry.dataAt !== undefined) readSync(log, data, 0, entry.bytes, entry.dataAt);
  return data;
}
