/** The sandbox in this thread, counted in fuel: for the virtual world, for checks at publishing, and for `app test`. */
import { Cells } from './cells.ts';
import { fuelMeter } from './meter.ts';
import type { Sandbox, SandboxEvent } from './sandbox.ts';

export function localSandbox(): Sandbox {
  let handler: (event: SandboxEvent) => void = () => {};
  let closed = false;
  // Turns run one after another, never inside the caller.
  let order: Promise<void> = Promise.resolve();
  const emit = (event: SandboxEvent) => {
    if (!closed) handler(event);
  };
  const cells = new Cells({ meter: fuelMeter, emit });
  const next = (task: () => void | Promise<void>) => {
    order = order.then(() => (closed ? undefined : task()));
  };
  return {
    start: (guest) => next(() => cells.start(guest)),
    deliver: (id, text) => next(() => cells.deliver(id, text)),
    stop: (id) => {
      cells.stop(id);
      next(() => cells.stop(id));
    },
    onEvent: (listener) => {
      handler = listener;
    },
    close: async () => {
      closed = true;
      await order;
    },
  };
}
