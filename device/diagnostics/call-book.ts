/** The calls that the gateway remembers, and the messages of each in one time line. Pure but for the clock that it is told. */

import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { type SipTrace, timeLine, withoutPin } from '#shared/sip/trace.ts';
import type { CallNote } from '../sip-edge/insight.ts';

export type CallFacts = VerbReply<'gateway.calls.local'>['items'][number];
export type TraceReply = VerbReply<'gateway.trace.local'>;

/** Calls that are remembered, and dialogs of one of them. */
export const CALLS_LIMIT = 200;
const DIALOGS_LIMIT = 64;

interface Call extends Omit<CallFacts, 'callIds'> {
  readonly callIds: string[];
}

export class CallBook {
  readonly #trace: SipTrace;
  readonly #calls = new Map<string, Call>();

  constructor(trace: SipTrace) {
    this.#trace = trace;
  }

  note(note: CallNote): void {
    if (note.at === 'started') this.#started(note);
    const call = this.#calls.get(note.call);
    if (call === undefined || note.at === 'started') return;
    if (note.at === 'invited') {
      if (!call.callIds.includes(note.callId) && call.callIds.length < DIALOGS_LIMIT) call.callIds.push(note.callId);
      return;
    }
    const [callId = ''] = call.callIds;
    const change = note.at === 'answered' ? { answeredAt: note.wall } : { endedAt: note.wall, reason: note.reason };
    this.#calls.set(call.id, { ...call, ...change });
    this.#trace.note(callId, note.at === 'answered' ? 'the call is up' : `the call ended: ${note.reason}`, note.wall);
  }

  /** Newest first. */
  list(): CallFacts[] {
    return [...this.#calls.values()].reverse();
  }

  /** The call of that name: its id, the start of it, or a Call-ID of one of its dialogs. */
  find(name: string): CallFacts | undefined {
    const all = this.list();
    return (
      all.find(({ id, callIds }) => id === name || callIds.includes(name)) ?? all.find(({ id }) => id.startsWith(name))
    );
  }

  /** Its time line with secrets masked; undefined where nothing is known of it. The middle of a very long one is left out. */
  trace(name: string): TraceReply | undefined {
    const call = this.find(name);
    const entries = this.#trace.of(new Set(call?.callIds ?? [name]));
    if (entries.length === 0) return undefined;
    return { call: call?.id ?? name, items: timeLine(entries) };
  }

  #started({ call: id, callId, from, to: dialled, wall }: Extract<CallNote, { at: 'started' }>): void {
    const to = withoutPin(dialled);
    this.#calls.set(id, { id, callIds: [callId], from, to, startedAt: Math.max(0, Math.floor(wall)) });
    const oldest = this.#calls.size > CALLS_LIMIT ? this.#calls.keys().next().value : undefined;
    if (oldest !== undefined) this.#calls.delete(oldest);
    this.#trace.note(callId, `call ${id} from ${from} to ${to}`, wall);
  }
}
