/**
 * One request to the open API, from its headers to its answer, without any HTTP library: who asks (`admit`), then what is
 * asked (`run`). The adapter calls `admit` before it reads a body, so that strangers cannot make us parse one.
 */
import type { Context } from '#cloud/bus/bus.ts';
import { repeated } from '#cloud/store/idempotency.ts';
import { Budget, type Rate } from '#shared/kernel/budget.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { Turns } from '#shared/kernel/turns.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { Feed } from '../events/feed.ts';
import { homeFault, mayCall, nobody } from './access.ts';
import { type Credential, identify } from './credentials.ts';
import { etagOf, names, shownBy } from './etag.ts';
import { cookieName, isSameOrigin, readBearer, readCookie } from './guard.ts';
import { InFlight, readKey } from './once.ts';
import { ownerFault } from './owner.ts';
import { type Answer, problemAnswer } from './problem.ts';
import type { Admission, ApiContext, Incoming } from './request.ts';
import { locationOf, mergeRequest, type RequestParts, type Route } from './routes.ts';
import { type Streaming, Streams } from './streams.ts';

/** Requests of one credential. */
export const TOKEN_RATE: Rate = { perSecond: 50, burst: 100 };
/** The operator's own programs drive the whole cloud; this stops only a runaway loop. */
export const OPERATOR_RATE: Rate = { perSecond: 10_000, burst: 20_000 };
/** Requests without a good credential, per source address. */
export const STRANGER_RATE: Rate = { perSecond: 10, burst: 60 };

/** Requests to `/oauth`, per source address. */
export const OAUTH_RATE: Rate = { perSecond: 50, burst: 200 };

interface Allowance {
  readonly name: string;
  readonly key: string;
  readonly rate: Rate;
  readonly from: Budget;
}

const unsafe = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);

export class Api {
  readonly #context: ApiContext;
  readonly #budget = new Budget();
  readonly #strangers = new Budget();
  readonly #inFlight = new InFlight();
  readonly #turns = new Turns();
  readonly streams: Streams;

  constructor(context: ApiContext, feed = new Feed(context.store, context.bus)) {
    this.#context = context;
    this.streams = new Streams(context, feed, (incoming) => this.credentialOf(incoming));
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
    const allowance = this.#allowance(incoming, open ? undefined : credential);
    const late = this.#overBudget(allowance);
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
    return ok({ credential, context, limits: this.#limits(allowance) });
  }

  /** Takes from a source's allowance for `/oauth`, where one server may ask for many people. */
  oauthBudget({ source }: Incoming): Fault | undefined {
    return this.#overBudget({ name: 'oauth', key: `oauth ${source}`, rate: OAUTH_RATE, from: this.#strangers });
  }

  /** Whose allowance a request uses up: reading and changing are counted apart. */
  #allowance({ method, source }: Incoming, credential: Credential | undefined): Allowance {
    if (credential === undefined) return { name: 'stranger', key: source, rate: STRANGER_RATE, from: this.#strangers };
    const name = unsafe.has(method) ? 'write' : 'read';
    const rate = credential.principal.role === 'operator' ? OPERATOR_RATE : TOKEN_RATE;
    return { name, key: `${name} ${credential.tokenHash}`, rate, from: this.#budget };
  }

  #overBudget({ key, rate, from }: Allowance): Fault | undefined {
    const wait = from.take(key, rate, this.#context.world.clock.mono());
    return wait === 0 ? undefined : fault('rate_limited', undefined, { retryAfter: wait });
  }

  /** What is left, after draft-ietf-httpapi-ratelimit-headers-10. */
  #limits({ name, key, rate, from }: Allowance): Readonly<Record<string, string>> {
    const left = from.left(key, rate, this.#context.world.clock.mono());
    const full = Math.ceil((rate.burst - left) / rate.perSecond);
    return {
      'ratelimit-policy': `"${name}";q=${rate.burst};w=${Math.ceil(rate.burst / rate.perSecond)}`,
      ratelimit: `"${name}";r=${Math.floor(left)};t=${full}`,
    };
  }

  /** Carries out an admitted request. */
  async run(route: Route, incoming: Incoming, admission: Admission, parts: RequestParts): Promise<Answer | Streaming> {
    const refuse = (reason: Fault) => problemAnswer(reason, incoming.path, route.verb);
    const merged = mergeRequest(route, parts);
    if (!merged.ok) return refuse(merged.fault);
    const request = merged.value;
    if (route.http.stream === true) resume(request, incoming.header('last-event-id'));
    const { principal } = admission.context;
    const wrong =
      route.check(request) ??
      homeFault(principal, request) ??
      (await ownerFault(this.#context.store, principal, request));
    if (wrong !== undefined) return refuse(wrong);
    const asked = { route, incoming, admission };
    if (route.http.stream === true) return this.streams.session(asked, request as VerbRequest<'session.events'>);
    if (route.http.stream === 'on-request' && (incoming.header('accept') ?? '').includes('text/event-stream'))
      return this.streams.events(asked, request as VerbRequest<'event.list'>);
    const hash = admission.credential?.tokenHash ?? '';
    const key = readKey(this.#context.world, route, incoming.header('idempotency-key'), hash, request);
    if (!key.ok) return refuse(key.fault);
    if (key.value === undefined) return this.#whenCurrent(route, incoming, admission.context, request);
    if (!this.#inFlight.enter(key.value)) return refuse(fault('idempotency_in_flight'));
    try {
      return await this.#whenCurrent(route, incoming, { ...admission.context, idempotency: key.value }, request);
    } finally {
      this.#inFlight.leave(key.value);
    }
  }

  /** Carries out a request whose If-Match, if any, names what the resource is now. */
  async #whenCurrent(
    route: Route,
    incoming: Incoming,
    context: Context,
    request: Readonly<Record<string, unknown>>,
  ): Promise<Answer> {
    const wanted = incoming.header('if-match');
    const shown = wanted === undefined ? undefined : shownBy(route);
    if (wanted === undefined || shown === undefined) return this.#call(route, incoming, context, request);
    const about = Object.fromEntries(shown.params.map((name) => [name, request[name]]));
    return this.#turns.run(`${shown.verb} ${JSON.stringify(about)}`, async () => {
      const first = await repeated(this.#context.store, context);
      if (first === undefined) {
        const { idempotency: _key, ...reading } = context;
        const now = await this.#ask(shown.verb, about, reading);
        if (!now.ok) return problemAnswer(now.fault, incoming.path, route.verb);
        if (!names(wanted, etagOf(this.#context.world, JSON.stringify(now.value)), 'strong'))
          return problemAnswer(fault('precondition_failed'), incoming.path, route.verb);
      }
      return this.#call(route, incoming, context, request);
    });
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
    return this.#answer(route, incoming, outcome.value, replayed);
  }

  /** The route's check has matched the request to the verb's schema, which the compiler cannot see. */
  #ask(verb: VerbName, request: Readonly<Record<string, unknown>>, context: Context) {
    const { bus } = this.#context;
    return bus.request(verb, { ...request } as VerbRequest<VerbName>, context, 20_000);
  }

  #answer(route: Route, incoming: Incoming, value: unknown, more: Readonly<Record<string, string>>): Answer {
    const location = locationOf(route, incoming.path, value);
    const headers = { ...more, ...(location === undefined ? {} : { location }) };
    const base = { status: route.http.status, verb: route.verb, outcome: 'ok' };
    if (route.http.status === 204) return { ...base, headers, body: '' };
    const type = { 'content-type': 'application/json; charset=utf-8' };
    const body = JSON.stringify(value);
    if (route.http.method !== 'GET') return { ...base, headers: { ...type, ...headers }, body };
    const etag = etagOf(this.#context.world, body);
    if (names(incoming.header('if-none-match') ?? '', etag, 'weak'))
      return { ...base, status: 304, headers: { etag }, body: '' };
    return { ...base, headers: { ...type, ...headers, etag }, body };
  }

  /** Keeps who did what. A stopped OAM&P server must not stop the operator from starting it, so a failure is only logged. */
  async #audit(
    route: Route,
    { principal }: Context,
    request: Readonly<Record<string, unknown>>,
    outcome: Result<unknown, Fault>,
  ): Promise<void> {
    if (route.entry.family !== 'operations' || principal.kind !== 'account') return;
    // What a technician looks at by an owner's consent is kept as well.
    if (route.http.method === 'GET' && principal.role !== 'technician') return;
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
