/** Small uses of the clock that several rooms share. */
import type { Clock } from './world.ts';

/** Resolves after `ms` milliseconds. */
export function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.at(clock.mono() + ms, resolve);
  });
}

/** The promise's outcome, or `late` once `ms` milliseconds have passed; the promise itself goes on. */
export function within<T, L>(clock: Clock, ms: number, promise: Promise<T>, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = clock.at(clock.mono() + ms, () => resolve(late));
    promise.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** Runs `task` every `ms` milliseconds, the first time after one period, until the returned function is called. */
export function every(clock: Clock, ms: number, task: () => void): () => void {
  let stopped = false;
  let timer = clock.at(clock.mono() + ms, fire);
  function fire() {
    if (stopped) return;
    timer = clock.at(clock.mono() + ms, fire);
    task();
  }
  return () => {
    stopped = true;
    timer.cancel();
  };
}
