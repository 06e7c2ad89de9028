/** What the cloud is told of a call that was switched inside the house, or went out by another way than the cloud; pure. */
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { EdgeCall } from './edge-call.ts';
import { isAlone } from './help-ways.ts';
import { othersOf } from './rung.ts';

/** `reason`: why it ended, at `now`; `correction` makes wall clock of the call's times (both ms). Undefined for a call that the cloud has switched itself, and for one that rang nobody. */
export function factsOf(
  call: EdgeCall,
  reason: string,
  { now, correction }: { readonly now: number; readonly correction: number },
): VerbRequest<'voice.report'> | undefined {
  const wall = (at: number) => Math.floor(at + correction);
  const way = call.state.winner ?? [...call.state.branches.keys()].at(-1) ?? '';
  const alone = isAlone(call.state.branches.get(way)?.to);
  const to = alone ? call.dialled : call.inside?.number;
  if (to === undefined || call.from === undefined) return undefined;
  const endedAt = call.lastedUntil ?? now;
  const also = alone ? [] : othersOf(call.rung ?? [], call.inside?.id ?? '', reason, endedAt);
  return {
    callId: call.callId,
    from: call.from.number,
    to,
    startedAt: wall(call.startedAt),
    ...(call.answeredAt === undefined ? {} : { answeredAt: wall(call.answeredAt) }),
    endedAt: wall(endedAt),
    reason,
    ...(call.hidden === true ? { hidden: true } : {}),
    ...(also.length === 0 ? {} : { also: also.map((one) => ({ ...one, endedAt: wall(one.endedAt) })) }),
  };
}
