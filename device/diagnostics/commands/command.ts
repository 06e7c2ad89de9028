/**
 * The technician's commands, the same on every way in: a shell on the gateway, a shell far away through the cloud, and the serial console.
 * A command asks over a channel and writes plain lines of at most 80 characters; it neither knows nor cares which channel.
 */
import type { Option, Values } from '#shared/host/config.ts';
import type { Result } from '#shared/kernel/result.ts';
import { type Fault, faults } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';

/** What may be asked: the verb without its `.local`. */
export type Question =
  | 'gateway.status'
  | 'gateway.check'
  | 'gateway.logs'
  | 'gateway.calls'
  | 'gateway.trace'
  | 'gateway.why'
  | 'gateway.network'
  | 'gateway.hosts'
  | 'gateway.serial'
  | 'gateway.update'
  | 'gateway.bundle';
export type Asked<Q extends Question> = VerbRequest<`${Q}.local`>;
export type Reply<Q extends Question> = VerbReply<`${Q}.local`>;

/** A way to one gateway. */
export interface Channel {
  /** Asks; `timeout` in ms. A channel that cannot be used at all rejects with words for the person. */
  ask(verb: string, body: object, timeout: number): Promise<Result<unknown, Fault>>;
}

/** 0 ok, 1 warnings, 2 failed, 3 could not run. */
export type Exit = 0 | 1 | 2 | 3;

/** Where a command runs. */
export interface Place {
  readonly channel: Channel;
  out(text: string): void;
  error(text: string): void;
  /** Wall clock, ms. */
  wall(): number;
  /** Resolves after `ms`, or at once when somebody wants it to end; then false. */
  pause(ms: number): Promise<boolean>;
  /** Keeps a file for the person; absent where there is no place for files. */
  save?(name: string, data: Uint8Array): Promise<void>;
}

export interface Call {
  readonly place: Place;
  readonly values: Values;
  readonly words: readonly string[];
}

export interface TechCommand {
  /** `call trace`. */
  readonly words: string;
  /** What follows the words, for help. */
  readonly takes?: string;
  readonly about: string;
  readonly options: Readonly<Record<string, Option>>;
  run(call: Call): Promise<Exit>;
}

export const jsonOption = { kind: 'flag', about: 'print the reply as JSON' } as const satisfies Option;
export const timeoutOption = {
  kind: 'number',
  value: 'S',
  about: 'seconds to wait for an answer',
  fallback: '15',
} as const satisfies Option;

/** Asks, and shows the reply as JSON or by `show`, which gives the exit code; a fault is shown with what to do next. */
export async function asked<Q extends Question>(
  { place, values }: Call,
  question: Q,
  body: Asked<Q>,
  show: (reply: Reply<Q>) => Exit,
  code: (reply: Reply<Q>) => Exit = () => 0,
): Promise<Exit> {
  const outcome = await ask(place, values, question, body);
  if (!outcome.ok) return told(place, outcome.fault);
  if (values.json !== 'true') return show(outcome.value);
  place.out(JSON.stringify(outcome.value));
  return code(outcome.value);
}

export async function ask<Q extends Question>(
  place: Place,
  values: Values,
  question: Q,
  body: Asked<Q>,
): Promise<Result<Reply<Q>, Fault>> {
  const timeout = Math.max(1, Number(values.timeout ?? 15)) * 1000;
  return (await place.channel.ask(question, body, timeout)) as Result<Reply<Q>, Fault>;
}

/** Shows a fault. */
export function told(place: Place, { code, detail }: Fault): Exit {
  const { title, next } = faults[code];
  place.error(`${(detail ?? title).replace(/\.$/, '')}.`);
  place.error(`Next: ${next} [${code}]`);
  return 2;
}
