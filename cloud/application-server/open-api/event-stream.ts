/**
 * The events of a session as server-sent events (id = seq). The journal is the truth: a change on the bus only says that it
 * is worth reading on. Nothing is queued for a reader: the next page is read once the last one was taken, so a slow reader
 * costs one page and catches up by itself.
 */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { Signal } from '../events/signal.ts';
import { toProblem } from './problem.ts';

/** Milliseconds between comments that keep a silent stream open. */
export const HEARTBEAT = 15_000;

type Page = VerbReply<'session.events'>;

export interface EventStream {
  /** Text to send, in order; ends after the session's last event. Pulled by the reader. */
  readonly chunks: AsyncGenerator<string>;
  /** Ends the stream from outside: the reader went away or the server stops. */
  close(): void;
}

/**
 * Streams on from the page that was read first; `after` is the seq before it. `contextNow` is asked before every read: without
 * a context (signed out, no longer the role) the stream ends.
 */
export function eventStream(
  { bus, world }: Pick<PartContext, 'bus' | 'world'>,
  contextNow: () => Promise<Context | undefined>,
  session: string,
  after: number,
  first: Page,
): EventStream {
  const signal = new Signal();
  const leave = bus.subscribe('session.changed', (change) => {
    if (change.session === session) signal.raise();
  });
  let closed = false;

  async function* chunks(): AsyncGenerator<string> {
    let seen = after;
    let page = first;
    let over = false;
    try {
      yield 'retry: 2000\n\n';
      while (!closed) {
        for (const event of page.items) seen = Math.max(seen, event.seq);
        if (page.items.length > 0) yield page.items.map(toText).join('');
        const context = await contextNow();
        if (context === undefined) return;
        const next = await bus.request('session.events', { session, after: seen }, context);
        if (!next.ok) return yield faultText(next.fault, session);
        page = next.value;
        if (page.items.length > 0) continue;
        if (over) return;
        const state = await bus.request('session.get', { session }, context);
        if (!state.ok) return yield faultText(state.fault, session);
        // An event may have come between the two answers: the page after the end is the last one.
        over = state.value.state === 'ended';
        if (over) continue;
        if (!(await signal.wait(world.clock, HEARTBEAT)) && !closed) yield ': still here\n\n';
      }
    } finally {
      leave();
    }
  }

  return {
    chunks: chunks(),
    close() {
      closed = true;
      leave();
      signal.raise();
    },
  };
}

/** Without an `event` field, so that an EventSource gets every event by `onmessage`; the type stands in the data. */
function toText(event: Page['items'][number]): string {
  return `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`;
}

function faultText(fault: Fault, session: string): string {
  return `event: problem\ndata: ${JSON.stringify(toProblem(fault, `/v1/sessions/${session}/events`))}\n\n`;
}
