/**
 * One request to the open API, from its headers to its answer, without any HTTP library: who asks (`admit`), then what is
 * asked (`run`). The adapter calls `admit` before it reads a body, so that strangers cannot make us parse one.
 */
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { repeated } from '#cloud/store/idempotency.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { homeFault, mayCall, nobody } from './access.ts';
import { Budget, type Rate } from './budget.ts';
import { type Credential, identify } from './credentials.ts';
import { type EventStream, eventStream } from './event-stream.ts';
import { cookieName, isSameOrigin, readBearer, readCookie } from './guard.ts';
import { InFlight, readKey } from './once.ts';
import { type Answer, problemAnswer } from './problem.ts';
import { locationOf, mergeRequest, type RequestParts, type Route } from './routes.ts';

/** Requests of one credential. */
export const TOKEN_RATE: Rate = { perSecond: 50, burst: 100 };
/** The operator's own programs drive the whole cloud; this stops only a runaway loop. */
export const OPERATOR_RATE: Rate = { perSecond: 10_000, burst: 20_000 };
/** Requests without a good credential, per source address. */
export const STRANGER_RATE: Rate = { perSecond: 10, burst: 60 };
/** Event streams open at once for one credential. */
export const STREAMS_PER_TOKEN = 32;

/** What the adapter knows of a request before its body. */
export interface Incoming {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Address of the other end of the connection. */
  readonly source: string;
  readonly secure: boolean;
  header(name: string): string | undefined;
}

/** A request that may go on. */
export interface Admission {
  readonly credential: Credential | undefined;
  readonly context: Context;
}

/** A stream of server-sent events instead of an answer. */
export interface Streaming {
  readonly stream: EventStream;
}

const unsafe = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);

/** What the API needs of its surroundings. */
export type ApiContext = Pick<PartContext, 'world' | 'store' | 'bus'>;

export class Api {
  readonly #context: ApiContext;
  readonly #budget = new Budget();
  readonly #strangers = new Budget();
  readonly #inFlight = new InFlight();
  readonly #streams = new Map<string, number>();

  constructor(context: ApiContext) {
    this.#context = context;
  }

  /** The credential of a request, from the bearer header or else the portal's cookie. */
  async credentialOf(incoming: Incoming): Promise<{ credential: Credential | undefined; byCookie: boolean }> {
    const { store, world } = this.#context;
    const authorization = incoming.header('authorization');
    const cookie = readCookie(incoming.header('cookie'), cookieName(incoming.secure));
    const token = authorization === undefined ? cookie : readBearer(authorization);
    const credential = token === undefined ? undefined : await identify(store, world, token);
    return { credential, byCookie: authorization === undefined };
  }

  /** Whether the request may go on; costs no more than one key lookup. */
  async admit(route: Route, incoming: Incoming): Promise<Result<Admission, Fault>> {
    const { credential, byCookie } = await this.credentialOf(incoming);
    const open = route.http.open === true;
    const late = this.#overBudget(incoming, open ? undefined : credential);
    if (late !== undefined) return err(late);
    const origin = incoming.header('origin');
    const fromElsewhere = !isSameOrigin(origin, incoming.header('host'), incoming.secure);
    const ambient = open ? origin !== undefined : credential !== undefined && byCookie;
    if (unsafe.has(incoming.method) && ambient && fromElsewhere) return err(fault('wrong_origin'));
    const refusal = mayCall(route.entry, credential?.principal);
    if (refusal !== undefined) return err(refusal);
    const trace = incoming.header('traceparent');
    const context: Context = {
      principal: open || credential === undefined ? nobody : credential.principal,
      channel: { source: incoming.source, ...(credential === undefined ? {} : { tokenHash: credential.tokenHash }) },
      ...(trace !== undefined && /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(trace)
        ? { traceparent: trace }
        : {}),
    };
    return ok({ credential, context });
  }

  #overBudget(incoming: Incoming, credential: Credential | undefined): Fault | undefined {
    const now = this.#context.world.clock.mono();
    const rate = credential?.principal.role === 'operator' ? OPERATOR_RATE : TOKEN_RATE;
    const wait =
      credential === undefined
        ? this.#strangers.take(incoming.source, STRANGER_RATE, now)
        : this.#budget.take(credential.tokenHash, rate, now);
    return wait === 0 ? undefined : fault('rate_limited', undefined, { retryAfter: wait });
  }

  /** Carries out an admitted request. */
  async run(route: Route, incoming: Incoming, admission: Admission, parts: RequestParts): Promise<Answer | Streaming> {
    const refuse = (reason: Fault) => problemAnswer(reason, incoming.path, route.verb);
    const merged = mergeRequest(route, parts);
    if (!merged.ok) return refuse(merged.fault);
    const request = merged.value;
    if (route.http.stream === true) resume(request, incoming.header('last-event-id'));
    const wrong = route.check(request) ?? homeFault(admission.context.principal, request);
    if (wrong !== undefined) return refuse(wrong);
    if (route.http.stream === true)
      return this.#stream(route, incoming, admission, request as VerbRequest<'session.events'>);
    const hash = admission.credential?.tokenHash ?? '';
    const key = readKey(this.#context.world, route, incoming.header('idempotency-key'), hash, request);
    if (!key.ok) return refuse(key.fault);
    if (key.value === undefined) return this.#call(route, incoming, admission.context, request);
    if (!this.#inFlight.enter(key.value)) return refuse(fault('idempotency_in_flight'));
    try {
      return await this.#call(route, incoming, { ...admission.context, idempotency: key.value }, request);
    } finally {
      this.#inFlight.leave(key.value);
    }
  }

  async #call(
    route: Route,
    incoming: Incoming,
    context: Context,
    request: Readonly<Record<string, unknown>>,
  ): Promise<Answer> {
    const first = await repeated(this.#context.store, context);
    const outcome = first ?? (await this.#ask(route.verb, request, context));
    if (first === undefined) await this.#audit(route, context, request, outcome);
    const replayed: Record<string, string> = first === undefined ? {} : { 'idempotency-replayed': 'true' };
    if (!outcome.ok) return problemAnswer(outcome.fault, incoming.path, route.verb, replayed);
    return this.#answer(route, incoming.path, outcome.value, replayed);
  }

  /** The route's check has matched the request to the verb's schema, which the compiler cannot see. */
  #ask(verb: VerbName, request: Readonly<Record<string, unknown>>, context: Context) {
    const { bus } = this.#context;
    return bus.request(verb, { ...request } as VerbRequest<VerbName>, context, 20_000);
  }

  #answer(route: Route, path: string, value: unknown, more: Readonly<Record<string, string>>): Answer {
    const location = locationOf(route, path, value);
    const headers = { ...more, ...(location === undefined ? {} : { location }) };
    const base = { status: route.http.status, verb: route.verb, outcome: 'ok' };
    if (route.http.status === 204) return { ...base, headers, body: '' };
    const type = { 'content-type': 'application/json; charset=utf-8' };
    return { ...base, headers: { ...type, ...headers }, body: JSON.stringify(value) };
  }

  /** Keeps who did what. A stopped OAM&P server must not stop the operator from starting it, so a failure is only logged. */
  async #audit(
    route: Route,
    { principal }: Context,
    request: Readonly<Record<string, unknown>>,
    outcome: Result<unknown, Fault>,
  ): Promise<void> {
    if (route.http.method === 'GET' || route.entry.family !== 'operations' || principal.kind !== 'account') return;
    if (!outcome.ok && outcome.fault.code === 'rate_limited') return;
    const { bus, world } = this.#context;
    const target = targetOf(request, outcome);
    const kept = await bus.request(
      'audit.record',
      {
        account: accountOf(outcome) ?? principal.account,
        verb: route.verb,
        ...(target === undefined ? {} : { target }),
        outcome: outcome.ok ? 'ok' : outcome.fault.code,
      },
      { principal: { kind: 'part', part: 'application-server' } },
    );
    if (!kept.ok) world.log.warn('api.audit-missed', { verb: route.verb, account: principal.account });
  }

  async #stream(
    route: Route,
    incoming: Incoming,
    admission: Admission,
    request: VerbRequest<'session.events'>,
  ): Promise<Answer | Streaming> {
    const owner = admission.credential?.tokenHash ?? '';
    const refuse = (reason: Fault) => problemAnswer(reason, incoming.path, route.verb);
    if ((this.#streams.get(owner) ?? 0) >= STREAMS_PER_TOKEN)
      return refuse(fault('rate_limited', `At most ${STREAMS_PER_TOKEN} event streams at once.`, { retryAfter: 5000 }));
    const { bus } = this.#context;
    const after = request.after ?? 0;
    const first = await bus.request('session.events', { session: request.session, after }, admission.context);
    if (!first.ok) return refuse(first.fault);
    if (await this.#isOver(request.session, admission.context, first.value))
      return { status: 204, headers: {}, body: '', verb: route.verb, outcome: 'ok' };
    const contextNow = async () => {
      const { credential } = await this.credentialOf(incoming);
      if (credential === undefined || mayCall(route.entry, credential.principal) !== undefined) return undefined;
      return { ...admission.context, principal: credential.principal };
    };
    const stream = eventStream(this.#context, contextNow, request.session, after, first.value);
    return { stream: this.#counted(owner, stream) };
  }

  /** Nothing is left to stream: 204 tells an EventSource not to come back. */
  async #isOver(session: string, context: Context, page: VerbReply<'session.events'>): Promise<boolean> {
    if (page.items.length > 0) return false;
    const state = await this.#context.bus.request('session.get', { session }, context);
    return state.ok && state.value.state === 'ended';
  }

  #counted(owner: string, stream: EventStream): EventStream {
    this.#streams.set(owner, (this.#streams.get(owner) ?? 0) + 1);
    let open = true;
    return {
      chunks: stream.chunks,
      close: () => {
        stream.close();
        if (!open) return;
        open = false;
        const left = (this.#streams.get(owner) ?? 1) - 1;
        if (left === 0) this.#streams.delete(owner);
        else this.#streams.set(owner, left);
      },
    };
  }
}

/** `Last-Event-ID` of a client that comes back counts as `after`. */
function resume(request: Record<string, unknown>, lastEventId: string | undefined): void {
  if (lastEventId !== undefined && /^\d{1,15}$/.test(lastEventId)) request.after = Number(lastEventId);
}

/** The account that a sign-in has opened; nobody asked for it by another. */
function accountOf(outcome: Result<unknown, Fault>): string | undefined {
  const account = outcome.ok ? (outcome.value as { account?: unknown }).account : undefined;
  return typeof account === 'string' ? account : undefined;
}

/** What an audited request was about: the made thing, or the narrowest id in the request. */
function targetOf(request: Readonly<Record<string, unknown>>, outcome: Result<unknown, Fault>): string | undefined {
  const made = outcome.ok ? (outcome.value as { id?: unknown }).id : undefined;
  for (const id of [
    made,
    request.line,
    request.gateway,
    request.leg,
    request.session,
    request.server,
    request.home,
    request.name,
  ])
    if (typeof id === 'string') return id.slice(0, 128);
  return undefined;
}
