import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DeadlineHeap, type Entry } from './heap.ts';

describe('DeadlineHeap', () => {
  it('gives entries by deadline, then by order of arrival, without the cancelled ones', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 300 }), (rows) => {
        const heap = new DeadlineHeap<number>();
        const entries: Entry<number>[] = rows.map(([deadline], i) => heap.add(deadline, i));
        for (const [i, [, cancel]] of rows.entries()) if (cancel) heap.cancel(entries[i]!);
        const expected = rows
          .map(([deadline, cancel], i) => ({ deadline, cancel, i }))
          .filter((row) => !row.cancel)
          .sort((a, b) => a.deadline - b.deadline || a.i - b.i)
          .map((row) => row.i);
        expect(heap.size).toBe(expected.length);
        const got: number[] = [];
        for (let entry = heap.next(100); entry !== undefined; entry = heap.next(100)) got.push(entry.value);
        expect(got).toEqual(expected);
        expect(heap.size).toBe(0);
      }),
    );
  });

  it('keeps back what is not due', () => {
    const heap = new DeadlineHeap<string>();
    heap.add(10, 'a');
    expect(heap.next(9.9)).toBeUndefined();
    expect(heap.next(10)?.value).toBe('a');
  });
});
