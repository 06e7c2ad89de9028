/** What the softswitch remembers of a session’s SIP messages, for people who look for a fault. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { err, ok } from '#shared/kernel/result.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import { SipTrace, timeLine } from '#shared/sip/trace.ts';
import type { Flow } from '#shared/sip/types.ts';

/** Messages and octets that are kept at the most: some minutes of a busy house, seconds of a busy operator. */
export const SOFTSWITCH_TRACE = { messages: 5_000, octets: 8 * 1024 * 1024 } as const;

export class SessionTraces {
  readonly #trace = new SipTrace(SOFTSWITCH_TRACE);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  message(direction: 'in' | 'out', { protocol, remote }: Flow, text: string): void {
    const host = remote.host.includes(':') ? `[${remote.host}]` : remote.host;
    this.#trace.message(direction, `${protocol} ${host}:${remote.port}`, text, this.#clock.wall());
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
