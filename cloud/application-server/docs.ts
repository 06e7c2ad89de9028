/** The API's documents, generated from the verb table and the fault table: OpenAPI 3.1 and the page `docs/api/README.md`. Pure. */
import { type FaultCode, faults } from '#shared/protocol/fault.ts';
import { fieldWords } from '#shared/protocol/field-words.ts';
import type { Family, VerbEntry } from '#shared/protocol/verb.ts';
import { type VerbName, verbEntry, verbs } from '#shared/protocol/verbs/index.ts';
import { rolesOf } from './open-api/access.ts';

type Schema = Readonly<Record<string, unknown>>;
interface PublicVerb {
  readonly name: VerbName;
  readonly entry: VerbEntry;
  readonly http: NonNullable<VerbEntry['http']>;
}

const families: Readonly<Record<Family, string>> = {
  narrowband: 'Voice: calls, conferences and channels.',
  broadband: 'Non-voice: media on demand, devices and quality of service.',
  messaging: 'Messages.',
  operations: 'Homes, lines, gateways, accounts, sessions, events, keys, consents, billing and the farm.',
};

/** Faults that every operation may answer. */
const common: readonly FaultCode[] = [
  ...(['bad_request', 'rate_limited', 'server_unavailable', 'timeout', 'internal'] as const),
  ...(['wrong_host', 'headers_too_large'] as const),
];

function publicVerbs(): PublicVerb[] {
  return (Object.keys(verbs) as VerbName[]).flatMap((name) => {
    const entry = verbEntry(name);
    return entry?.http === undefined ? [] : [{ name, entry, http: entry.http }];
  });
}

/** Every fault that an operation may answer, the common ones included. */
export function faultsOf(entry: VerbEntry): FaultCode[] {
  const more: FaultCode[] = [];
  if (entry.http?.open === true) more.push('unauthorized', 'wrong_origin');
  else more.push('unauthorized', 'forbidden');
  if (entry.http?.method !== 'GET') more.push('wrong_origin', 'conflict');
  if (entry.http?.method !== 'GET' && entry.http?.path.includes('{') === true) more.push('precondition_failed');
  if (entry.http?.path.includes('{') === true || entry.http?.method === 'POST') more.push('not_found');
  if (entry.http?.method === 'POST') more.push('idempotency_in_flight', 'idempotency_mismatch');
  if (entry.http?.method === 'POST' || entry.http?.method === 'PUT') more.push('too_large', 'unsupported_media_type');
  return [...new Set([...entry.faults, ...more, ...common])];
}

/** The OpenAPI 3.1 document. */
export function openApiDocument(): Readonly<Record<string, unknown>> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const verb of publicVerbs()) {
    const path = paths[verb.http.path] ?? {};
    path[verb.http.method.toLowerCase()] = operation(verb);
    paths[verb.http.path] = path;
  }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Hearthline open API',
      version: '1',
      description:
        'One operation per verb. Errors are problems (RFC 9457) with a stable `code`; every POST takes an Idempotency-Key.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(families).map(([name, description]) => ({ name, description })),
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        session: { type: 'apiKey', in: 'cookie', name: '__Host-hearthline' },
      },
      schemas: { Problem: problemSchema },
    },
  };
}

function operation({ name, entry, http }: PublicVerb): Schema {
  const fields = wordedFields(name, entry);
  const inPath = [...http.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  const others = Object.keys(fields).filter((field) => !inPath.includes(field));
  const isPost = http.method === 'POST' || http.method === 'PUT';
  const query = isPost ? [] : others;
  const parameters = [
    ...inPath.map((field) => parameter('path', field, fields, true)),
    ...query.map((field) => parameter('query', field, fields, requiredOf(entry.request).includes(field))),
    ...(http.method === 'POST' && http.open !== true ? [idempotencyHeader] : []),
    ...(http.stream === undefined ? [] : [lastEventHeader]),
    ...(http.method === 'GET' ? [] : [ifMatchHeader]),
  ];
  return {
    operationId: name,
    summary: entry.about,
    tags: [entry.family],
    'x-orientation': entry.orientation,
    'x-server': entry.server,
    'x-roles': rolesOf(entry),
    ...(entry.scope === undefined ? {} : { 'x-scope': entry.scope }),
    ...(http.open === true ? { security: [] } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(isPost ? { requestBody: requestBody(entry, fields, others) } : {}),
    responses: responses(entry, http),
  };
}

function parameter(place: 'path' | 'query', name: string, fields: Schema, required: boolean): Schema {
  return { name, in: place, required, schema: fields[name] };
}

/** The fields of a request, each with what it means. */
function wordedFields(verb: string, { request }: VerbEntry): Schema {
  return Object.fromEntries(
    Object.entries(propertiesOf(request)).map(([name, schema]) => {
      const description = fieldWords(verb, name, schema as Schema);
      return [name, { ...(schema as Schema), ...(description === undefined ? {} : { description }) }];
    }),
  );
}

const idempotencyHeader: Schema = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Bound to the token and the route for 24 hours; the same key again gives the first reply.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
};

const lastEventHeader: Schema = {
  name: 'Last-Event-ID',
  in: 'header',
  required: false,
  description: 'The id of the last event that was seen; the stream goes on behind it.',
  schema: { type: 'string', maxLength: 64 },
};

const ifMatchHeader: Schema = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description: 'The ETag that GET gave for the resource; another one now is answered 412 and nothing is changed.',
  schema: { type: 'string' },
};

function requestBody(entry: VerbEntry, fields: Schema, names: readonly string[]): Schema {
  const required = requiredOf(entry.request).filter((name) => names.includes(name));
  const pick = (from: Schema) =>
    Object.fromEntries(names.flatMap((name) => (name in from ? [[name, from[name]]] : [])));
  const schema = {
    type: 'object',
    properties: pick(fields),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
  return {
    required: required.length > 0,
    content: { 'application/json': { schema, example: pick(entry.example) } },
  };
}

function responses(entry: VerbEntry, http: NonNullable<VerbEntry['http']>): Schema {
  const type = http.stream === true ? 'text/event-stream' : 'application/json';
  const good: Record<string, unknown> = { description: entry.about };
  if (http.status !== 204)
    good.content = { [type]: { schema: http.stream === true ? { type: 'string' } : entry.reply } };
  if (http.stream === true) good.description = 'Server-sent events; each `data` is one event of the session.';
  if (http.stream === 'on-request')
    good.content = { 'application/json': { schema: entry.reply }, 'text/event-stream': { schema: { type: 'string' } } };
  const all: Record<string, unknown> = { [http.status]: good };
  if (http.method === 'GET' && http.stream !== true) all['304'] = { description: 'Unchanged since If-None-Match.' };
  if (http.stream === true) all['204'] = { description: 'The session has ended and nothing is left to stream.' };
  for (const code of faultsOf(entry)) {
    const status = String(faults[code].http);
    const known = all[status] as { description: string } | undefined;
    const line = `\`${code}\`: ${faults[code].title}.`;
    all[status] =
      known === undefined
        ? {
            description: line,
            content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
          }
        : { ...known, description: `${known.description} ${line}` };
  }
  return all;
}

function propertiesOf(schema: unknown): Schema {
  return (schema as { readonly properties?: Schema }).properties ?? {};
}

function requiredOf(schema: unknown): readonly string[] {
  return (schema as { readonly required?: readonly string[] }).required ?? [];
}

const problemSchema: Schema = {
  type: 'object',
  description: 'RFC 9457',
  properties: {
    type: { type: 'string', description: '/errors/<code>, a page about this fault' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    instance: { type: 'string' },
    code: { type: 'string', enum: Object.keys(faults) },
    next: { type: 'string', description: 'What to do next.' },
    retry: { type: 'string', enum: ['never', 'later', 'now'] },
    server: { type: 'string', description: 'The service server that is missing.' },
    pointer: { type: 'string', description: 'JSON pointer to the field at fault.' },
  },
  required: ['type', 'title', 'status', 'instance', 'code', 'next', 'retry'],
  additionalProperties: false,
};

/** The page `docs/api/README.md`. */
export function apiPage(): string {
  const lines = [
    '# Open API',
    '',
    'Generated from the verb table (`hearthline docs`); `/openapi.json` of a running cloud has every field.',
    '',
    'Send `Authorization: Bearer TOKEN`. Bodies are JSON. Lists are `{items, next?}`; send `next` as `after` for the following',
    'page. Errors are problems (RFC 9457) with `code`, `next` (what to do) and, where it helps, `pointer` and `server`. Every POST',
    'takes an `Idempotency-Key`: the same key with the same request gives the first reply for 24 hours. GET gives an `ETag`:',
    '`If-None-Match` answers 304, and a change with `If-Match` is refused with 412 once the resource has changed. `RateLimit` tells',
    'what is left, `Retry-After` how long to wait; `traceparent` and `x-correlator` come back.',
    '',
    'Events are CloudEvents 1.0, the same octets on every way: `GET /v1/events` (a page behind `after`; without it no items, only the `cursor` of now to begin from; with `Accept: text/event-stream`',
    'a stream whose `Last-Event-ID` resumes), WebSocket at `/v1/events/ws` (after each batch a message `{"cursor"}` to come back with as',
    '`?after=`), and webhooks (Standard Webhooks: verify `webhook-signature`, drop a `webhook-id` that you know, expect order within a',
    'session). What a webhook’s receiver does not take within 24 hours is dead and can be replayed. [All types](events.md).',
    '',
    'Whoever asks is a person (`POST /v1/sign-in`), an API key (`POST /v1/keys`: scopes, homes, an end), or an application by OAuth 2 below',
    '`/oauth` (authorization code with PKCE, client credentials, device code; `/oauth/.well-known/openid-configuration` names the endpoints).',
    'Scopes are `resource:read` and `resource:write`, always bound to homes; events of a resource need the scope that reads it. A',
    'consent that is revoked ends tokens and webhooks at once.',
  ];
  const all = publicVerbs();
  for (const [family, about] of Object.entries(families)) {
    const own = all.filter(({ entry }) => entry.family === family);
    if (own.length === 0) continue;
    lines.push(
      '',
      `## ${family}`,
      '',
      about,
      '',
      '| verb | method and path | command | scope | faults |',
      '|---|---|---|---|---|',
    );
    for (const verb of own) lines.push(row(verb));
  }
  lines.push('', '## Faults', '', '| code | HTTP | SIP | what happened | what to do |', '|---|---|---|---|---|');
  for (const [code, entry] of Object.entries(faults))
    lines.push(`| \`${code}\` | ${entry.http} | ${entry.sip} | ${entry.title} | ${entry.next} |`);
  return `${lines.join('\n')}\n`;
}

function row({ name, entry, http }: PublicVerb): string {
  const own = entry.faults.map((code) => `\`${code}\``).join(' ');
  const scope = entry.scope === undefined ? 'none' : `\`${entry.scope}\``;
  const cli = entry.cli === undefined ? '' : `\`hearthline ${entry.cli}\``;
  return `| \`${name}\`: ${entry.about} | \`${http.method} ${http.path}\` | ${cli} | ${scope} | ${own} |`;
}
