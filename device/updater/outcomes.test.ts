/** What an update needs before it begins: tables. */
import { describe, expect, it } from 'vitest';
import { MARGIN, roomFor } from './outcomes.ts';

const MEGA = 1_000_000;

describe('room for a bundle', () => {
  // It lies there twice while it is installed: as it was fetched, and as the copy that root makes; a margin stays free.
  const rows: readonly (readonly [string, number | undefined, number | undefined, number, boolean])[] = [
    ['twice and the margin', 100 * MEGA, 200 * MEGA + MARGIN, 0, true],
    ['one octet less', 100 * MEGA, 200 * MEGA + MARGIN - 1, 0, false],
    ['once alone', 100 * MEGA, 100 * MEGA + MARGIN, 0, false],
    ['what is here already counts', 100 * MEGA, 140 * MEGA + MARGIN, 60 * MEGA, true],
    ['and no more than that', 100 * MEGA, 140 * MEGA + MARGIN - 1, 60 * MEGA, false],
    ['more here than there is of it', 100 * MEGA, 100 * MEGA + MARGIN, 300 * MEGA, true],
    ['a size that nobody knows', undefined, 0, 0, true],
    ['a disk that cannot be asked', 100 * MEGA, undefined, 0, true],
  ];
  it.each(rows)('%s', (_what, size, free, here, fits) => {
    const refused = roomFor(size, free, here);
    expect(refused?.code).toBe(fits ? undefined : 'update_no_room');
  });

  it('is told in figures', () => {
    expect(roomFor(100 * MEGA, 150 * MEGA, 0)?.detail).toBe('It needs 217 MB; 150 MB are free.');
  });
});
