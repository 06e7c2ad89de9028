import { DeadlineHeap } from '#shared/kernel/heap.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';

/** The real clocks: one heap of deadlines and one platform timer for all of them. */
export function hostClock(): Clock {
  const heap = new DeadlineHeap<{ run: (() => void) | undefined }>();
  let armed: { readonly deadline: number; readonly timer: NodeJS.Timeout } | undefined;

  const arm = () => {
    const first = heap.peek();
    if (first === undefined) {
      if (armed !== undefined) clearTimeout(armed.timer);
      armed = undefined;
      return;
    }
    if (armed !== undefined && armed.deadline <= first.deadline) return;
    if (armed !== undefined) clearTimeout(armed.timer);
    const wait = Math.min(Math.max(0, first.deadline - performance.now()), 0x7fffffff);
    armed = { deadline: first.deadline, timer: setTimeout(fire, Math.ceil(wait)) };
  };

  const fire = () => {
    armed = undefined;
    const now = performance.now();
    try {
      for (let entry = heap.next(now); entry !== undefined; entry = heap.next(now)) entry.value.run?.();
    } finally {
      arm();
    }
  };

  return {
    mono: () => performance.now(),
    wall: () => Date.now(),
    at(deadline: number, run: () => void): Timer {
      if (deadline === Number.POSITIVE_INFINITY) return { cancel() {} };
      // What was cancelled lies in the heap for a while, and must not keep alive all that it would have acted on.
      const what: { run: (() => void) | undefined } = { run };
      const entry = heap.add(deadline, what);
      arm();
      return {
        cancel() {
          what.run = undefined;
          heap.cancel(entry);
          if (heap.size === 0) arm();
        },
      };
    },
  };
}
