/**
 * Facts as CloudEvents 1.0 in the JSON format (https://github.com/cloudevents/spec, JSON event format). A fact gives the same text
 * wherever it goes: event streams, sockets, webhooks and applications compare byte by byte. Pure.
 */

/** A row of one of the two sources, with the homes that may hear of it; none: the operator alone. */
export interface Fact {
  readonly id: string;
  readonly type: string;
  readonly homes: readonly string[];
  readonly session?: string;
  readonly subject: string;
  /** Wall clock, ms. */
  readonly at: number;
  /** Place within the session, for facts of its journal. */
  readonly seq?: number;
  readonly data: unknown;
}

/** A CloudEvent as everybody gets it. `home` stands where it belongs to one home, `session` and `sequence` where to a session. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: '/v1';
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  readonly home?: string;
  readonly session?: string;
  readonly sequence?: string;
  readonly data: unknown;
}

export function toCloudEvent(fact: Fact): CloudEvent {
  const [home] = fact.homes;
  return {
    specversion: '1.0',
    id: fact.id,
    source: '/v1',
    type: fact.type,
    subject: fact.subject,
    time: new Date(fact.at).toISOString(),
    datacontenttype: 'application/json',
    // A session joins homes; naming one to the other is left to the session itself.
    ...(fact.seq === undefined && home !== undefined ? { home } : {}),
    ...(fact.session === undefined ? {} : { session: fact.session }),
    ...(fact.seq === undefined ? {} : { sequence: String(fact.seq) }),
    data: fact.data,
  };
}

/** The one text of a fact. */
export function cloudEventText(fact: Fact): string {
  return JSON.stringify(toCloudEvent(fact));
}

/** Whether an event's type is wanted: no list wants all, `home.message.v1.*` every type that begins so. */
export function wantsType(types: readonly string[] | undefined, type: string): boolean {
  if (types === undefined || types.length === 0) return true;
  return types.some((one) => (one.endsWith('*') ? type.startsWith(one.slice(0, -1)) : one === type));
}

/** Fields of a leg that people may hear of; a plan has more that only servers need. */
const LEG_FIELDS = ['id', 'kind', 'orientation', 'role', 'party', 'item'] as const;

type Plan = Readonly<Record<string, unknown>>;

/** What a journal row tells outside: without plans, homes, records and reservations, which stand for servers. */
export function sessionData(row: {
  readonly leg: string | null;
  readonly cause: string | null;
  readonly data: unknown;
}): Readonly<Record<string, unknown>> {
  const { homes: _homes, request: _request, roomSize: _size, carried: _carried, ...data } = row.data as Plan;
  const { legs, plan, records, room: _room, ...rest } = data;
  return {
    ...(row.leg === null ? {} : { leg: row.leg }),
    ...(row.cause === null ? {} : { cause: row.cause }),
    ...rest,
    ...(Array.isArray(legs) ? { legs: legs.map(shownLeg) } : {}),
    ...(isObject(plan) ? { plan: shownLeg(plan) } : {}),
    ...(Array.isArray(records) ? { legs: records.map(shownRecord) } : {}),
  };
}

function isObject(value: unknown): value is Plan {
  return typeof value === 'object' && value !== null;
}

function shownLeg(leg: Plan): Plan {
  return Object.fromEntries(LEG_FIELDS.flatMap((name) => (leg[name] === undefined ? [] : [[name, leg[name]]])));
}

/** An ended leg: its times (ms since 1970) and why it ended. */
function shownRecord({ leg, start, answer, end, reason }: Plan): Plan {
  return { leg, start, ...(answer === undefined ? {} : { answer }), end, reason };
}
