/** What the softswitch remembers of a session’s SIP messages, for people who look for a fault. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { SipTrace, timeLine } from '#shared/sip/trace.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeHost } from '#shared/sip/uri.ts';

/** Messages and octets that are kept at the most: some minutes of a busy house, seconds of a busy operator. */
export const SOFTSWITCH_TRACE = { messages: 5_000, octets: 8 * 1024 * 1024 } as const;

export class SessionTraces {
  readonly #trace = new SipTrace(SOFTSWITCH_TRACE);
  readonly #clock: Clock;
  /** How each flow is shown, for most messages come over one that is known. */
  readonly #peers = new WeakMap<Flow, string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  message(direction: 'in' | 'out', flow: Flow, octets: Uint8Array): void {
    let peer = this.#peers.get(flow);
    if (peer === undefined) {
      peer = `${flow.protocol} ${writeHost(flow.remote.host)}:${flow.remote.port}`;
      this.#peers.set(flow, peer);
    }
    this.#trace.message(direction, peer, octets, this.#clock.wall());
  }

  /** The messages of every leg of a session that the asker may see. */
  async of(session: string, { bus }: Pick<PartContext, 'bus'>, context: Context): Promise<Outcome<'session.trace'>> {
    const found = await bus.request('session.get', { session }, context);
    if (!found.ok) return found;
    const { legs, instructions } = found.value;
    const callIds = new Set([...legs, ...instructions].map(({ callId }) => callId).filter((id) => id !== undefined));
    const entries = this.#trace.of(callIds);
    if (entries.length === 0) return err(fault('not_found', 'The softswitch remembers no message of this session.'));
    return ok({ call: session, items: timeLine(entries) });
  }
}
