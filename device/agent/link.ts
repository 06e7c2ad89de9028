/**
 * The session of a gateway (or of an applicant, who is not yet one) with the cloud, as a pure machine: connect, greet,
 * ask, obey; with back-off between connections. What was asked and not answered is asked again, under the same id, on
 * the next connection; a command that comes twice is obeyed once and answered twice.
 *
 *   stopped -> connecting -> greeting -> ready -> waiting -> connecting …   (an applicant does not greet)
 */
import { BACKOFF_FORGET, BACKOFF_SERVED, backoff } from '#shared/host/mqtt-backoff.ts';
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Envelope } from '#shared/protocol/envelope.ts';
import { type Fault, fault, faults } from '#shared/protocol/fault.ts';
import type { DownChannel, UpChannel } from '#shared/protocol/topics.ts';

/** Requests waiting for an answer, at the most. */
export const PENDING_LIMIT = 256;
/** Answers to commands that are kept for repetitions. */
export const ANSWERS_LIMIT = 256;
/** Milliseconds that the cloud may take to answer a hello. */
export const HELLO_TIMEOUT = 15_000;
/** Milliseconds after which a hello that could not be served is said again on the same connection. */
export const HELLO_AGAIN = 2000;

export type LinkPhase = 'stopped' | 'waiting' | 'connecting' | 'greeting' | 'ready';

interface Pending {
  readonly channel: UpChannel;
  readonly verb: string;
  readonly body: unknown;
  readonly deadline: number;
  sent: boolean;
}

type Answer = { readonly body: unknown } | { readonly fault: Fault };

export interface LinkState {
  at: LinkPhase;
  readonly greets: boolean;
  /** What a phase waits for at the longest, monotonic ms. */
  until: number;
  failures: number;
  readySince: number;
  /** Lease number that the cloud gave in its answer to hello; 0 before. */
  epoch: number;
  /** Cloud's wall clock minus our monotonic one, which no correction moves, ms; undefined before a hello was answered. */
  ahead: number | undefined;
  hello: string | undefined;
  readonly seq: Map<UpChannel, number>;
  readonly pending: Map<string, Pending>;
  readonly running: Set<string>;
  readonly answers: Map<string, Answer>;
}

export type LinkInput =
  | { readonly on: 'start' }
  | { readonly on: 'stop' }
  /** Leave the present connection and open another at once, for example with a new certificate. */
  | { readonly on: 'again' }
  /** Connected, and the subscription granted. */
  | { readonly on: 'opened' }
  /** The try failed, or the connection ended. `fraction` in [0, 1) is for the jitter. */
  | { readonly on: 'closed'; readonly fraction: number; readonly why: string }
  /** The body of the hello that `greet` asked for. */
  | { readonly on: 'hello'; readonly id: string; readonly body: unknown }
  | { readonly on: 'received'; readonly channel: DownChannel; readonly envelope: Envelope }
  | ({ readonly on: 'ask'; readonly id: string } & Omit<Pending, 'sent'>)
  /** A command has been obeyed. */
  | { readonly on: 'obeyed'; readonly id: string; readonly outcome: Result<unknown, Fault> };

export type LinkOutput =
  | { readonly do: 'open' }
  /** Close the connection in silence. */
  | { readonly do: 'close' }
  /** Close the connection and say `closed`, as if it had ended. */
  | { readonly do: 'give-up' }
  | { readonly do: 'greet' }
  | {
      readonly do: 'send';
      readonly channel: UpChannel;
      readonly type: string;
      /** The envelope's own id; absent: any new one. */
      readonly id?: string;
      readonly re?: string;
      readonly seq: number;
      readonly epoch: number;
      /** Milliseconds from now after which nobody waits for it. */
      readonly lives?: number;
      readonly answer: Answer;
    }
  | { readonly do: 'settle'; readonly id: string; readonly outcome: Result<unknown, Fault> }
  | { readonly do: 'obey'; readonly id: string; readonly verb: string; readonly body: unknown }
  | { readonly do: 'desired'; readonly body: unknown }
  | { readonly do: 'state'; readonly at: LinkPhase; readonly why?: string };

export function newLink(options: { readonly greets: boolean }): LinkState {
  return {
    at: 'stopped',
    greets: options.greets,
    until: NEVER,
    failures: 0,
    readySince: 0,
    epoch: 0,
    ahead: undefined,
    hello: undefined,
    seq: new Map(),
    pending: new Map(),
    running: new Set(),
    answers: new Map(),
  };
}

export const link: Machine<LinkState, LinkInput, LinkOutput> = {
  name: 'agent.link',
  step,
  due(state) {
    let due = state.until;
    for (const { deadline } of state.pending.values()) due = Math.min(due, deadline);
    return due;
  },
};

function step(state: LinkState, input: LinkInput | Tick, now: number, out: LinkOutput[]): void {
  switch (input.on) {
    case 'start':
      if (state.at === 'stopped') connect(state, out);
      return;
    case 'stop':
      stop(state, out);
      return;
    case 'again':
      again(state, out);
      return;
    case 'opened':
      if (state.at === 'connecting') opened(state, now, out);
      return;
    case 'closed':
      closed(state, input.fraction, input.why, now, out);
      return;
    case 'hello':
      greet(state, input.id, input.body, now, out);
      return;
    case 'received':
      received(state, input.channel, input.envelope, now, out);
      return;
    case 'ask':
      ask(state, input, now, out);
      return;
    case 'obeyed':
      obeyed(state, input.id, input.outcome, out);
      return;
    case 'tick':
      tick(state, now, out);
      return;
  }
}

function enter(state: LinkState, at: LinkPhase, until: number, out: LinkOutput[], why?: string): void {
  state.at = at;
  state.until = until;
  out.push({ do: 'state', at, ...(why === undefined ? {} : { why }) });
}

function connect(state: LinkState, out: LinkOutput[]): void {
  enter(state, 'connecting', NEVER, out);
  out.push({ do: 'open' });
}

function stop(state: LinkState, out: LinkOutput[]): void {
  if (state.at === 'stopped') return;
  enter(state, 'stopped', NEVER, out);
  out.push({ do: 'close' });
  for (const id of state.pending.keys()) {
    out.push({ do: 'settle', id, outcome: err(fault('timeout', 'The gateway is stopping.')) });
  }
  state.pending.clear();
}

function again(state: LinkState, out: LinkOutput[]): void {
  if (state.at === 'stopped') return;
  out.push({ do: 'close' });
  unsend(state);
  connect(state, out);
}

/** Nothing that is under way was heard, as far as we know. */
function unsend(state: LinkState): void {
  state.hello = undefined;
  for (const pending of state.pending.values()) pending.sent = false;
}

function opened(state: LinkState, now: number, out: LinkOutput[]): void {
  state.seq.clear();
  if (!state.greets) {
    ready(state, now, out);
    return;
  }
  enter(state, 'greeting', now + HELLO_TIMEOUT, out);
  out.push({ do: 'greet' });
}

function ready(state: LinkState, now: number, out: LinkOutput[]): void {
  state.readySince = now;
  enter(state, 'ready', NEVER, out);
  for (const [id, pending] of state.pending) transmit(state, id, pending, now, out);
}

function closed(state: LinkState, fraction: number, why: string, now: number, out: LinkOutput[]): void {
  if (state.at === 'stopped' || state.at === 'waiting') return;
  const served = state.at === 'ready';
  const lasted = served && now - state.readySince >= BACKOFF_FORGET;
  state.failures = lasted ? 1 : Math.min(state.failures + 1, served ? BACKOFF_SERVED : Number.MAX_SAFE_INTEGER);
  unsend(state);
  enter(state, 'waiting', now + backoff(state.failures, fraction), out, why);
}

function greet(state: LinkState, id: string, body: unknown, now: number, out: LinkOutput[]): void {
  if (state.at !== 'greeting') return;
  state.hello = id;
  state.until = now + HELLO_TIMEOUT;
  send(state, { channel: 'hello', type: 'gateway.hello', id, answer: { body } }, out);
}

function received(state: LinkState, channel: DownChannel, envelope: Envelope, now: number, out: LinkOutput[]): void {
  if (state.at !== 'greeting' && state.at !== 'ready') return;
  if (channel === 'res') {
    answered(state, envelope, now, out);
    return;
  }
  // Before the hello is answered nothing may be obeyed: the cloud's time, and so what has expired, is not known.
  if (state.at !== 'ready' || hasExpired(state, envelope, now)) return;
  if (channel === 'desired') out.push({ do: 'desired', body: envelope.body });
  else command(state, envelope, out);
}

/** An applicant never learns the cloud's time, and its own clock may stand at the image's date: to it nothing expires. */
function hasExpired({ ahead }: LinkState, { exp }: Envelope, now: number): boolean {
  return ahead !== undefined && exp !== undefined && exp < now + ahead;
}

function answered(state: LinkState, envelope: Envelope, now: number, out: LinkOutput[]): void {
  const id = envelope.re ?? '';
  const outcome = envelope.fault === undefined ? ok(envelope.body) : err(envelope.fault);
  if (id === state.hello) {
    greeted(state, outcome, now, out);
    return;
  }
  if (state.pending.delete(id)) out.push({ do: 'settle', id, outcome });
}

/** The hello's answer: epoch, time and documents; or a fault, after which it is said again or the connection is given up. */
function greeted(state: LinkState, outcome: Result<unknown, Fault>, now: number, out: LinkOutput[]): void {
  state.hello = undefined;
  if (!outcome.ok) {
    if (faults[outcome.fault.code].retry === 'never') out.push({ do: 'give-up' });
    else state.until = now + (outcome.fault.retryAfter ?? HELLO_AGAIN);
    return;
  }
  const { epoch, at, documents } = (outcome.value ?? {}) as { epoch?: unknown; at?: unknown; documents?: unknown };
  if (typeof epoch === 'number') state.epoch = epoch;
  if (typeof at === 'number') state.ahead = at - now;
  if (Array.isArray(documents)) for (const body of documents) out.push({ do: 'desired', body });
  ready(state, now, out);
}

function command(state: LinkState, envelope: Envelope, out: LinkOutput[]): void {
  const { id, type } = envelope;
  const answer = state.answers.get(id);
  if (answer !== undefined) {
    send(state, { channel: 'res', type, re: id, answer }, out);
    return;
  }
  if (state.running.has(id)) return;
  state.running.add(id);
  out.push({ do: 'obey', id, verb: type, body: envelope.body });
}

function obeyed(state: LinkState, id: string, outcome: Result<unknown, Fault>, out: LinkOutput[]): void {
  if (!state.running.delete(id)) return;
  const answer = outcome.ok ? { body: outcome.value } : { fault: outcome.fault };
  state.answers.set(id, answer);
  const oldest = state.answers.size > ANSWERS_LIMIT ? state.answers.keys().next() : undefined;
  if (oldest?.value !== undefined) state.answers.delete(oldest.value);
  if (state.at === 'ready') send(state, { channel: 'res', type: 'answer', re: id, answer }, out);
}

function ask(
  state: LinkState,
  input: { readonly id: string } & Omit<Pending, 'sent'>,
  now: number,
  out: LinkOutput[],
): void {
  const { id, channel, verb, body, deadline } = input;
  const refuse = (code: 'rate_limited' | 'timeout', detail: string) =>
    out.push({ do: 'settle', id, outcome: err(fault(code, detail)) });
  if (state.at === 'stopped') return void refuse('timeout', 'The gateway is stopping.');
  if (state.pending.size >= PENDING_LIMIT) return void refuse('rate_limited', 'Too many requests wait for the cloud.');
  const pending = { channel, verb, body, deadline, sent: false };
  state.pending.set(id, pending);
  if (state.at === 'ready') transmit(state, id, pending, now, out);
}

function transmit(state: LinkState, id: string, pending: Pending, now: number, out: LinkOutput[]): void {
  if (pending.sent) return;
  pending.sent = true;
  const { channel, verb: type, body, deadline } = pending;
  // An event keeps its meaning however late it comes; a request is for somebody who waits.
  const lives = channel === 'req' && state.greets ? { lives: Math.max(0, deadline - now) } : {};
  send(state, { channel, type, id, ...lives, answer: { body } }, out);
}

function send(
  state: LinkState,
  message: Omit<Extract<LinkOutput, { do: 'send' }>, 'do' | 'seq' | 'epoch'>,
  out: LinkOutput[],
): void {
  const seq = (state.seq.get(message.channel) ?? 0) + 1;
  state.seq.set(message.channel, seq);
  out.push({ do: 'send', seq, epoch: state.epoch, ...message });
}

function tick(state: LinkState, now: number, out: LinkOutput[]): void {
  for (const [id, { deadline }] of state.pending) {
    if (deadline > now) continue;
    state.pending.delete(id);
    out.push({ do: 'settle', id, outcome: err(fault('timeout', 'The cloud did not answer in time.')) });
  }
  if (state.until > now) return;
  state.until = NEVER;
  if (state.at === 'waiting') {
    connect(state, out);
    return;
  }
  if (state.at !== 'greeting') return;
  if (state.hello === undefined) {
    state.until = now + HELLO_TIMEOUT;
    out.push({ do: 'greet' });
  } else out.push({ do: 'give-up' });
}
