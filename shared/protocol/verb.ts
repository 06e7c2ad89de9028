/**
 * What a verb is. A verb is one operation of Hearthline: HTTP route, OpenAPI operation, bus subject, gateway topic, CLI
 * command, validation, metric label, docs page and fuzz test all derive from its entry in `verbs/`.
 *
 * Request schemas are flat: fields that the HTTP path names (`/v1/homes/{home}/lines`) come from the path, the others from
 * the query (GET, DELETE) or the JSON body (POST, PUT). Units: times are milliseconds since 1970 (`…At`) or
 * milliseconds, money is integer micro-units.
 */
import type { Static, TSchema } from 'typebox';
import type { FaultCode } from './fault.ts';
import type { ServerName } from './servers.ts';

export type Family = 'narrowband' | 'broadband' | 'messaging' | 'operations';
export type Orientation = 'voice' | 'non-voice';
export type Role = 'operator' | 'technician' | 'subscriber' | 'developer';

/**
 * How a gateway may meet a verb: `req` and `event` it sends, `cmd` it obeys, `apply` it sends only while unpaired.
 * Events are acknowledged by `res` after commit.
 */
export type GatewayChannel = 'req' | 'event' | 'cmd' | 'apply';

export interface VerbEntry {
  readonly family: Family;
  readonly orientation: Orientation;
  /** The part that serves it. */
  readonly server: ServerName;
  /** One sentence for people: API docs and CLI help. */
  readonly about: string;
  readonly request: TSchema;
  readonly reply: TSchema;
  /** Faults beside the common ones. */
  readonly faults: readonly FaultCode[];
  /** `resource:read` or `resource:write`; absent: internal, reachable over the bus only. */
  readonly scope?: `${string}:${'read' | 'write'}`;
  /** Roles that may have the scope; default operator and subscriber (a subscriber only for own homes). */
  readonly roles?: readonly Role[];
  readonly http?: {
    readonly method: 'GET' | 'POST' | 'DELETE' | 'PUT';
    readonly path: `/v1/${string}`;
    readonly status: 200 | 201 | 202 | 204;
    /** The reply is a stream of server-sent events of this schema; `on-request`: to those who accept text/event-stream. */
    readonly stream?: true | 'on-request';
    /** No credential is needed (sign-in). */
    readonly open?: boolean;
    /** Octets of a request's body, where the usual limit is too small. */
    readonly bodyLimit?: number;
  };
  readonly gateway?: readonly GatewayChannel[];
  /** Words of the `hearthline` command, for example `line create`. */
  readonly cli?: string;
  /** Fields of a list's items that a console shows before all others, as long as they fit; default: in the order of the reply. */
  readonly columns?: readonly string[];
  /** A valid request, for docs and tests. */
  readonly example: Readonly<Record<string, unknown>>;
}

export function verbTable<const T extends Readonly<Record<string, VerbEntry>>>(table: T): T {
  return table;
}

export type RequestOf<E extends VerbEntry> = Static<E['request']>;
export type ReplyOf<E extends VerbEntry> = Static<E['reply']>;
