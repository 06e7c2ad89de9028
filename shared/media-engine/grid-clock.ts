/** Drives a graph in this thread on Node's timers: always towards the absolute grid, so lateness never adds up. */
import type { Graph } from './graph.ts';

export interface GridClock {
  /** Looks anew at when the graph is due. */
  wake(): void;
  stop(): void;
}

/** `late` hears how much later than due (ms) each step ran. */
export function gridClock(graph: Graph, late?: (ms: number) => void): GridClock {
  let timer: NodeJS.Timeout | undefined;
  let timerAt = Number.POSITIVE_INFINITY;

  function wake(): void {
    const due = graph.due();
    if (due === timerAt) return;
    clearTimeout(timer);
    timerAt = due;
    if (Number.isFinite(due)) timer = setTimeout(fire, Math.max(0, due - performance.now()));
  }

  function fire(): void {
    timerAt = Number.POSITIVE_INFINITY;
    const now = performance.now();
    const due = graph.due();
    if (due <= now) {
      late?.(now - due);
      graph.step(now);
    }
    wake();
  }

  return { wake, stop: () => clearTimeout(timer) };
}
