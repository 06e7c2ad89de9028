/** What to do with a message that came up: read, checked against identity, channel, verb table and schema. Pure. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { misfit } from '#shared/protocol/check.ts';
import { type Envelope, readEnvelope } from '#shared/protocol/envelope.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { UpChannel } from '#shared/protocol/topics.ts';
import type { GatewayChannel } from '#shared/protocol/verb.ts';
import { type VerbName, verbEntry } from '#shared/protocol/verbs/index.ts';

export type Uplink =
  /** Ask the bus and answer. `lives`: milliseconds after which nobody waits for it. `ordered`: after what came before it. */
  | {
      readonly do: 'run';
      readonly envelope: Envelope;
      readonly verb: VerbName;
      readonly lives: number | undefined;
      readonly ordered: boolean;
    }
  /** Answer with a fault. */
  | { readonly do: 'refuse'; readonly envelope: Envelope; readonly fault: Fault }
  /** It answers a command of ours. */
  | { readonly do: 'settle'; readonly re: string; readonly outcome: Result<unknown, Fault> }
  /** Count it and forget it. */
  | { readonly do: 'drop'; readonly why: string };

/** Which of the verb table's channels a topic's channel stands for, by kind of client. */
const meanings: Readonly<Record<'gateway' | 'applicant', Partial<Record<UpChannel, GatewayChannel>>>> = {
  gateway: { hello: 'req', req: 'req', event: 'event', reported: 'event' },
  applicant: { req: 'apply' },
};

/** `wall` is the cloud's clock, ms. */
export function readUplink(kind: 'gateway' | 'applicant', channel: UpChannel, text: string, wall: number): Uplink {
  const envelope = readEnvelope(text);
  if (envelope === undefined) return { do: 'drop', why: 'unreadable' };
  if (channel === 'tele') return { do: 'drop', why: 'telemetry' };
  if (channel === 'res') {
    if (envelope.re === undefined) return { do: 'drop', why: 'an answer to nothing' };
    const outcome = envelope.fault === undefined ? ok(envelope.body) : err(envelope.fault);
    return { do: 'settle', re: envelope.re, outcome };
  }
  if (envelope.exp !== undefined && envelope.exp <= wall) return { do: 'drop', why: 'expired' };
  const refusal = judge(kind, channel, envelope);
  if (refusal !== undefined) return { do: 'refuse', envelope, fault: refusal };
  const lives = envelope.exp === undefined ? undefined : envelope.exp - wall;
  const ordered = channel === 'event' || channel === 'reported';
  return { do: 'run', envelope, verb: envelope.type as VerbName, lives, ordered };
}

function judge(kind: 'gateway' | 'applicant', channel: UpChannel, envelope: Envelope): Fault | undefined {
  const entry = verbEntry(envelope.type);
  const meaning = meanings[kind][channel];
  if (entry === undefined || meaning === undefined || !entry.gateway?.includes(meaning)) {
    return fault('forbidden', 'This is not a message for this channel.');
  }
  // Each of the two has a channel of its own, so that the order within it is theirs alone.
  const own = { 'gateway.hello': 'hello', 'gateway.reported': 'reported' }[envelope.type] ?? meaning;
  if (kind === 'gateway' && own !== channel) return fault('forbidden', 'This is not a message for this channel.');
  return misfit(entry.request, envelope.body);
}
