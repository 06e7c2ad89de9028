/**
 * The bus between the session manager, the farm, the gateways' edge and the open API: typed requests and events.
 *
 * Promises: a request is delivered at most once, to the one part that serves the verb, and comes back as a Result; data
 * is handed over as it is, and neither side changes it afterwards. A verb whose part is not running answers `server_unavailable` with
 * the part's name, a late one `timeout`. Events reach every subscriber in the order of publication; a failing
 * subscriber harms no other and is logged.
 */
import type { Result } from '#shared/kernel/result.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { BusEventName, BusEvents } from '#shared/protocol/events.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import type { Role } from '#shared/protocol/verb.ts';
import type { VerbName, VerbReply, VerbRequest, VerbsOf } from '#shared/protocol/verbs/index.ts';

/** Who asks, as the channel proved it; never taken from a payload. */
export type Principal =
  | { readonly kind: 'part'; readonly part: ServerName }
  | { readonly kind: 'gateway'; readonly gateway: string; readonly home: string }
  /** An unpaired gateway: only its key is known. */
  | { readonly kind: 'applicant'; readonly keyHash: string }
  | {
      readonly kind: 'account';
      readonly account: string;
      readonly role: Role;
      /** The homes it may see. */
      readonly homes: readonly string[] | 'all';
      readonly scopes: readonly string[] | 'all';
      /** The consent by which an application acts for the account; absent for the person, their keys and the operator. */
      readonly consent?: string;
    };

/** A key that makes a command idempotent: the handler commits its reply under it, with the effect, in one transaction. */
export interface IdempotencyKey {
  /** Token and route, or gateway. */
  readonly scope: string;
  readonly key: string;
  /** SHA-256 of the body, hex. */
  readonly bodyHash: string;
}

export interface Context {
  readonly principal: Principal;
  readonly idempotency?: IdempotencyKey;
  readonly traceparent?: string;
  /** For the verbs of sign-in alone: where the request came from, and the SHA-256 (hex) of the token that it carried. */
  readonly channel?: { readonly source: string; readonly tokenHash?: string };
}

export type Outcome<V extends VerbName> = Result<VerbReply<V>, Fault>;
/** What a handler knows at once it may say at once. */
export type Handler<V extends VerbName> = (request: VerbRequest<V>, context: Context) => Soon<Outcome<V>>;
/** One handler for every verb of a part: a missing one does not compile. */
export type Handlers<S extends ServerName> = { readonly [V in VerbsOf<S>]: Handler<V> };

export interface Bus {
  serve<S extends ServerName>(part: S, handlers: Handlers<S>): () => void;
  /** Asks the part that serves `verb`; `timeout` in ms, default 10 s. */
  request<V extends VerbName>(
    verb: V,
    request: VerbRequest<V>,
    context: Context,
    timeout?: number,
  ): Promise<Outcome<V>>;
  /** The same, with the reply at once where the part is in this process and has it. */
  ask<V extends VerbName>(verb: V, request: VerbRequest<V>, context: Context, timeout?: number): Soon<Outcome<V>>;
  publish<E extends BusEventName>(event: E, data: BusEvents[E]): void;
  subscribe<E extends BusEventName>(event: E, handler: (data: BusEvents[E]) => void): () => void;
  /** True while some part serves the verbs of `part`. */
  has(part: ServerName): boolean;
}
